package users_test

import (
	"errors"
	"strings"
	"testing"

	"latchkey/server/users"
	"latchkey/storage"
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
	var invalid *users.InputError
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
