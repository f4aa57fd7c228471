package login_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/server/servertest"
	"latchkey/storage"
)

// A person who signs in with a passkey alone can choose a password, soon after the login, and is notified of it. Nobody else's is replaced in this way.
func TestAFirstPasswordIsChosenAfterAPasskey(t *testing.T) {
	t.Parallel()
	box := new(servertest.Mailbox)
	s := relyingParty(t, servertest.Mail(box))
	const first, address, next = "/account/password/first", "alice@example.com", "a password that is new"
	email, verified := address, true
	if _, err := s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Email: &email, EmailVerified: &verified}); err != nil {
		t.Fatal(err)
	}
	a := addPasskey(t, s, servertest.Username, servertest.Password)
	b := s.Browser()
	enter := func(path string) *servertest.Page {
		q, form := ask(t, b.Get(path))
		return form.Set("answer", a.get(t, q)).Submit()
	}
	if page := enter("/account"); page.Has(first) || !page.Has("/account/password") || b.Get(first).URL != s.URL+"/account?done=" {
		t.Error("a first password is offered to a user who has one")
	}
	b.Post(first, "new_password", next, "new_password_again", next)
	if page := s.Browser().SignInAs(servertest.Username, servertest.Password); page.Status != http.StatusOK {
		t.Fatalf("the password that there was is replaced: %d", page.Status)
	}

	if err := s.Users().SetPasswordHash(t.Context(), servertest.UserID, ""); err != nil {
		t.Fatal(err)
	}
	elsewhere := s.Browser()
	q, form := ask(t, elsewhere.Get("/account"))
	form.Set("answer", a.get(t, q)).Submit().Expect(http.StatusOK)
	page := enter("/account")
	if page.Has("/account/password") || !strings.Contains(page.Body, `href="/account/password/first"`) {
		t.Fatalf("the page of a user without a password: %s", page.Body)
	}
	s.Clock.Advance(11 * time.Minute)
	if page := b.Get(first); !page.Has("/login") {
		t.Fatalf("without a login of late: %s", page.URL)
	}
	b.Post(first, "new_password", next, "new_password_again", next)
	page = enter(first)
	for _, bad := range [][2]string{{next, next + "!"}, {"password1", "password1"}, {"short", "short"}} {
		if again := page.Form(first).Set("new_password", bad[0], "new_password_again", bad[1]).Submit(); again.Status != http.StatusBadRequest || !again.Has(first) {
			t.Errorf("%q: %d", bad, again.Status)
		}
	}
	s.Letters(box, address) // what was before
	page = page.Form(first).Set("new_password", next, "new_password_again", next).Submit()
	if page.URL != s.URL+"/account?done=password_added" || !page.Has("/account/password") {
		t.Errorf("the browser is at %s (%d)", page.URL, page.Status)
	}
	if letter := s.Letter(box, address); letter.Subject != "A password was added to your account" || letter.Link() != s.URL+"/account" {
		t.Errorf("the letter is %q: %s", letter.Subject, letter.Text)
	}
	if page := elsewhere.Get("/account"); !page.Has("/login") {
		t.Error("another session goes on")
	}
	if page := s.Browser().SignInAs(servertest.Username, next); !page.Has("/login/second-factor") {
		t.Errorf("the new password leads to %s (%d)", page.URL, page.Status)
	}
	list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{UserID: servertest.UserID, Action: "password_changed", Limit: 1})
	if err != nil || len(list) != 1 || list[0].Actor != "user" || !strings.Contains(string(list[0].Details), `"first"`) {
		t.Errorf("the event is %+v (%v)", list, err)
	}
}
