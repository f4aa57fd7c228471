package scim

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// maxOperations bounds the operations of a PATCH; a directory sends some dozens.
const maxOperations = 1000

// operation is one operation of a PATCH (RFC 7644 §3.5.2).
type operation struct {
	op, path string
	value    any
}

// operations reads the body of a PATCH. Entra ID writes the names of operations with a capital letter.
func operations(body object) ([]operation, error) {
	if err := requireSchema(body, patchURN); err != nil {
		return nil, err
	}
	list, ok := member(body, "Operations").([]any)
	switch {
	case !ok || len(list) == 0:
		return nil, bad(invalidSyntax, "The member Operations is not a list of operations.")
	case len(list) > maxOperations:
		return nil, refusal(http.StatusRequestEntityTooLarge, "There are more than %d operations: send them in several requests.", maxOperations)
	}
	all := make([]operation, 0, len(list))
	for _, element := range list {
		o, ok := element.(object)
		if !ok {
			return nil, bad(invalidSyntax, "An operation is not an object.")
		}
		name, _ := member(o, "op").(string)
		where, isText := member(o, "path").(string)
		if given := member(o, "path"); given != nil && (!isText || where == "") {
			return nil, bad(invalidPath, "The path of an operation is not a text, or is empty.")
		}
		op := operation{op: strings.ToLower(name), path: where, value: member(o, "value")}
		switch {
		case !slices.Contains([]string{"add", "remove", "replace"}, op.op):
			return nil, bad(invalidSyntax, "%s is not an operation: use add, remove or replace.", quoted(name))
		case op.op == "remove" && op.path == "":
			return nil, bad(noTarget, "An operation remove has no path.")
		case op.op == "add" && op.value == nil:
			return nil, bad(invalidValue, "An operation add has no value.")
		}
		all = append(all, op)
	}
	return all, nil
}

