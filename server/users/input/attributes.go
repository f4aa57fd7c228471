package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"latchkey/server/internal/form"
)

const (
	maxAttributes = 8 << 10 // bytes of JSON
	maxDepth      = 8
	maxMember     = 255 // bytes of the name of a member
)

var tooDeep = fmt.Sprintf("are nested deeper than %d levels", maxDepth)

// cleanAttributes returns the attributes as compact JSON; nil for none. Their order is that of their names.
func cleanAttributes(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	refuse := func(format string, args ...any) (json.RawMessage, error) {
		return nil, &Error{"attributes", fmt.Sprintf(format, args...)}
	}
	if len(raw) > maxAttributes {
		return refuse("are longer than %d bytes", maxAttributes)
	}
	if !utf8.Valid(raw) {
		return refuse("are not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || object == nil {
		return refuse(`are not a JSON object: write them like {"tenant": "acme"}`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse("have text after the JSON object")
	}
	if problem := checkJSON(object, 1); problem != "" {
		return refuse("%s", problem)
	}
	if len(object) == 0 {
		return nil, nil
	}
	text, err := encode(object)
	if err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	return text, nil
}

// encode writes JSON without the escapes for HTML, which would make it longer than what was given.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// checkJSON returns what is wrong with a value of the attributes: what a database or an application could not read again.
func checkJSON(value any, depth int) string {
	switch v := value.(type) {
	case map[string]any:
		if depth > maxDepth {
			return tooDeep
		}
		for name, member := range v {
			if problem := checkMember(name, member, depth); problem != "" {
				return problem
			}
		}
	case []any:
		if depth > maxDepth {
			return tooDeep
		}
		for _, member := range v {
			if problem := checkJSON(member, depth+1); problem != "" {
				return problem
			}
		}
	case string:
		if !form.IsText(v) || strings.ContainsRune(v, utf8.RuneError) {
			return "have a text with a NUL or half a surrogate pair"
		}
	case json.Number:
		if f, err := v.Float64(); err != nil || math.IsInf(f, 0) || len(v) > 40 {
			return fmt.Sprintf("have the number %.40s, which most applications can't read", v)
		}
	}
	return ""
}

func checkMember(name string, member any, depth int) string {
	if name == "" || len(name) > maxMember || strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsRune(name, utf8.RuneError) {
		return fmt.Sprintf("have the name %.60q: use 1 to %d bytes without control characters", name, maxMember)
	}
	return checkJSON(member, depth+1)
}

// SameAttributes compares attributes by what they say: Postgres keeps documents in a form of its own.
func SameAttributes(a, b json.RawMessage) bool {
	x, errX := cleanAttributes(a)
	y, errY := cleanAttributes(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
