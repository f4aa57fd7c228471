package directory_test

import (
	"net/http"
	"strings"
	"testing"

	"latchkey/server"
	"latchkey/server/selfhelp"
	"latchkey/server/servertest"
)

// Where the accounts are Django's, nothing here makes one, proves an address or brings a password back, even with a mail server; the pages lead
// to where Django does it.
func TestAccountsAreMadeInDjango(t *testing.T) {
	t.Parallel()
	box := new(servertest.Mailbox)
	s := newSite(t, "same", "integer").serve(servertest.Mail(box), servertest.Configure(accountURL), servertest.Configure(func(c *server.Config) {
		c.SignUp = selfhelp.SignUpOpen
	}))
	if s.Proof() != nil {
		t.Error("invitations can be made")
	}
	login := s.Browser().Get("/login")
	if strings.Contains(login.Body, "/sign-up") {
		t.Errorf("the login leads to a sign-up: %s", login.Body)
	}
	for _, path := range []string{"/sign-up", "/sign-up/code", "/sign-up/finish", "/reset-password", "/verify-email"} {
		s.Browser().Get(path).Expect(http.StatusNotFound)
		if p := s.Browser().Post(path, "email", "ada@example.com", "identifier", "ada"); p.Status < 400 {
			t.Errorf("POST %s: %d", path, p.Status)
		}
	}
	if p := s.Browser().Get("/forgot-password"); p.Status >= 500 || strings.Contains(p.Body, `name="identifier"`) {
		t.Errorf("a forgotten password: %d %s", p.Status, p.Body)
	}
	b := s.Browser()
	page := b.Get("/login").Form("/login").Set("username", "ada", "password", "secret").Submit()
	account := b.Get("/account")
	if !strings.Contains(account.Body, "https://www.example.com/profile/") {
		t.Errorf("the account page (after %s) does not lead to Django: %s", page.URL, account.Body)
	}
	for _, path := range []string{"/account/email", "/account/email/verify", "/account/remove"} {
		if p := b.Post(path, "email", "new@example.com", "current_password", "secret"); p.Status < 400 && p.URL == s.URL+path {
			t.Errorf("POST %s: %d", path, p.Status)
		}
	}
	if letters := s.Letters(box, "ada@example.com"); len(letters) != 0 {
		t.Errorf("%d letters were sent", len(letters))
	}
}
