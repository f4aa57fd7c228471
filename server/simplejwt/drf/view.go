package drf

import (
	"net/http"
	"slices"
	"strings"

	"latchkey/server/internal/pyjson"
)

// View is a view that takes POST.
type View struct {
	// Name and Description are in the answer to OPTIONS.
	Name, Description string
	// Fields are the serializer's.
	Fields []Field
	// Post answers a valid request. The error is an *[Exception], or anything else that the caller of Handle renders.
	Post func(r *http.Request, values Values) (*pyjson.Dict, error)
}

// Handle answers a request, or returns the error that is to be rendered by [WriteException]. It reads the whole body: the route
// must cap it.
func (v *View) Handle(w http.ResponseWriter, r *http.Request) error {
	c, err := contentOf(r)
	if err != nil {
		return err
	}
	indent, err := negotiate(r, c)
	if err != nil {
		return err
	}
	answer, err := v.answer(r, c)
	if err != nil {
		return &failure{err, indent}
	}
	write(w, http.StatusOK, answer, indent)
	return nil
}

func (v *View) answer(r *http.Request, c content) (*pyjson.Dict, error) {
	switch method := strings.ToUpper(r.Method); method { // as WSGI servers pass it on
	case http.MethodOptions:
		return v.metadata(), nil
	case http.MethodPost:
	default:
		return nil, Refused(http.StatusMethodNotAllowed, `Method "`+method+`" not allowed.`, nil)
	}
	data, err := read(r, c, v.isField)
	if err != nil {
		return nil, err
	}
	values, err := validate(v.Fields, data)
	if err != nil {
		return nil, err
	}
	return v.Post(r, values)
}

// isField reports whether a field of the view has the name.
func (v *View) isField(name string) bool {
	return slices.ContainsFunc(v.Fields, func(f Field) bool { return f.Name == name })
}

// metadata is the framework's SimpleMetadata.
func (v *View) metadata() *pyjson.Dict {
	fields := &pyjson.Dict{}
	for _, f := range v.Fields {
		fields.Set(f.Name, dict(
			"type", "string", "required", !f.ReadOnly, "read_only", f.ReadOnly, "label", f.Label,
		))
	}
	return dict(
		"name", v.Name,
		"description", v.Description,
		"renders", pyjson.List{"application/json"},
		"parses", pyjson.List{"application/json", "application/x-www-form-urlencoded", "multipart/form-data"},
		"actions", dict("POST", fields),
	)
}

// dict returns a Dict of alternating keys and values.
func dict(pairs ...pyjson.Value) *pyjson.Dict {
	d := &pyjson.Dict{}
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i].(string), pairs[i+1])
	}
	return d
}
