package scim

import (
	"errors"
	"slices"
	"strings"

	"latchkey/storage"
)

// projection is which attributes a client wants (RFC 7644 §3.9).
type projection struct {
	schema *schema
	// only are those it wants, besides those that are always there; nil = all.
	only []path
	// not are those it does not want.
	not []path
}

// projection reads attributes and excludedAttributes.
func (q *query) projection(s *schema) (p projection, err error) {
	only, not := q.params.Get("attributes"), q.params.Get("excludedAttributes")
	if only != "" && not != "" {
		return p, bad(invalidValue, "attributes and excludedAttributes are both there.")
	}
	p = projection{schema: s, not: paths(s, not)}
	if only != "" {
		p.only = append([]path{}, paths(s, only)...)
	}
	return p, nil
}

// paths reads a list of names. Names that mean nothing here select nothing.
func paths(s *schema, list string) (all []path) {
	for name := range strings.SplitSeq(list, ",") {
		if where, err := s.resolve(strings.TrimSpace(name)); err == nil {
			all = append(all, where)
		}
	}
	return all
}

// of returns the part of a resource that the client wants.
func (p projection) of(o object) object {
	out := object{}
	for name, v := range o {
		a := p.schema.attribute(name)
		switch {
		case a.Returned == always:
			out[name] = v
		case p.only == nil && p.not == nil:
			out[name] = v
		case p.only != nil:
			if part := pick(a, v, p.only, true); part != nil {
				out[name] = part
			}
		default:
			if part := pick(a, v, p.not, false); part != nil {
				out[name] = part
			}
		}
	}
	return out
}

// pick returns the part of a value that the paths name (keep), or that they don't.
func pick(a *attribute, v any, all []path, keep bool) any {
	if a.extension && !slices.Contains(all, path{top: a}) {
		return pickOfExtension(a, v.(object), all, keep)
	}
	subs := map[string]bool{}
	for _, where := range all {
		switch {
		case where.top != a:
		case where.sub == nil && keep:
			return v
		case where.sub == nil:
			return nil
		default:
			subs[where.sub.Name] = true
		}
	}
	if len(subs) == 0 {
		if keep {
			return nil
		}
		return v
	}
	part := func(element any) object {
		out := object{}
		for name, inner := range element.(object) {
			if subs[name] == keep {
				out[name] = inner
			}
		}
		return out
	}
	list, many := v.([]any)
	if !many {
		return part(v)
	}
	parts := make([]any, 0, len(list))
	for _, element := range list {
		parts = append(parts, part(element))
	}
	return parts
}

// pickOfExtension is pick for each attribute of an extension.
func pickOfExtension(a *attribute, o object, all []path, keep bool) any {
	out := object{}
	for name, v := range o {
		if part := pick(find(a.SubAttributes, name), v, all, keep); part != nil {
			out[name] = part
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// shows reports whether an attribute is in what the client wants.
func (p projection) shows(name string) bool {
	a := p.schema.attribute(name)
	if p.only == nil {
		return !slices.Contains(p.not, path{top: a})
	}
	return slices.ContainsFunc(p.only, func(where path) bool { return where.top == a })
}

// mentions reports whether a filter is about an attribute.
func mentions(e expr, name string) bool {
	switch e := e.(type) {
	case logical:
		return mentions(e.left, name) || mentions(e.right, name)
	case negation:
		return mentions(e.of, name)
	case valuePath:
		return e.path.top.Name == name
	case comparison:
		return e.kept && (e.path.top.Name == name || e.path.top.Name == "meta")
	}
	return false
}

func isNotFound(err error) bool { return errors.Is(err, storage.ErrNotFound) }
