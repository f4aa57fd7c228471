package scim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"latchkey/server/internal/form"
)

// readBody returns the JSON object of a request.
func readBody(r *http.Request) (object, error) {
	if given := r.Header.Get("Content-Type"); given != "" {
		kind, _, err := mime.ParseMediaType(given)
		if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || kind != mediaSCIM && kind != mediaJSON {
			return nil, refusal(http.StatusUnsupportedMediaType, "Send the body as %s or %s.", mediaSCIM, mediaJSON)
		}
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	return parseBody(data)
}

// parseBody reads JSON that means the same to everybody who reads it: UTF-8 without NUL, no member twice, whatever its case.
func parseBody(data []byte) (object, error) {
	if !utf8.Valid(data) {
		return nil, bad(invalidSyntax, "The body is not UTF-8.")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	value, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	body, ok := value.(object)
	if _, err := d.Token(); !ok || !errors.Is(err, io.EOF) {
		return nil, bad(invalidSyntax, "The body is not one JSON object.")
	}
	return body, nil
}

// maxDepth is deeper than any body is.
const maxDepth = 16

func notJSON() error { return bad(invalidSyntax, "The body is not JSON.") }

func readValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	switch {
	case err != nil:
		return nil, notJSON()
	case depth > maxDepth:
		return nil, bad(invalidSyntax, "The body is nested deeper than %d levels.", maxDepth)
	}
	switch t := t.(type) {
	case string:
		if !form.IsText(t) || strings.ContainsRune(t, utf8.RuneError) {
			return nil, bad(invalidSyntax, "The body has a text with a NUL or half a surrogate pair.")
		}
	case json.Delim:
		if t == '{' {
			return readObject(d, depth)
		}
		list := []any{}
		for d.More() {
			value, err := readValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		if _, err := d.Token(); err != nil {
			return nil, notJSON()
		}
		return list, nil
	}
	return t, nil
}

func readObject(d *json.Decoder, depth int) (any, error) {
	o, seen := object{}, map[string]bool{}
	for d.More() {
		name, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		key, ok := name.(string)
		if !ok {
			return nil, notJSON()
		}
		// RFC 7643 §2.1: names of attributes are case insensitive, so that these are one attribute twice. Names are found with
		// [strings.EqualFold], for which ſ is an s; it is one in upper case only.
		folded := strings.ToLower(strings.ToUpper(key))
		if seen[folded] {
			return nil, bad(invalidSyntax, "The body has a member twice.")
		}
		seen[folded] = true
		if o[key], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON()
	}
	return o, nil
}

// member returns a member of an object, whatever the case of its name.
func member(o object, name string) any {
	if v, ok := o[name]; ok {
		return v
	}
	for key, v := range o {
		if strings.EqualFold(key, name) {
			return v
		}
	}
	return nil
}

// requireSchema refuses a body that does not name a schema (RFC 7643 §3).
func requireSchema(body object, urn string) error {
	list, _ := member(body, "schemas").([]any)
	if !slices.ContainsFunc(list, func(v any) bool {
		text, ok := v.(string)
		return ok && strings.EqualFold(text, urn)
	}) {
		return bad(invalidSyntax, "The member schemas does not have %s.", urn)
	}
	return nil
}

// coerce returns a resource in the form in which it is kept, of what a client sent: the attributes that the schema has and that clients may
// set, under their own names.
func (s *schema) coerce(body object) (object, error) {
	return coerceObject(s.all(), body)
}

func coerceObject(attributes []*attribute, body object) (object, error) {
	out := object{}
	for name, v := range body {
		a := find(attributes, name)
		if a == nil || a.Mutability == readOnly { // RFC 7644 §3.3: readOnly attributes shall be ignored
			continue
		}
		value, err := coerceValue(a, v)
		if err != nil {
			return nil, err
		}
		if value != nil {
			out[a.Name] = value
		}
	}
	return out, nil
}

// coerceValue returns a value of an attribute; nil if it is none: null and an empty list are the same (RFC 7643 §2.5).
func coerceValue(a *attribute, v any) (any, error) {
	list, ok := v.([]any)
	if !a.MultiValued {
		if len(list) == 1 && a.Type == typeComplex { // as Entra ID writes the manager, unless it is set to follow the RFC
			v = list[0]
		}
		return coerceOne(a, v)
	}
	if !ok && v != nil {
		list = []any{v}
	}
	var out []any
	for _, element := range list {
		value, err := coerceOne(a, element)
		if err != nil {
			return nil, err
		}
		if o, ok := value.(object); ok && o["primary"] == true {
			unmark(out) // RFC 7643 §2.4: true no more than once
		}
		if value != nil {
			out = append(out, value)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func coerceOne(a *attribute, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case object:
		if a.Type == typeComplex {
			o, err := coerceObject(a.SubAttributes, v)
			if len(o) == 0 {
				return nil, err
			}
			return o, err
		}
	case bool:
		if a.Type == typeBoolean {
			return v, nil
		}
	case string:
		switch a.Type {
		case typeBoolean:
			if is, ok := truth(v); ok {
				return is, nil
			}
		case typeComplex:
			if find(a.SubAttributes, "value") != nil {
				return coerceOne(a, object{"value": v})
			}
		case typeBinary:
			if _, err := base64.StdEncoding.DecodeString(v); err == nil {
				return v, nil
			}
		default:
			return v, nil
		}
	}
	return nil, bad(invalidValue, "The value of %s has the wrong type: it is %s.", a.Name, described(a))
}

// described says what the values of an attribute are.
func described(a *attribute) string {
	switch {
	case a.MultiValued:
		return "a list"
	case a.Type == typeComplex:
		return "an object"
	case a.Type == typeBoolean:
		return "true or false"
	case a.Type == typeBinary:
		return "base64"
	}
	return "a text"
}
