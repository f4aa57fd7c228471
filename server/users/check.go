package users

import (
	"fmt"

	"latchkey/server/internal/form"
	"latchkey/server/password"
	"latchkey/server/users/input"
	"latchkey/storage"
)

const maxPassword = 4096 // bytes

func checkHash(encoded string) error {
	if err := password.Check(encoded); err != nil {
		return &input.Error{Field: "password hash", Problem: "can't be used: " + err.Error()}
	}
	return nil
}

func checkPassword(secret storage.Secret) error {
	switch p := secret.Reveal(); {
	case p == "":
		return &input.Error{Field: "password", Problem: "is empty"}
	case len(p) > maxPassword:
		return &input.Error{Field: "password", Problem: fmt.Sprintf("is longer than %d bytes", maxPassword)}
	case !form.IsText(p):
		return &input.Error{Field: "password", Problem: "has a NUL or is not UTF-8"}
	}
	return nil
}
