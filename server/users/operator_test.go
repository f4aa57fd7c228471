package users

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/server/users/input"
	"latchkey/storage"
)

func TestAdd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secret := right
	// U+FB01 is the ligature fi; Django's form for new users stores "fifi".
	u, err := b.Add(t.Context(), NewUser{ID: 4711, Username: " \ufb01fi", Email: "f@example.org", Password: &secret, Active: true, Staff: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(Describe(u))
	want := `{"id":4711,"subject":"4711","username":"fifi","email":"f@example.org","email_verified":false,"groups":[],"active":true,"staff":true,"created_at":"2026-03-01T12:00:00Z",` +
		`"updated_at":"2026-03-01T12:00:00Z","last_login":null}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if err := b.try(home, "fifi", right); err != nil {
		t.Errorf("login: %v", err)
	}
	for _, name := range []string{"fifi", " \ufb01fi"} {
		if found, err := b.Find(t.Context(), name); err != nil || found.ID != 4711 {
			t.Errorf("Find(%q): %v", name, err)
		}
		if _, err := b.Add(t.Context(), NewUser{Username: name}); !errors.Is(err, storage.ErrExists) {
			t.Errorf("a second %q: %v", name, err)
		}
	}
	if _, err := b.Find(t.Context(), "fi fi"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("another name: %v", err)
	}
	found, _ := b.Find(t.Context(), "fifi")
	if info := Describe(found); info.LastLogin == nil || !info.LastLogin.Equal(b.now()) {
		t.Errorf("last login %v", info.LastLogin)
	}
	b.advance(time.Second)
	second, err := b.Add(t.Context(), NewUser{Username: "x", PasswordHash: imported})
	if err != nil || second.ID < storage.DrawnUserIDs || second.PasswordHash != imported || second.Active {
		t.Errorf("%+v, %v", second, err)
	}
	list, err := b.List(t.Context(), 4711, 10)
	if err != nil || len(list) != 1 || list[0].ID != second.ID {
		t.Errorf("List: %v, %v", list, err)
	}
	if e := b.events("user_created"); len(e) != 2 || e[0].UserID != 4711 || e[0].Actor != "operator" {
		t.Errorf("events %+v", e)
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text := func(s string) *storage.Secret { return (*storage.Secret)(&s) }
	for _, c := range []struct {
		field string
		NewUser
	}{
		{"id", NewUser{ID: -1, Username: "a"}},
		{"username", NewUser{}},
		{"username", NewUser{Username: strings.Repeat("ü", 151)}},
		{"username", NewUser{Username: strings.Repeat("\ufb01", 76)}}, // 152 once normalised
		{"username", NewUser{Username: "a\x00"}},
		{"username", NewUser{Username: "\xff"}},
		{"email", NewUser{Username: "a", Email: "\x00"}},
		{"email", NewUser{Username: "a", Email: strings.Repeat("e", 255)}},
		{"password", NewUser{Username: "a", Password: text("")}},
		{"password", NewUser{Username: "a", Password: text(strings.Repeat("p", 4097))}},
		{"password", NewUser{Username: "a", Password: text("\xff")}},
		{"password", NewUser{Username: "a", Password: text("a\x00b")}},
		{"password", NewUser{Username: "a", Password: text("p"), PasswordHash: imported}},
		{"password hash", NewUser{Username: "a", PasswordHash: "secret"}},
		{"password hash", NewUser{Username: "a", PasswordHash: "pbkdf2_sha256$99999999$s$" + strings.Repeat("A", 43) + "="}},
	} {
		_, err := b.Add(t.Context(), c.NewUser)
		var invalid *input.Error
		if !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%.40q: %v, want a fault of %s", c.Username, err, c.field)
		}
		if err != nil && c.PasswordHash != "" && strings.Contains(err.Error(), c.PasswordHash) {
			t.Errorf("the error holds the hash: %v", err)
		}
	}
	for _, n := range []NewUser{
		{Username: strings.Repeat("ü", 150)},
		{Username: "\a"},
		{Username: "-rf"},
		{Username: "long", Password: text(strings.Repeat("p", 4096))},
		{Username: "unusable", PasswordHash: "!"},
	} {
		if _, err := b.Add(t.Context(), n); err != nil {
			t.Errorf("%.40q: %v", n.Username, err)
		}
	}
	if list, err := b.List(t.Context(), 0, 100); err != nil || len(list) != 5 {
		t.Errorf("%d users, %v", len(list), err)
	}
}

func TestOperatorActions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.add("alice")
	epoch := func() int64 {
		t.Helper()
		u, err := b.store.User(t.Context(), alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		return u.AuthEpoch
	}
	last := epoch()
	step := func(what string, raises bool, loginWith storage.Secret, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if now := epoch(); (now > last) != raises {
			t.Errorf("%s: sessions ended: %v, want %v", what, now > last, raises)
		} else {
			last = now
		}
		for _, secret := range []storage.Secret{right, "new", ""} {
			if err := b.try(home, "alice", secret); (err == nil) != (secret == loginWith && loginWith != "none") {
				t.Errorf("%s: login with %q: %v", what, secret.Reveal(), err)
			}
		}
		b.advance(time.Minute)
	}
	ctx := t.Context()
	step("nothing", false, right, nil)
	step("end sessions", true, right, b.EndSessions(ctx, alice.ID))
	step("disable", true, "none", b.Disable(ctx, alice.ID))
	step("enable", false, right, b.Enable(ctx, alice.ID))
	step("set password", true, "new", b.SetPassword(ctx, alice.ID, "new"))
	step("set hash", true, "", b.SetPasswordHash(ctx, alice.ID, imported))
	step("set unusable", true, "none", b.SetPasswordHash(ctx, alice.ID, "!"))
	step("no password", true, "none", b.SetPasswordHash(ctx, alice.ID, ""))

	var invalid *input.Error
	if err := b.SetPassword(ctx, alice.ID, ""); !errors.As(err, &invalid) {
		t.Errorf("an empty password: %v", err)
	}
	if err := b.SetPasswordHash(ctx, alice.ID, "nonsense"); !errors.As(err, &invalid) {
		t.Errorf("a hash that is none: %v", err)
	}
	if err := b.Remove(ctx, alice.ID); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"remove": b.Remove(ctx, alice.ID), "disable": b.Disable(ctx, alice.ID), "enable": b.Enable(ctx, alice.ID),
		"end sessions": b.EndSessions(ctx, alice.ID), "set password": b.SetPassword(ctx, alice.ID, "new"),
		"set hash": b.SetPasswordHash(ctx, alice.ID, "!"),
	} {
		if !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s of a removed user: %v", what, err)
		}
	}
	got := map[string]int{}
	for _, action := range []string{"user_created", "user_sessions_ended", "user_disabled", "user_enabled", "password_changed", "user_removed"} {
		for _, e := range b.events(action) {
			got[action]++
			if e.UserID != alice.ID || e.Actor != "operator" || e.Outcome != "success" {
				t.Errorf("%+v", e)
			}
		}
	}
	want := map[string]int{
		"user_created": 1, "user_sessions_ended": 1, "user_disabled": 1, "user_enabled": 1, "password_changed": 4, "user_removed": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit events (-want +got):\n%s", diff)
	}
}
