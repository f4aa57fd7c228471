package selfhelp_test

import (
	"net/http"
	"testing"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// A name that two users have signs in neither of them. So nobody may choose one that is another's in another case, or another's address; nor one
// that looks like another's.
func TestUsernamesThatPeopleMayNotChoose(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s, box := setup(t, servertest.Store(open(t)), servertest.Configure(func(c *server.Config) {
			c.LoginNames = storage.LoginNames{Email: true, Fold: true}
		}))
		s.Browser().Post("/sign-up", "email", "new@example.com").Expect(http.StatusOK)
		page := s.Browser().Get(s.Letter(box, "new@example.com").Link())
		finish := func(username string) *servertest.Page {
			return page.Form("/sign-up/finish").Set("username", username, "new_password", next, "new_password_again", next).Submit()
		}
		for username, status := range map[string]int{
			"ALICE":                     http.StatusConflict,
			"\uff21lice":                http.StatusConflict,
			address:                     http.StatusBadRequest,
			"Alice@Example.com":         http.StatusBadRequest,
			"somebody@example.com":      http.StatusBadRequest,
			"\u0430lice":                http.StatusBadRequest, // a Cyrillic letter
			"alice\u202e":               http.StatusBadRequest,
			"al\u200bice":               http.StatusBadRequest,
			"al\u115fice":               http.StatusBadRequest, // a filler, which is a letter that is not seen
			"alice\ufe0f":               http.StatusBadRequest,
			"alice\nadmin":              http.StatusBadRequest,
			"alice\x1b[2J":              http.StatusBadRequest,
			"alice admin":               http.StatusBadRequest,
			"<b>alice</b>":              http.StatusBadRequest,
			"client:alice":              http.StatusBadRequest,
			"https://alice.example.com": http.StatusBadRequest,
		} {
			if got := finish(username); got.Status != status {
				t.Errorf("%q: %d, want %d", username, got.Status, status)
			}
		}
		for name, secret := range map[string]string{servertest.Username: servertest.Password, address: servertest.Password} {
			if got := s.Browser().SignInAs(name, secret); got.Status != http.StatusOK {
				t.Errorf("%s can't sign in any more: %d", name, got.Status)
			}
		}
		finish("New@example.com")
		if got := s.Browser().SignInAs("new@example.com", next); got.Status != http.StatusOK {
			t.Errorf("the own address as a name: %d", got.Status)
		}
	})
}
