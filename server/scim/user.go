package scim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"latchkey/server/users"
	"latchkey/storage"
)

// maxExternalID bounds what a client may call something.
const maxExternalID = 1024

// put sets an attribute that is a text, unless it is empty.
func put(o object, name, text string) {
	if text != "" {
		o[name] = text
	}
}

// stamp returns a time in the form of RFC 7643 §2.3.5.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// version returns the entity tag of a resource: the same for the same content on every replica. It is weak, since attributes may be left out.
func version(o object) string {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err) // texts, booleans, lists and objects
	}
	sum := sha256.Sum256(raw)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// finish completes a resource with the attributes that all have. references have URIs, which depend on where the request came from and are no
// part of the version.
func finish(o object, s *schema, base, id, externalID string, created, changed time.Time, references func()) object {
	o["schemas"], o["id"] = []any{s.id}, id
	if s.extension != nil && o[s.extension.Name] != nil {
		o["schemas"] = []any{s.id, s.extension.Name}
	}
	put(o, "externalId", externalID)
	meta := object{"resourceType": s.name, "created": stamp(created), "lastModified": stamp(changed)}
	meta["version"] = version(o)
	meta["location"] = base + s.endpoint + "/" + id
	o["meta"] = meta
	references()
	return o
}

// showUser returns the resource of a user (RFC 7643 §4.1) with what is kept beside. groups are the IDs of the groups by their names.
func showUser(base string, u *storage.User, p *storage.ProvisionedUser, groups map[string]storage.ID) (object, error) {
	o := object{"userName": u.Username, "active": u.Active}
	put(o, "displayName", u.Name)
	name := object{}
	put(name, "formatted", u.Name)
	put(name, "familyName", u.FamilyName)
	put(name, "givenName", u.GivenName)
	if len(name) > 0 {
		o["name"] = name
	}
	put(o, "locale", u.Locale)
	put(o, "timezone", u.ZoneInfo)
	if u.Email != "" {
		o["emails"] = []any{object{"value": u.Email, "type": "work", "primary": true}}
	}
	var list []any
	for _, g := range u.Groups {
		if id, ok := groups[g]; ok {
			list = append(list, object{"value": id.String(), "display": g, "type": "direct"})
		}
	}
	if list != nil {
		o["groups"] = list
	}
	if err := showKept(o, p); err != nil {
		return nil, err
	}
	changed := u.UpdatedAt
	if changed.IsZero() {
		changed = u.CreatedAt
	}
	return finish(o, userSchema, base, strconv.FormatInt(u.ID, 10), p.ExternalID, u.CreatedAt, changed, func() {
		enterprise, _ := o[enterpriseURN].(object)
		manager, _ := enterprise["manager"].(object)
		if id := textOf(manager, "value"); isUserID(id) {
			manager["$ref"] = base + userSchema.endpoint + "/" + id
		}
		for _, g := range list {
			g := g.(object)
			g["$ref"] = base + groupSchema.endpoint + "/" + g["value"].(string)
		}
	}), nil
}

// userChange is what a request makes of a user.
type userChange struct {
	storage.ProvisionedChange
	password *storage.Secret
}

// textOf returns an attribute that is a text; empty if it is not there.
func textOf(o object, name string) string {
	text, _ := o[name].(string)
	return text
}

// chosen returns the value of an attribute of which one is kept: the primary one, else the first.
func chosen(o object, name string) (value string) {
	for i, element := range elements(o[name]) {
		e, ok := element.(object)
		if ok && (i == 0 || e["primary"] == true) {
			value = textOf(e, "value")
		}
	}
	return value
}

// pictureOf returns the URL of a user's picture after a change of the photos: the primary one, else the first. Another picture than the one that the
// photos gave stays, as an operator or the user may have chosen it, until the photos change.
func pictureOf(have string, was, o object) string {
	before, after := chosen(was, "photos"), chosen(o, "photos")
	if after == before || after == "" && have != before {
		return have
	}
	return after
}

// fullName returns the name of a resource, which has it twice: what was changed of them counts.
func fullName(was, o object) string {
	inner := func(o object) string {
		name, _ := o["name"].(object)
		return textOf(name, "formatted")
	}
	shown, formatted, before := textOf(o, "displayName"), inner(o), textOf(was, "displayName")
	switch {
	case shown != before:
		if shown == "" && formatted != before {
			return formatted
		}
		return shown
	case formatted != before:
		return formatted
	}
	return before
}

// changeOf returns what changes if a user becomes a resource. Of what the resource does not say, active, the password and the external ID
// stay as they are: clients that replace users leave them out.
func changeOf(u *storage.User, was, o object) (c userChange, err error) {
	if textOf(o, "userName") == "" {
		return c, bad(invalidValue, "The userName is missing or empty.")
	}
	name, _ := o["name"].(object)
	for _, f := range []struct {
		to   **string
		have string
		want string
	}{
		{&c.Username, u.Username, textOf(o, "userName")},
		{&c.Email, u.Email, chosen(o, "emails")},
		{&c.Name, u.Name, fullName(was, o)},
		{&c.GivenName, u.GivenName, textOf(name, "givenName")},
		{&c.FamilyName, u.FamilyName, textOf(name, "familyName")},
		{&c.Picture, u.Picture, pictureOf(u.Picture, was, o)},
		{&c.Locale, u.Locale, textOf(o, "locale")},
		{&c.ZoneInfo, u.ZoneInfo, textOf(o, "timezone")},
	} {
		if f.have != f.want {
			*f.to = &f.want
		}
	}
	if active, ok := o["active"].(bool); ok && active != u.Active {
		c.Active = &active
	}
	if text := textOf(o, "password"); text != "" {
		c.password = new(storage.Secret(text))
	}
	if text := textOf(o, "externalId"); text != textOf(was, "externalId") {
		c.ExternalID = &text
	}
	if c.Attributes, err = keptChange(was, o); err != nil {
		return c, err
	}
	return c, checkExternalID(o)
}

func checkExternalID(o object) error {
	if len(textOf(o, "externalId")) > maxExternalID {
		return bad(invalidValue, "The externalId is longer than %d bytes.", maxExternalID)
	}
	return nil
}

// newUser returns the user that a resource describes, and what is kept beside.
func newUser(o object) (n users.NewUser, p storage.ProvisionedUser, err error) {
	c, err := changeOf(&storage.User{}, object{}, o)
	if err != nil {
		return n, p, err
	}
	p.ExternalID = textOf(o, "externalId")
	if c.Attributes != nil {
		p.Attributes = *c.Attributes
	}
	value := func(text *string) string {
		if text == nil {
			return ""
		}
		return *text
	}
	active, given := o["active"].(bool)
	return users.NewUser{
		Username: value(c.Username), Email: value(c.Email), Password: c.password, Active: active || !given,
		Profile: storage.UserProfile{
			Name: value(c.Name), GivenName: value(c.GivenName), FamilyName: value(c.FamilyName), Picture: value(c.Picture),
			Locale: value(c.Locale), ZoneInfo: value(c.ZoneInfo),
		},
	}, p, nil
}

// isUserID reports whether a text has the form of the id of a user.
func isUserID(text string) bool {
	_, err := userID(text)
	return err == nil
}

// userID reads the id of a user; an error for what is none.
func userID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != text {
		return 0, fmt.Errorf("read the id of a user: %w", storage.ErrNotFound)
	}
	return id, nil
}
