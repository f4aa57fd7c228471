// Package input checks what is entered about a user (names, address, profile) and puts it into the form in which it is kept. It says what is
// wrong in words for the person who entered it. It reads no storage: whether a name is taken is for others to say.
package input

import (
	"fmt"

	"latchkey/storage"
)

// Error is an invalid field of a user, or of what an operator enters beside it.
type Error struct {
	// Field is what the input is called: "username", "given name", "groups" ….
	Field string
	// Problem continues a sentence that begins with the field: "is empty".
	Problem string
}

func (e *Error) Error() string { return e.Field + " " + e.Problem }

// CaseVariantError is a [storage.ErrExists]: another user has the username in another case (of ASCII letters).
type CaseVariantError struct {
	// Username is that of the user who exists.
	Username string
}

func (e *CaseVariantError) Error() string {
	return fmt.Sprintf("the user %q exists, and the names differ in case only", e.Username)
}

func (*CaseVariantError) Unwrap() error { return storage.ErrExists }
