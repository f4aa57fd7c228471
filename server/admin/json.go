package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"latchkey/server/internal/form"
)

// strictJSON reads JSON that means the same to everybody who reads it. In a merge patch (RFC 7396) members may be null.
var strictJSON, mergePatch = jsonFormat(false), jsonFormat(true)

func jsonFormat(null bool) huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, v any) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			return e.Encode(v)
		},
		Unmarshal: func(data []byte, v any) error {
			if err := checkJSON(data, null); err != nil {
				return err
			}
			if err := json.Unmarshal(data, v); err != nil {
				return errors.New("the body is not the JSON that is expected here")
			}
			return nil
		},
	}
}

// maxDepth is deeper than any body is.
const maxDepth = 32

// checkJSON refuses what readers of JSON understand in different ways, or a database can't store: octets that are not UTF-8, NUL, half a
// surrogate pair, repeated members.
func checkJSON(data []byte, null bool) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := checkValue(d, 0, null); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body has text after its JSON")
	}
	return nil
}

var errNotJSON = errors.New("the body is not JSON")

func checkValue(d *json.Decoder, depth int, null bool) error {
	t, err := d.Token()
	switch {
	case err != nil:
		return errNotJSON
	case depth > maxDepth:
		return fmt.Errorf("the body is nested deeper than %d levels", maxDepth)
	}
	switch t := t.(type) {
	case nil:
		if depth == 1 && !null {
			return errors.New("a member of the body is null: leave it out")
		}
	case string:
		return checkText(t)
	case json.Delim:
		if t == '{' {
			return checkObject(d, depth, null)
		}
		for d.More() {
			if err := checkValue(d, depth+1, null); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	if err != nil {
		return errNotJSON
	}
	return nil
}

func checkObject(d *json.Decoder, depth int, null bool) error {
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		switch {
		case err != nil || !ok:
			return errNotJSON
		case seen[name]:
			return errors.New("the body has a member twice")
		}
		if err := checkText(name); err != nil {
			return err
		}
		seen[name] = true
		if err := checkValue(d, depth+1, null); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errNotJSON
	}
	return nil
}

func checkText(text string) error {
	if !form.IsText(text) || strings.ContainsRune(text, utf8.RuneError) {
		return errors.New("the body has a text with a NUL or half a surrogate pair")
	}
	return nil
}
