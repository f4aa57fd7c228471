// Package strictjson refuses JSON that its readers understand in different ways.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth is deeper than any body is.
const maxDepth = 32

var errNotJSON = errors.New("the body is not JSON")

// Check refuses what readers of JSON understand in different ways: octets that are not UTF-8, half a surrogate pair, repeated members, text after
// the value (RFC 8259 §4 and §8, RFC 7493 §2). Its errors are for the sender.
func Check(data []byte) error { return check(data, false) }

// CheckStored is Check for texts that are stored as they are: it refuses NUL, which no database takes.
func CheckStored(data []byte) error { return check(data, true) }

type checker struct {
	*json.Decoder
	stored bool
}

func check(data []byte, stored bool) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not UTF-8")
	}
	d := checker{json.NewDecoder(bytes.NewReader(data)), stored}
	d.UseNumber()
	if err := d.value(0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body has text after its JSON")
	}
	return nil
}

func (d checker) value(depth int) error {
	t, err := d.Token()
	switch {
	case err != nil:
		return errNotJSON
	case depth > maxDepth:
		return fmt.Errorf("the body is nested deeper than %d levels", maxDepth)
	}
	switch t := t.(type) {
	case string:
		return d.text(t)
	case json.Delim:
		if t == '{' {
			return d.object(depth)
		}
		for d.More() {
			if err := d.value(depth + 1); err != nil {
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

func (d checker) object(depth int) error {
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
		if err := d.text(name); err != nil {
			return err
		}
		seen[name] = true
		if err := d.value(depth + 1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errNotJSON
	}
	return nil
}

func (d checker) text(text string) error {
	switch {
	case strings.ContainsRune(text, utf8.RuneError):
		return errors.New("the body has a text with half a surrogate pair")
	case d.stored && strings.IndexByte(text, 0) >= 0:
		return errors.New("the body has a text with a NUL")
	}
	return nil
}