// patch applies operations to a resource, in their order, and returns what it is then. What the resource was stays as it is.
func (s *schema) patch(o object, all []operation) (object, error) {
	o = clone(o).(object)
	for _, op := range all {
		if err := s.apply(o, op); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// clone copies a value with all that is in it.
func clone(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for name, inner := range v {
			out[name] = clone(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = clone(v[i])
		}
		return out
	}
	return v
}

func (s *schema) apply(o object, op operation) error {
	if op.path == "" {
		return s.applyAll(o, op)
	}
	t, err := s.target(op.path)
	if errors.As(err, new(ignoredPath)) {
		return nil
	}
	if err != nil {
		return err
	}
	if t.last().Mutability == readOnly || t.sub != nil && t.sub.Mutability == immutable {
		return bad(mutability, "%s can't be changed.", t.last().Name)
	}
	return t.apply(o, op)
}

// applyAll applies an operation without a path: its value has attributes, or paths, which Entra ID sends. What can't be changed is left
// out, since clients send what they have read.
func (s *schema) applyAll(o object, op operation) error {
	value, ok := op.value.(object)
	if !ok {
		return bad(invalidValue, "The value of an operation without a path is not an object.")
	}
	for _, name := range slices.Sorted(maps.Keys(value)) {
		t, err := s.target(name)
		switch {
		case errors.As(err, new(ignoredPath)):
		case err != nil:
			return err
		case t.last().Mutability != readOnly && (t.sub == nil || t.sub.Mutability != immutable):
			if err := t.apply(o, operation{op: op.op, value: value[name]}); err != nil {
				return err
			}
		}
	}
	return nil
}

// target is what a path of PATCH leads to: an attribute, some elements of one, or a sub-attribute of these.
type target struct {
	path
	filter expr
}

// target reads a path (RFC 7644 §3.5.2, figure 7).
func (s *schema) target(text string) (t target, err error) {
	open := strings.IndexByte(text, '[')
	if open < 0 {
		t.path, err = s.resolve(text)
		return t, pathError(err)
	}
	p := &filterParser{rest: text[open+1:], schema: s}
	t.path, err = s.resolve(text[:open])
	ignored := errors.As(err, new(ignoredPath))
	if err != nil && !ignored {
		return t, pathError(err)
	}
	if p.within = []*attribute{}; !ignored {
		if p.within = t.top.SubAttributes; !t.top.MultiValued || len(p.within) == 0 || t.sub != nil || len(text) > maxFilter {
			return t, bad(invalidPath, "%s has no elements to select.", quoted(text[:open]))
		}
	}
	if t.filter, err = p.either(); err != nil {
		return t, bad(invalidFilter, "The filter of the path can't be read: %s.", err)
	}
	rest, closed := strings.CutPrefix(p.skip(), "]")
	if !closed {
		return t, bad(invalidPath, "A bracket of the path is not closed.")
	}
	if ignored {
		return t, ignoredPath{}
	}
	if sub, ok := strings.CutPrefix(rest, "."); ok {
		if slices.Contains(s.ignored, strings.ToLower(t.top.Name+"."+sub)) {
			return t, ignoredPath{}
		}
		t.sub = find(t.top.SubAttributes, sub)
		rest = ""
		if t.sub == nil {
			return t, bad(invalidPath, "There is no attribute %s.", quoted(t.top.Name+"."+sub))
		}
	}
	if rest != "" {
		return t, bad(invalidPath, "There is %s after the path.", quoted(rest))
	}
	return t, nil
}

func pathError(err error) error {
	if unknown := (unknownPath{}); errors.As(err, &unknown) {
		return bad(invalidPath, "There is no attribute %s.", quoted(unknown.text))
	}
	return err
}

func (t target) apply(o object, op operation) error {
	switch {
	case t.outer != nil:
		inner, _ := o[t.outer.Name].(object)
		if inner == nil {
			inner = object{}
		}
		err := (target{path: path{top: t.top, sub: t.sub}, filter: t.filter}).apply(inner, op)
		set(o, t.outer.Name, inner, len(inner) == 0)
		return err
	case t.top.extension && op.op != "remove":
		return t.applyToExtension(o, op)
	case t.filter != nil:
		return t.applyToElements(o, op)
	case t.sub != nil && t.top.MultiValued:
		return t.applyToAll(o, op)
	case t.sub != nil:
		inner, _ := o[t.top.Name].(object)
		if inner == nil {
			inner = object{}
		}
		if err := (target{path: path{top: t.sub}}).apply(inner, op); err != nil {
			return err
		}
		set(o, t.top.Name, inner, len(inner) == 0)
		return nil
	}
	if op.op == "remove" {
		return t.remove(o, op.value)
	}
	value, err := coerceValue(t.top, op.value)
	if err != nil {
		return err
	}
	if op.op == "add" {
		value = added(t.top, o[t.top.Name], value)
	}
	set(o, t.top.Name, value, value == nil)
	return nil
}

// applyToExtension applies add or replace to each attribute of an extension that the value has: what it leaves out stays, as of the resource.
func (t target) applyToExtension(o object, op operation) error {
	value, ok := op.value.(object)
	if !ok {
		return bad(invalidValue, "The value of %s is not an object.", t.top.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(value)) {
		if a := find(t.top.SubAttributes, name); a != nil {
			if err := (target{path: path{outer: t.top, top: a}}).apply(o, operation{op: op.op, value: value[name]}); err != nil {
				return err
			}
		}
	}
	return nil
}

// set puts a value into an object, or takes it out.
func set(o object, name string, value any, none bool) {
	if none {
		delete(o, name)
		return
	}
	o[name] = value
}

// remove removes an attribute. With a value, which Entra ID and Okta send for members, it removes these elements.
func (t target) remove(o object, value any) error {
	if t.top.Required || t.top.Type == typeBoolean && t.top.Name == "active" { // RFC 7644 §3.5.2.2
		return bad(mutability, "%s can't be removed.", t.top.Name)
	}
	if value == nil || !t.top.MultiValued {
		delete(o, t.top.Name)
		return nil
	}
	coerced, err := coerceValue(t.top, value)
	if err != nil {
		return err
	}
	gone := map[string]bool{}
	for _, element := range elements(coerced) {
		gone[t.top.key(element)] = true
	}
	kept := slices.DeleteFunc(elements(o[t.top.Name]), func(element any) bool { return gone[t.top.key(element)] || gone[valueOf(element)] })
	set(o, t.top.Name, kept, len(kept) == 0)
	return nil
}

// applyToAll applies an operation to a sub-attribute of every element.
func (t target) applyToAll(o object, op operation) error {
	list := elements(o[t.top.Name])
	if len(list) == 0 && op.op != "remove" {
		list = []any{object{}}
	}
	return t.applyTo(o, list, slices.Clone(list), op)
}

// applyToElements applies an operation to the elements that the filter selects. Where none is, add makes one as the filter wants it, as
// Entra ID expects of emails[type eq "work"].value.
func (t target) applyToElements(o object, op operation) error {
	list := elements(o[t.top.Name])
	var selected []any
	for _, element := range list {
		if inner, ok := element.(object); ok && t.filter.matches(inner) {
			selected = append(selected, element)
		}
	}
	if len(selected) == 0 {
		if op.op == "remove" && t.top.SubAttributes[0].Mutability == immutable { // who shall not be a member is none
			return nil
		}
		made := object{}
		if op.op != "add" || !describes(t.filter, made) {
			return bad(noTarget, "Nothing matches the filter of the path.")
		}
		list, selected = append(list, made), []any{made}
	}
	return t.applyTo(o, list, selected, op)
}

// applyTo applies an operation to the selected elements of a list, and puts the list into the resource.
func (t target) applyTo(o object, list, selected []any, op operation) error {
	for _, element := range selected {
		inner, ok := element.(object)
		switch {
		case !ok:
		case t.sub != nil:
			if err := (target{path: path{top: t.sub}}).apply(inner, op); err != nil {
				return err
			}
		case op.op == "remove":
			clear(inner)
		default:
			value, err := coerceOne(t.top, op.value)
			if err != nil {
				return err
			}
			given, _ := value.(object)
			if op.op == "replace" {
				clear(inner)
			}
			maps.Copy(inner, given)
		}
		if ok && inner["primary"] == true {
			unmark(list)
			inner["primary"] = true
		}
	}
	list = slices.DeleteFunc(list, t.top.blank)
	set(o, t.top.Name, list, len(list) == 0)
	return nil
}

// describes puts into an element what a filter says that it is, and reports whether the filter says only that.
func describes(e expr, o object) bool {
	switch e := e.(type) {
	case logical:
		return !e.or && describes(e.left, o) && describes(e.right, o)
	case comparison:
		if e.op != "eq" || e.value == nil {
			return false
		}
		if e.kept {
			o[e.path.top.Name] = e.value
		}
		return true
	}
	return false
}
