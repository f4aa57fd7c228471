package input

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"latchkey/server/internal/form"
	"latchkey/server/internal/pyjson"
	"latchkey/storage"
)

const (
	maxUsername = 150 // characters, as in Django's auth_user
	maxEmail    = 254
	maxSubject  = 255 // ASCII characters: OpenID Connect Core's limit of sub (§2)
)

// Username returns a name as Django's forms read it (UsernameField): without white space around, in NFKC.
func Username(typed string) string { return norm.NFKC.String(pyjson.Strip(typed)) }

// isUsername reports whether a user may have this name. As in Django's database only its length is limited.
func isUsername(name string) bool {
	return name != "" && form.IsText(name) && utf8.RuneCountInString(name) <= maxUsername
}

// CanName reports whether a user could have this name, or this address where a login may give one. If not, the database need not be asked.
func CanName(typed string, names storage.LoginNames) bool {
	return isUsername(typed) || names.Email && form.IsText(typed) && utf8.RuneCountInString(typed) <= maxEmail
}

// CheckUser returns an *Error for what can't be kept of a user, besides the password, and puts the profile into the form in which it is
// kept. before is the user as they are stored, the zero value for a new one: what was imported stays as it was.
func CheckUser(before, after *storage.User) error {
	if err := CheckNames(after.Username, after.Email); err != nil {
		return err
	}
	if after.EmailVerified && after.Email == "" {
		return &Error{"email", "is empty, so it can't be verified"}
	}
	if err := CheckProfile(&after.UserProfile); err != nil {
		return err
	}
	odd := func(r rune) bool { // applications put the address into headers
		return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Bidi_Control, r)
	}
	if after.Email != before.Email && strings.ContainsFunc(after.Email, odd) {
		return &Error{"email", "has a space or a control character"}
	}
	return nil
}

// CheckNames returns an *Error for a username or an address that can't be kept. An empty address is none.
func CheckNames(username, email string) error {
	switch {
	case username == "":
		return &Error{"username", "is empty"}
	case !isUsername(username):
		return &Error{"username", fmt.Sprintf("has more than %d characters, a NUL, or is not UTF-8", maxUsername)}
	case !form.IsText(email) || utf8.RuneCountInString(email) > maxEmail:
		return &Error{"email", fmt.Sprintf("has more than %d characters, a NUL, or is not UTF-8", maxEmail)}
	}
	return nil
}

// Subject returns the ID and the subject of a new user, of which either may be missing. Where both say the same it returns the ID alone, so
// that no integer is the ID of one user and the subject of another. *Error.
func Subject(id int64, subject string) (int64, string, error) {
	if subject == "" {
		return id, "", nil
	}
	outside := func(r rune) bool { return r < ' ' || r > '~' }
	if len(subject) > maxSubject || strings.ContainsFunc(subject, outside) || strings.TrimSpace(subject) != subject {
		return 0, "", &Error{"subject", fmt.Sprintf("has more than %d characters, spaces around it, or characters that are not printable ASCII", maxSubject)}
	}
	// RFC 9700 §4.15: what the sub of a client can be, no user's is.
	if strings.HasPrefix(subject, "client:") || strings.HasPrefix(subject, "https://") {
		return 0, "", &Error{"subject", "begins with client: or https://, as subjects of clients do"}
	}
	number, err := strconv.ParseInt(subject, 10, 64)
	if err != nil || number < 1 || strconv.FormatInt(number, 10) != subject {
		return id, subject, nil
	}
	if id != 0 && id != number {
		return 0, "", &Error{"subject", fmt.Sprintf("is another integer than the id %d; give one of the two", id)}
	}
	return number, "", nil
}
