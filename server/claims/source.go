package claims

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"latchkey/storage"
)

// person is a user whose attributes are decoded when a claim needs them.
type person struct {
	*storage.User
	attributes map[string]any
	decoded    bool
}

// attribute returns the value at a path; nil when there is none.
func (p *person) attribute(path []string) any {
	if !p.decoded {
		p.decoded = true
		d := json.NewDecoder(bytes.NewReader(p.Attributes))
		d.UseNumber() // a number that float64 can't hold stays as the operator wrote it
		_ = d.Decode(&p.attributes)
	}
	var value any = p.attributes
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}

// source is where the value of a claim comes from: a field of the user, or a path in the attributes.
type source struct {
	field func(*person) any
	path  []string
}

func (s source) of(p *person) any {
	if s.field != nil {
		return s.field(p)
	}
	return p.attribute(s.path)
}

// fields are the sources besides attributes. A nil value means that the user has none.
var fields = map[string]func(*person) any{
	"id":       func(p *person) any { return p.ID },
	"subject":  func(p *person) any { return p.Sub() },
	"username": func(p *person) any { return p.Username },
	"email":    func(p *person) any { return orNone(p.Email) },
	"email_verified": func(p *person) any {
		if p.Email == "" {
			return nil
		}
		return p.EmailVerified
	},
	"name":        func(p *person) any { return cmp.Or(p.Name, p.Username) },
	"given_name":  func(p *person) any { return orNone(p.GivenName) },
	"family_name": func(p *person) any { return orNone(p.FamilyName) },
	"picture":     func(p *person) any { return orNone(p.Picture) },
	"locale":      func(p *person) any { return orNone(p.Locale) },
	"zoneinfo":    func(p *person) any { return orNone(p.ZoneInfo) },
	"staff":       func(p *person) any { return p.Staff },
	"updated_at": func(p *person) any {
		if p.UpdatedAt.IsZero() {
			return p.CreatedAt.Unix()
		}
		return p.UpdatedAt.Unix()
	},
	// Applications that require groups distinguish "none" from "not released": an empty list is released.
	"groups": func(p *person) any {
		if p.Groups == nil {
			return []string{}
		}
		return p.Groups
	},
}

// orNone returns nil for an empty text: OpenID Connect Core §5.3.2 leaves out claims without a value.
func orNone(text string) any {
	if text == "" {
		return nil
	}
	return text
}

const attributesPrefix = "attributes."

// Sources returns what the operator's claims map can name.
func Sources() []string {
	return append(slices.Sorted(maps.Keys(fields)), attributesPrefix+"NAME")
}

// parseSource reads a source: the name of a field, or attributes. and names with dots between.
func parseSource(text string) (s source, ok bool) {
	if field, ok := fields[text]; ok {
		return source{field: field}, true
	}
	path, ok := strings.CutPrefix(text, attributesPrefix)
	s.path = strings.Split(path, ".")
	return s, ok && !slices.Contains(s.path, "")
}

// shaped returns the value of a claim, or nil for one that a standard claim can't have: OpenID Connect Core §5.1 says of each whether it
// is text, a truth value, a number or an object, and clients that check it would refuse the token.
func shaped(name string, value any) any {
	text, isText := value.(string)
	if isText && text == "" {
		return nil
	}
	switch name {
	case "email_verified", "phone_number_verified":
		if _, ok := value.(bool); !ok {
			return nil
		}
	case "updated_at":
		switch value.(type) {
		case int64, json.Number:
		default:
			return nil
		}
	case "address": // §5.1.1
		if isText {
			return map[string]any{"formatted": text}
		}
		if _, ok := value.(map[string]any); !ok {
			return nil
		}
	case "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
		"email", "gender", "birthdate", "zoneinfo", "locale", "phone_number":
		if !isText {
			return nil
		}
	}
	return value
}
