package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	"latchkey/storage"
)

// maxKept bounds the document of what is kept beside a user, in bytes of JSON.
const maxKept = 16 << 10

// keptOf returns what of a resource, or of what it has of an attribute, is kept in the document beside the user. all says that everything is that
// clients may set.
func keptOf(attributes []*attribute, o object, all bool) object {
	out := object{}
	for name, v := range o {
		a := find(attributes, name)
		if a == nil || a.Mutability == readOnly {
			continue
		}
		inner, nested := v.(object)
		switch {
		case nested:
			if part := keptOf(a.SubAttributes, inner, all || a.kept); len(part) > 0 {
				out[name] = part
			}
		case all || a.kept:
			out[name] = v
		}
	}
	return out
}

// keptChange returns the document that a change leads to; nil if it is as it was.
func keptChange(was, o object) (*json.RawMessage, error) {
	before, after := keptOf(userSchema.all(), was, false), keptOf(userSchema.all(), o, false)
	if reflect.DeepEqual(before, after) {
		return nil, nil
	}
	raw := json.RawMessage{}
	if len(after) > 0 {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(after); err != nil {
			return nil, fmt.Errorf("encode attributes: %w", err)
		}
		raw = bytes.TrimSpace(b.Bytes())
	}
	if len(raw) > maxKept {
		return nil, bad(invalidValue, "The attributes that are kept beside the user are longer than %d bytes of JSON together.", maxKept)
	}
	return &raw, nil
}

// showKept puts the document beside a user into the resource. What this release does not know of it stays where it is.
func showKept(o object, p *storage.ProvisionedUser) error {
	if len(p.Attributes) == 0 {
		return nil
	}
	var document object
	if err := json.Unmarshal(p.Attributes, &document); err != nil {
		return fmt.Errorf("read the attributes of user %d: %w", p.UserID, err)
	}
	for name, v := range keptOf(userSchema.all(), document, false) {
		have, both := o[name].(object)
		if inner, nested := v.(object); nested && both {
			maps.Copy(have, inner)
			continue
		}
		o[name] = v
	}
	return nil
}
