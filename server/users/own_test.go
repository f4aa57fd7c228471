package users_test

import (
	"errors"
	"strings"
	"testing"

	"latchkey/server/password"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

func TestStatement52PasswordsThatUsersMayChoose(t *testing.T) {
	t.Parallel()
	alice := &storage.User{Username: "alice.liddell"}
	for _, good := range []string{
		"fourty-two teapots", "zzqj vkwp", "пароль-из-леса", "🦊🦊🦊🦊🦊🦊🦊🦊", strings.Repeat("x", 128), strings.Repeat("ab", 2000),
		"        ~ leading spaces",
	} {
		if err := users.CheckOwnPassword(alice, storage.Secret(good)); err != nil {
			t.Errorf("%.40q: %v", good, err)
		}
	}
	for _, weak := range []string{
		"seven77", "äöüßäöü", "password", "PassWord", "12345678", "qwertyuiop", "iloveyou", "trustno1", "Alice.Liddell",
	} {
		if err := users.CheckOwnPassword(alice, storage.Secret(weak)); !errors.Is(err, users.ErrWeakPassword) {
			t.Errorf("%q: %v", weak, err)
		}
	}
	var invalid *input.Error
	for _, bad := range []string{"", strings.Repeat("x", 4097), "nul\x00nul\x00nul", "not \xff\xfe UTF-8"} {
		if err := users.CheckOwnPassword(alice, storage.Secret(bad)); !errors.As(err, &invalid) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	// Not a part of a line, nor several.
	for _, odd := range []string{"password\npassword1", "assword1\n"} {
		if err := users.CheckOwnPassword(alice, storage.Secret(odd)); err != nil {
			t.Errorf("%q: %v", odd, err)
		}
	}
}

func TestChangeOwnPassword(t *testing.T) {
	t.Parallel()
	store := sqlitetest.SQLite(t)
	s := users.New(users.Config{Store: store, Argon2: password.Argon2{Memory: 8, Time: 1, Threads: 1}})
	old := storage.Secret("the present password")
	u, err := s.Add(t.Context(), users.NewUser{Username: "alice", Password: &old, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ChangeOwnPassword(t.Context(), u, "password123"); !errors.Is(err, users.ErrWeakPassword) {
		t.Errorf("a common password: %v", err)
	}
	if err := s.ChangeOwnPassword(t.Context(), u, "another password"); err != nil {
		t.Fatal(err)
	}
	who, err := s.Authenticate(t.Context(), "alice", "another password")
	if err != nil || who.User.AuthEpoch <= u.AuthEpoch {
		t.Errorf("the sessions go on, or the password is not the new one: %v", err)
	}
	if _, err := s.Authenticate(t.Context(), "alice", old); !errors.Is(err, users.ErrCredentials) {
		t.Errorf("the old password: %v", err)
	}
	list, err := store.ListAudit(t.Context(), storage.AuditFilter{UserID: u.ID, Action: "password_changed", Limit: 10})
	if err != nil || len(list) != 1 || list[0].Actor != "user" {
		t.Errorf("the events are %+v (%v)", list, err)
	}
}
