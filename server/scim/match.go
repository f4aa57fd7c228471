package scim

import (
	"strings"
	"time"
)

func (l logical) matches(o object) bool {
	if l.or {
		return l.left.matches(o) || l.right.matches(o)
	}
	return l.left.matches(o) && l.right.matches(o)
}

func (n negation) matches(o object) bool { return !n.of.matches(o) }

func (v valuePath) matches(o object) bool {
	for _, element := range elements(v.path.within(o)[v.path.top.Name]) {
		if inner, ok := element.(object); ok && v.filter.matches(inner) {
			return true
		}
	}
	return false
}

// elements returns the values of an attribute, which may be one or many.
func elements(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// valuesAt returns the values that a path leads to. A path to an attribute with a value of its own means that (RFC 7644 §3.4.2.2).
func valuesAt(o object, p path) (values []any, a *attribute) {
	a = p.sub
	if a == nil && len(p.top.SubAttributes) > 0 {
		a = find(p.top.SubAttributes, "value")
	}
	for _, element := range elements(p.within(o)[p.top.Name]) {
		inner, ok := element.(object)
		switch {
		case ok && a != nil:
			values = append(values, elements(inner[a.Name])...)
		default:
			values = append(values, element)
		}
	}
	if a == nil {
		a = p.top
	}
	return values, a
}

func (c comparison) matches(o object) bool {
	if !c.kept {
		return c.op == "ne" || c.op == "eq" && c.value == nil
	}
	values, a := valuesAt(o, c.path)
	switch {
	case c.op == "pr":
		return len(values) > 0
	case c.value == nil:
		return (c.op == "eq") == (len(values) == 0)
	case c.op == "ne":
		return !(comparison{path: c.path, op: "eq", value: c.value, kept: true}).matches(o)
	}
	for _, v := range values {
		if compare(a, c.op, v, c.value) {
			return true
		}
	}
	return false
}

// compare applies an operator to a value and the one of the filter. Values of different types are not comparable.
func compare(a *attribute, op string, have, want any) bool {
	if b, ok := have.(bool); ok {
		other, isBool := want.(bool)
		return isBool && op == "eq" && b == other
	}
	x, ok := have.(string)
	y, both := want.(string)
	if !ok || !both {
		return false
	}
	order := 0
	if a.Type == typeDateTime {
		s, errS := time.Parse(time.RFC3339Nano, x)
		t, errT := time.Parse(time.RFC3339Nano, y)
		if errS != nil || errT != nil {
			return false
		}
		order = s.Compare(t)
	} else {
		if !a.CaseExact {
			x, y = strings.ToLower(x), strings.ToLower(y)
		}
		order = strings.Compare(x, y)
	}
	switch op {
	case "eq":
		return order == 0
	case "gt":
		return order > 0
	case "ge":
		return order >= 0
	case "lt":
		return order < 0
	case "le":
		return order <= 0
	case "co":
		return strings.Contains(x, y)
	case "sw":
		return strings.HasPrefix(x, y)
	case "ew":
		return strings.HasSuffix(x, y)
	}
	return false
}

// wanted returns the text that an attribute must equal for a filter to match; false if the filter does not say. It narrows what is read
// from the database; the filter itself decides.
func wanted(e expr, name string) (string, bool) {
	switch e := e.(type) {
	case logical:
		if e.or {
			return "", false
		}
		if text, ok := wanted(e.left, name); ok {
			return text, true
		}
		return wanted(e.right, name)
	case comparison:
		text, ok := e.value.(string)
		return text, ok && e.kept && e.op == "eq" && e.path.top.Name == name && (e.path.sub == nil || e.path.sub.Name == "value")
	case valuePath:
		if inner, ok := wanted(e.filter, "value"); ok && e.path.top.Name == name {
			return inner, true
		}
	}
	return "", false
}
