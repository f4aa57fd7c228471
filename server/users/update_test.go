package users

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/server/users/input"
	"latchkey/storage"
)

func ptr[T any](v T) *T { return &v }

func TestUpdate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.add("alice"), b.add("bob")
	b.advance(time.Minute)
	update := func(c storage.UserChange) *storage.User {
		t.Helper()
		u, err := b.Update(t.Context(), alice.ID, c)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := b.store.User(t.Context(), alice.ID)
		if err != nil || stored.AuthEpoch != alice.AuthEpoch {
			t.Errorf("epoch %d, was %d: %v", stored.AuthEpoch, alice.AuthEpoch, err)
		}
		if got, want := describe(t, stored), describe(t, u); got != want {
			t.Errorf("stored %s, returned %s", got, want)
		}
		return u
	}
	u := update(storage.UserChange{
		Username: ptr("\ufb01ona"), Email: ptr("f@example.org"), EmailVerified: ptr(true), Staff: ptr(true), Name: ptr("Fiona"), Locale: ptr("pt_BR"),
		Groups: &[]string{"a b", "c", "a b"}, Attributes: ptr(json.RawMessage(` {"b":1, "a":"<&>", "n":12345678901234567890} `)),
	})
	if u.Username != "fiona" || strings.Join(u.Groups, "|") != "a b|c" || string(u.Attributes) != `{"a":"<&>","b":1,"n":12345678901234567890}` || !u.UpdatedAt.Equal(b.now()) {
		t.Errorf("%s", describe(t, u))
	}
	if err := b.try(home, "fiona", right); err != nil {
		t.Errorf("login with the new name: %v", err)
	}
	if u = update(storage.UserChange{Email: ptr("f@example.org"), Name: ptr("F")}); !u.EmailVerified {
		t.Error("the same address is not verified any more")
	}
	if u = update(storage.UserChange{Email: ptr("other@example.org")}); u.EmailVerified {
		t.Error("another address is verified")
	}
	if u = update(storage.UserChange{Email: ptr(""), EmailVerified: ptr(true)}); u.EmailVerified {
		t.Error("no address is verified")
	}
	update(storage.UserChange{Groups: &[]string{}, Attributes: ptr(json.RawMessage(`{}`))})
	before := len(b.events("user_updated"))
	update(storage.UserChange{Username: ptr("fiona"), Groups: &[]string{}})
	events := b.events("user_updated")
	slices.SortFunc(events, func(x, y *storage.AuditEvent) int { return len(y.Details) - len(x.Details) }) // they have one time
	if len(events) != before {
		t.Error("an update that changes nothing is an event")
	}
	if e := events[0]; e.UserID != alice.ID || e.Actor != "operator" || strings.Contains(string(e.Details), "Fiona") ||
		!strings.Contains(string(e.Details), `"username","email","email_verified","staff","name","locale","groups","attributes"`) {
		t.Errorf("event %+v %s", e, e.Details)
	}
	if _, err := b.Update(t.Context(), bob.ID, storage.UserChange{Username: ptr("fiona")}); !errors.Is(err, storage.ErrExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	if _, err := b.Update(t.Context(), 99, storage.UserChange{}); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func describe(t *testing.T, u *storage.User) string {
	t.Helper()
	text, err := json.Marshal(Describe(u))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What goes into tokens and onto pages is refused with a reason before it is stored, at add and at update alike.
func TestUpdateRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.add("alice")
	attributes := func(text string) storage.UserChange {
		return storage.UserChange{Attributes: ptr(json.RawMessage(text))}
	}
	groups := func(list ...string) storage.UserChange { return storage.UserChange{Groups: &list} }
	many := make([]string, 501)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for _, c := range []struct {
		field string
		storage.UserChange
	}{
		{"username", storage.UserChange{Username: ptr("")}},
		{"username", storage.UserChange{Username: ptr("a\x00")}},
		{"email", storage.UserChange{Email: ptr("\xff")}},
		{"email", storage.UserChange{EmailVerified: ptr(true)}},
		{"name", storage.UserChange{Name: ptr(strings.Repeat("ü", 256))}},
		{"name", storage.UserChange{Name: ptr("a\x00")}},
		{"given name", storage.UserChange{GivenName: ptr("\xff")}},
		{"family name", storage.UserChange{FamilyName: ptr("a\nb")}},
		{"family name", storage.UserChange{FamilyName: ptr("a\u202eb")}},
		{"picture", storage.UserChange{Picture: ptr("javascript:alert(1)")}},
		{"picture", storage.UserChange{Picture: ptr("https://user:secret@example.com/a.png")}},
		{"picture", storage.UserChange{Picture: ptr("/a.png")}},
		{"picture", storage.UserChange{Picture: ptr("https://example.com/" + strings.Repeat("a", 2048))}},
		{"picture", storage.UserChange{Picture: ptr("https://example.com/a b\x00")}},
		{"locale", storage.UserChange{Locale: ptr("not a locale")}},
		{"locale", storage.UserChange{Locale: ptr("\xff\x00")}},
		{"zoneinfo", storage.UserChange{ZoneInfo: ptr("../../etc/passwd")}},
		{"zoneinfo", storage.UserChange{ZoneInfo: ptr("Europe/Wien ")}},
		{"groups", groups("")},
		{"group", groups("a\x00")},
		{"group", groups("\xff")},
		{"group", groups(strings.Repeat("g", 256))},
		{"groups", groups(many...)},
		{"groups", groups(many[0]+strings.Repeat("a", 254), many[1]+strings.Repeat("b", 254))},
		{"attributes", attributes(`[]`)},
		{"attributes", attributes(`null`)},
		{"attributes", attributes(`{"a":`)},
		{"attributes", attributes(`{} {}`)},
		{"attributes", attributes("{\"a\":\"\xff\"}")},
		{"attributes", attributes(`{"a":"\u0000"}`)},
		{"attributes", attributes(`{"\u0000":1}`)},
		{"attributes", attributes(`{"a":"\ud800"}`)},
		{"attributes", attributes(`{"":1}`)},
		{"attributes", attributes(`{"a":1e999}`)},
		{"attributes", attributes(`{"a":` + strings.Repeat("1", 41) + `}`)},
		{"attributes", attributes(strings.Repeat(`{"a":`, 9) + "1" + strings.Repeat("}", 9))},
		{"attributes", attributes(strings.Repeat(`{"a":`, 4000) + "1" + strings.Repeat("}", 4000))},
		{"attributes", attributes(`{"a":"` + strings.Repeat("x", 8<<10) + `"}`)},
	} {
		if c.field == "groups" && c.Groups != nil && len(*c.Groups) == 2 { // enough of them to be too long together
			for i := range 40 {
				*c.Groups = append(*c.Groups, fmt.Sprint(i)+strings.Repeat("g", 250))
			}
		}
		_, err := b.Update(t.Context(), alice.ID, c.UserChange)
		var invalid *input.Error
		if !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%+v: %v, want a fault of %s", c.UserChange, err, c.field)
		}
		if c.Groups != nil || c.Attributes != nil {
			n := NewUser{Username: "new"}
			if c.Groups != nil {
				n.Profile.Groups = *c.Groups
			} else {
				n.Profile.Attributes = *c.Attributes
			}
			if _, err := b.Add(t.Context(), n); !errors.As(err, &invalid) || invalid.Field != c.field {
				t.Errorf("add %+v: %v, want a fault of %s", c.UserChange, err, c.field)
			}
		}
	}
	for _, c := range []storage.UserChange{
		{Name: ptr(strings.Repeat("ü", 255))},
		{Locale: ptr("zh-Hant-TW")},
		{Locale: ptr("en_US")},
		{ZoneInfo: ptr("America/Argentina/Buenos_Aires")},
		{ZoneInfo: ptr("Etc/GMT+1")},
		{Picture: ptr("http://intranet/a.png?s=1&d=x")},
		groups("cn=admins,dc=example", "Ärzte"),
		attributes(strings.Repeat(`{"a":`, 7) + `[1,"x"]` + strings.Repeat("}", 7)), attributes(`{"a":1.5e300,"b":null,"c":[]}`),
	} {
		if _, err := b.Update(t.Context(), alice.ID, c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Control characters, line breaks and changes of direction get into no address, whoever sends them: applications put it into headers. What was
// imported with one stays, and can be changed in other ways.
func TestAddressesWithoutControlCharacters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.add("alice")
	for _, odd := range []string{"a\r\nBcc: b", "a\x1b[2Jb", "a\u202eb", "a\tb", "a\u0085b"} {
		var refused *input.Error
		if _, err := b.Add(t.Context(), NewUser{Username: "carol", Email: odd + "@example.com"}); !errors.As(err, &refused) {
			t.Errorf("added with %q: %v", odd, err)
		}
		if _, err := b.Update(t.Context(), alice.ID, storage.UserChange{Email: &odd}); !errors.As(err, &refused) {
			t.Errorf("changed to %q: %v", odd, err)
		}
	}
	imported := &storage.User{Username: "im\tported", Email: "i @example.com", Active: true, CreatedAt: b.now()}
	if err := b.store.CreateUser(t.Context(), imported); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Update(t.Context(), imported.ID, storage.UserChange{Name: ptr("Imported")}); err != nil {
		t.Errorf("what was imported can't be changed: %v", err)
	}
}

// No name is given twice that differs in case only, and the refusal says who has it: at a login with --login-case fold neither would get in.
func TestNamesThatDifferInCaseOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bob, eve := b.add("bob"), b.add("eve")
	variant := func(what string, err error) {
		t.Helper()
		var v *input.CaseVariantError
		if !errors.Is(err, storage.ErrExists) || !errors.As(err, &v) || v.Username != "bob" {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := b.Add(t.Context(), NewUser{Username: "BOB", Active: true})
	variant("add", err)
	_, err = b.Update(t.Context(), eve.ID, storage.UserChange{Username: ptr("Bob")})
	variant("update", err)
	var v *input.CaseVariantError
	if _, err := b.Add(t.Context(), NewUser{Username: "bob"}); !errors.Is(err, storage.ErrExists) || errors.As(err, &v) {
		t.Errorf("the same name: %v", err)
	}
	if u, err := b.Update(t.Context(), bob.ID, storage.UserChange{Username: ptr("robert")}); err != nil || u.Username != "robert" {
		t.Errorf("rename: %v", err)
	}
}
