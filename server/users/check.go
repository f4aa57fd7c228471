package users

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"latchkey/server/internal/form"
	"latchkey/server/password"
	"latchkey/storage"
)

const (
	maxUsername = 150 // characters, as in Django's auth_user
	maxEmail    = 254
	maxPassword = 4096 // bytes
)

func checkNames(username, email string) error {
	switch {
	case username == "":
		return &InputError{"username", "is empty"}
	case !storable(username):
		return &InputError{"username", fmt.Sprintf("has more than %d characters, a NUL, or is not UTF-8", maxUsername)}
	case !form.IsText(email) || utf8.RuneCountInString(email) > maxEmail:
		return &InputError{"email", fmt.Sprintf("has more than %d characters, a NUL, or is not UTF-8", maxEmail)}
	}
	return nil
}

// checkGiven returns an *InputError for an address that a user is given here, in place of an earlier one. Applications put it into headers. What
// was imported with such characters stays as it was.
func checkGiven(before, after *storage.User) error {
	odd := func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Bidi_Control, r)
	}
	if after.Email != before.Email && strings.ContainsFunc(after.Email, odd) {
		return &InputError{"email", "has a space or a control character"}
	}
	return nil
}

// storable reports whether a user may have this name. As in Django's database only its length is limited.
func storable(username string) bool {
	return username != "" && form.IsText(username) && utf8.RuneCountInString(username) <= maxUsername
}

func checkHash(encoded string) error {
	if err := password.Check(encoded); err != nil {
		return &InputError{"password hash", "can't be used: " + err.Error()}
	}
	return nil
}

func checkPassword(secret storage.Secret) error {
	switch p := secret.Reveal(); {
	case p == "":
		return &InputError{"password", "is empty"}
	case len(p) > maxPassword:
		return &InputError{"password", fmt.Sprintf("is longer than %d bytes", maxPassword)}
	case !form.IsText(p):
		return &InputError{"password", "has a NUL or is not UTF-8"}
	}
	return nil
}
