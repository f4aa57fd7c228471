package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/server/console"
	"latchkey/server/servertest"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/storage"
)

// withFactors adds a user with an application and a remembered browser.
func withFactors(t *testing.T, s *servertest.Server) (u *storage.User, phone *storage.Factor) {
	t.Helper()
	u = s.AddUser(users.NewUser{Username: "bob", Email: "bob@example.com", Active: true}, "a long password")
	now := s.Clock.Now()
	phone = &storage.Factor{ID: storage.NewID(now), UserID: u.ID, Kind: storage.FactorTOTP, Name: "Bob’s <phone>", CreatedAt: now}
	browser := &storage.Factor{
		ID: storage.NewID(now), UserID: u.ID, Kind: storage.FactorBrowser, Lookup: storage.Digest{7}, Name: "Kitchen", UserEpoch: u.AuthEpoch,
		CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}
	for _, f := range []*storage.Factor{phone, browser} {
		if err := s.Store.CreateFactors(t.Context(), storage.NewFactors{UserID: u.ID, Factors: []*storage.Factor{f}, Limit: 5}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return u, phone
}

// left returns the factors of a user.
func left(t *testing.T, s *servertest.Server, u *storage.User) int {
	t.Helper()
	list, err := s.Store.ListFactors(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestOperatorsRemoveFactors(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	u, phone := withFactors(t, s)
	path := fmt.Sprint(console.UserPath, "?id=", u.ID)
	page := b.Get(path)
	has(t, page, "Bob’s &lt;phone&gt;", "Kitchen", "Authenticator app", "Remembered browser", phone.ID.String())
	if strings.Contains(page.Body, "<phone>") {
		t.Error("a name is not escaped")
	}
	send := func(pairs ...string) *servertest.Page {
		return b.Post(console.UserPath, append([]string{"id", fmt.Sprint(u.ID)}, pairs...)...)
	}
	// An old login changes nothing.
	s.Clock.Advance(session.ConfirmedFor + time.Second)
	if p := send("do", "reset-factors"); !p.Has("/login") || left(t, s, u) != 2 {
		t.Errorf("an old login: %s, %d left", p.URL, left(t, s, u))
	}
	b = s.Browser()
	b.SignIn()
	for _, forged := range []string{"", "x", "00000000-0000-0000-0000-000000000000"} {
		if p := send("do", "remove-factor", "factor", forged); p.Status != http.StatusNotFound || left(t, s, u) != 2 {
			t.Errorf("the factor %q: %d", forged, p.Status)
		}
	}
	// The last second factor takes the remembered browser with it.
	has(t, send("do", "remove-factor", "factor", phone.ID.String()), "Removed.", console.UserPath)
	if left(t, s, u) != 0 {
		t.Errorf("%d left", left(t, s, u))
	}
	list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{UserID: u.ID, Action: "factor_removed", Limit: 1})
	if err != nil || len(list) != 1 || list[0].Actor != "operator" || list[0].ActorID == "" {
		t.Errorf("the audit trail: %v, %v", list, err)
	}
	has(t, send("do", "reset-factors"), console.UserPath) // there is none: nothing fails
}

// A person who can't log in gets a letter from the operator, within the limits that hold for everybody.
func TestOperatorsSendLetters(t *testing.T) {
	t.Parallel()
	box := new(servertest.Mailbox)
	s, b := operating(t, servertest.Mail(box))
	u := s.AddUser(users.NewUser{Username: "bob", Email: "bob@example.com", Active: true}, "a long password")
	post := func(what string) *servertest.Page {
		return b.Post(console.UserPath, "id", fmt.Sprint(u.ID), "do", what)
	}
	has(t, post("send-reset"), "The e-mail is on its way.")
	if l := s.Letter(box, u.Email); !strings.Contains(l.Link(), "/reset-password?") {
		t.Errorf("the letter leads to %s", l.Link())
	}
	has(t, post("send-verify"), "The e-mail is on its way.")
	if l := s.Letter(box, u.Email); !strings.Contains(l.Link(), "/verify") {
		t.Errorf("the letter leads to %s", l.Link())
	}
	e, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{UserID: u.ID, Action: "password_reset_sent", Limit: 10})
	if err != nil || len(e) != 1 || e[0].Actor != "operator" || e[0].ActorID == "" {
		t.Errorf("the audit trail: %v, %v", e, err)
	}
	if p := b.Get(console.Path); !strings.Contains(p.Body, "E-mails waiting") {
		t.Error("the overview does not say how many e-mails wait")
	}
	var last *servertest.Page
	for range 5 {
		last = post("send-reset")
	}
	has(t, last, "Too many e-mails were asked for.", "min")
	without, b2 := operating(t)
	w := without.AddUser(users.NewUser{Username: "bob", Email: "bob@example.com", Active: true}, "a long password")
	if p := b2.Get(fmt.Sprint(console.UserPath, "?id=", w.ID)); strings.Contains(p.Body, "send-reset") {
		t.Error("there is no mail, but a button for it")
	}
	if p := b2.Post(console.UserPath, "id", fmt.Sprint(w.ID), "do", "send-reset"); p.Status != http.StatusBadRequest {
		t.Errorf("without mail: %d", p.Status)
	}
}
