package drf

import (
	"fmt"
	"net/http"
	"strings"

	"latchkey/server/internal/pyjson"
)

// Field is one field of a serializer, of text.
type Field struct {
	Name, Label string
	// ReadOnly fields are not read; the metadata show them.
	ReadOnly bool
	// Default replaces a field that a request does not have at all; when it is empty the field is required.
	Default string
}

// Values are the fields of a valid request, in the order of the serializer's fields that are read.
type Values []string

// file is the value of a field that was uploaded as a file.
type file struct{}

// validate is Serializer.is_valid: all fields are judged, and every fault is reported at once.
func validate(fields []Field, data pyjson.Value) (Values, error) {
	dict, ok := data.(*pyjson.Dict)
	switch {
	case data == nil:
		return nil, Invalid("No data provided", nil)
	case !ok:
		return nil, Invalid("Invalid data. Expected a dictionary, but got "+pyjson.TypeName(data)+".", nil)
	}
	values := make(Values, 0, len(fields))
	var errors *pyjson.Dict
	for _, f := range fields {
		if f.ReadOnly {
			continue
		}
		value, faults := clean(dict, f)
		if faults != nil {
			if errors == nil {
				errors = &pyjson.Dict{}
			}
			errors.Set(f.Name, faults)
		}
		values = append(values, value)
	}
	if errors != nil {
		return nil, &Exception{Status: http.StatusBadRequest, Body: errors}
	}
	return values, nil
}

// clean is CharField.run_validation, with white space trimmed.
func clean(dict *pyjson.Dict, f Field) (value string, faults pyjson.List) {
	v, ok := dict.Get(f.Name)
	switch {
	case !ok && f.Default != "":
		return f.Default, nil
	case !ok:
		return "", pyjson.List{"This field is required."}
	}
	switch v := v.(type) {
	case nil:
		return "", pyjson.List{"This field may not be null."}
	case string:
		value = pyjson.Strip(v)
	case pyjson.Int: // numbers are taken as text by Python's str
		value = string(v)
	case pyjson.Float:
		value = v.Repr()
	default:
		return "", pyjson.List{"Not a valid string."}
	}
	if value == "" {
		return "", pyjson.List{"This field may not be blank."}
	}
	if strings.Contains(value, "\x00") {
		faults = append(faults, "Null characters are not allowed.")
	}
	if c, ok := surrogate(value); ok {
		faults = append(faults, fmt.Sprintf("Surrogate characters are not allowed: U+%X.", c))
	}
	return value, faults
}

// surrogate finds the first surrogate of a text, which has the form of UTF-8 but is none.
func surrogate(s string) (rune, bool) {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == 0xed && s[i+1] >= 0xa0 {
			return 0xd000 | rune(s[i+1]&0x3f)<<6 | rune(s[i+2]&0x3f), true
		}
	}
	return 0, false
}
