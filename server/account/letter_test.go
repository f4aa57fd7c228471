package account_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/claims"
	"latchkey/server/selfhelp"
	"latchkey/server/servertest"
	"latchkey/server/session"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// mailed gives a server that sends letters, and a browser in which its user, who has an address, is signed in.
func mailed(t *testing.T, open ...servertest.Option) (*servertest.Server, *servertest.Mailbox, *servertest.Browser) {
	t.Helper()
	box := new(servertest.Mailbox)
	s := servertest.New(t, append(open, servertest.Mail(box), servertest.Configure(func(c *server.Config) { c.SignUp = selfhelp.SignUpOff }))...)
	email := "old@example.com"
	if _, err := s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Email: &email}); err != nil {
		t.Fatal(err)
	}
	return s, box, signedIn(s)
}

func TestAnAddressIsConfirmedByLinkAndByCode(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s, box, b := mailed(t, servertest.Store(open(t)))
		sent := b.Get("/account").Form("/account/email/verify").Submit()
		letter := s.Letter(box, "old@example.com")
		if letter.Link() == "" || letter.Code() == "" {
			t.Fatalf("the letter: %s", letter.Text)
		}
		s.Browser().Follow(letter.Link()).Expect(http.StatusOK) // a scanner
		if u := user(t, s); u.EmailVerified {
			t.Fatal("opening the link has confirmed the address")
		}
		if wrong := sent.Form("/account/email/code").Set("code", "1234").Submit(); wrong.Status != http.StatusBadRequest || !strings.Contains(wrong.Body, `aria-invalid`) {
			t.Errorf("a wrong code: %d", wrong.Status)
		}
		done := sent.Form("/account/email/code").Set("code", strings.ReplaceAll(letter.Code(), " ", "-")).Submit()
		if u := user(t, s); !u.EmailVerified || done.Status != http.StatusOK {
			t.Errorf("%d, %+v", done.Status, u)
		}
		s.Browser().Get(letter.Link()).Expect(http.StatusGone) // used with the code
		if claims := servertest.Claims(t, s.Redeem(s.Portal, b.Code(s.Portal, "scope", "openid email")).Expect(200).String("id_token")); claims["email_verified"] != true {
			t.Errorf("claims %v", claims)
		}

		page := b.Get("/account").Click("Change e-mail address").Form("/account/email").Set("email", "new@example.com").Submit()
		letter = s.Letter(box, "new@example.com")
		if told := s.Letter(box, "old@example.com"); told.Subject != "Your e-mail address is to be changed" {
			t.Errorf("the old address was told %s", told.Subject)
		}
		if u := user(t, s); u.Email != "old@example.com" || page.Status != http.StatusOK {
			t.Errorf("changed before it was proved: %d %+v", page.Status, u)
		}
		s.Browser().Get(letter.Link()).Form("/verify-email").Submit().Expect(http.StatusOK) // on another device
		if u := user(t, s); u.Email != "new@example.com" || !u.EmailVerified {
			t.Errorf("%+v", u)
		}
		if told := s.Letter(box, "old@example.com"); told.Subject != "Your e-mail address was changed" {
			t.Errorf("the old address was told %s", told.Subject)
		}
		if !knows(b) {
			t.Error("the session has ended")
		}
	})
}

func TestAnAddressIsNotConfirmedByOthers(t *testing.T) {
	t.Parallel()
	s, box, b := mailed(t)
	b.Post("/account/email", "email", "typo@example.com").Expect(http.StatusOK)
	typo := s.Letter(box, "typo@example.com")
	s.Letters(box, "old@example.com")
	b.Post("/account/email", "email", "new@example.com").Expect(http.StatusOK)
	s.Browser().Get(typo.Link()).Expect(http.StatusGone) // a stranger's, and the newer letter has replaced it
	for _, bad := range []string{"", "x", "a@b.c, d@e.f", "a@b.c\r\nBcc: x@y.z", "Ann <a@b.c>", strings.Repeat("a", 300) + "@b.c"} {
		b.Post("/account/email", "email", bad).Expect(http.StatusBadRequest)
	}
	for range 5 {
		b.Post("/account/email/code", "code", "00000000", "email", "x").Expect(http.StatusBadRequest)
	}
	b.Post("/account/email/code", "code", s.Letter(box, "new@example.com").Code()).Expect(http.StatusTooManyRequests)
	for _, path := range []string{"/account/email", "/account/email/verify", "/account/email/code", "/account/remove", "/account/export"} {
		b.PostForeign(path).Expect(http.StatusForbidden)
		if page := s.Browser().Post(path); !page.Has("/login") {
			t.Errorf("%s signed out: %d", path, page.Status)
		}
	}
}

func TestUsersDownloadTheirDataAndRemoveTheirAccounts(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s, box, b := mailed(t, servertest.Store(open(t)))
		held := tokens(s, b, s.Portal)
		now := s.Clock.Now()
		kitchen := &storage.Factor{
			ID: storage.NewID(now), UserID: servertest.UserID, Kind: storage.FactorBrowser, Lookup: storage.Digest{1}, Name: "Kitchen",
			UserEpoch: user(t, s).AuthEpoch, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		}
		if err := s.Store.CreateFactors(t.Context(), storage.NewFactors{UserID: servertest.UserID, Factors: []*storage.Factor{kitchen}, Limit: 1}, nil); err != nil {
			t.Fatal(err)
		}
		said := json.RawMessage(`{"title":"Head of Kitchen"}`)
		if err := s.Store.ChangeProvisionedUser(t.Context(), servertest.UserID, storage.ProvisionedChange{Attributes: &said, Now: now}); err != nil {
			t.Fatal(err)
		}
		file := b.Get("/account").Click("Download your data").Form("/account/export").Submit()
		if file.Status != http.StatusOK || !strings.Contains(file.Header.Get("Content-Disposition"), "attachment") || file.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %v", file.Status, file.Header)
		}
		for _, part := range []string{"old@example.com", `"client_id": "portal"`, "login_succeeded", b.UserAgent, `"Kitchen"`, `"title": "Head of Kitchen"`, `"recovery_codes": 0`, `"acr": "` + claims.ACRPassword} {
			if !strings.Contains(file.Body, part) {
				t.Errorf("%s is not in the file: %s", part, file.Body)
			}
		}
		if u := user(t, s); strings.Contains(file.Body, u.PasswordHash) || strings.Contains(file.Body, held.Refresh) {
			t.Error("the file has what could be used in the user's place")
		}

		page := b.Get("/account").Click("Delete your account").Form("/account/remove").Submit()
		if page.Status != http.StatusOK || b.Cookie(session.CookieName) != "" || knows(b) || active(s, held.Access) {
			t.Errorf("%d, the session or a token lives on", page.Status)
		}
		if _, err := s.Users().Find(t.Context(), servertest.Username); err == nil {
			t.Error("the user is there")
		}
		if told := s.Letter(box, "old@example.com"); told.Subject != "Your account was removed" {
			t.Errorf("told: %s", told.Subject)
		}
		if page := s.Browser().SignIn(); page.Status != http.StatusUnauthorized {
			t.Errorf("the password is still good: %d", page.Status)
		}
	})
}
