package drf

import (
	"net/http"

	"latchkey/server/internal/pyjson"
)

// View is a view that takes POST.
type View struct {
	// Name and Description are what OPTIONS tells.
	Name, Description string
	// Fields are the serializer's.
	Fields []Field
	// Post answers a valid request. The error is an *[Exception], or anything else for who renders it.
	Post func(r *http.Request, values Values) (*pyjson.Dict, error)
	// Bodies reads the request bodies.
	Bodies *Bodies
}

// Handle answers a request, or gives the error that is to be rendered.
func (v *View) Handle(w http.ResponseWriter, r *http.Request) error {
	indent, err := negotiate(r)
	if err != nil {
		return err
	}
	switch method := upper(r.Method); method {
	case http.MethodOptions:
		write(w, http.StatusOK, v.metadata(), indent)
		return nil
	case http.MethodPost:
	default:
		return &Exception{
			Status: http.StatusMethodNotAllowed,
			Body:   detail(`Method "` + method + `" not allowed.`),
		}
	}
	data, release, err := v.Bodies.read(r)
	defer release()
	if err != nil {
		return err
	}
	values, err := validate(v.Fields, data)
	if err != nil {
		return err
	}
	answer, err := v.Post(r, values)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, answer, indent)
	return nil
}

// upper is what WSGI makes of a method.
func upper(method string) string {
	b := []byte(method)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// metadata is SimpleMetadata.
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

// dict makes a Dict of keys and values by turns.
func dict(pairs ...pyjson.Value) *pyjson.Dict {
	d := &pyjson.Dict{}
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i].(string), pairs[i+1])
	}
	return d
}
