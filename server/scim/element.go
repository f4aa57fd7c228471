package scim

import (
	"maps"
	"strings"
)

// valueOf returns the value of an element of an attribute; empty if it has none.
func valueOf(element any) string {
	o, _ := element.(object)
	return textOf(o, "value")
}

// key returns what an element of an attribute is compared by: its value; of what is kept as clients send it the type too (RFC 7643 §2.4), and all
// of an element that has no value of its own.
func (a *attribute) key(element any) string {
	o, _ := element.(object)
	switch kind := textOf(o, "type"); {
	case find(a.SubAttributes, "value") == nil:
		return version(o)
	case a.kept && kind != "":
		return valueOf(o) + "\x00" + strings.ToLower(kind)
	}
	return valueOf(o)
}

// blank reports whether an element of an attribute says nothing.
func (a *attribute) blank(element any) bool {
	o, _ := element.(object)
	if find(a.SubAttributes, "value") != nil {
		return valueOf(o) == ""
	}
	for name := range o {
		if name != "type" && name != "primary" {
			return false
		}
	}
	return true
}

// added returns the value of an attribute with another one added to it (RFC 7644 §3.5.2.1).
func added(a *attribute, have, more any) any {
	old, isObject := have.(object)
	if value, ok := more.(object); ok && isObject && !a.MultiValued {
		maps.Copy(old, value)
		return old
	}
	if !a.MultiValued {
		if more == nil {
			return have
		}
		return more
	}
	list, known := elements(have), map[string]int{}
	for i, element := range list {
		known[a.key(element)] = i
	}
	for _, element := range elements(more) {
		if o, ok := element.(object); ok && o["primary"] == true {
			unmark(list)
		}
		if i, ok := known[a.key(element)]; ok { // it is there: nothing is added but what is said of it
			if o, ok := list[i].(object); ok {
				maps.Copy(o, element.(object))
			}
			continue
		}
		known[a.key(element)] = len(list)
		list = append(list, element)
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

// unmark makes no element the primary one: another becomes it (RFC 7644 §3.5.2).
func unmark(list []any) {
	for _, element := range list {
		if o, ok := element.(object); ok {
			delete(o, "primary")
		}
	}
}
