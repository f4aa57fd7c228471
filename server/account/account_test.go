package account_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/account"
	"latchkey/server/servertest"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/teststore"
)

const next = "a password that is new"

// signedIn gives a browser in which the user is signed in.
func signedIn(s *servertest.Server) *servertest.Browser {
	b := s.Browser()
	b.SignIn()
	return b
}

// knows tells whether the user is signed in in the browser.
func knows(b *servertest.Browser) bool {
	page := b.Get("/account")
	return page.Status == http.StatusOK && strings.HasSuffix(page.URL, "/account")
}

// changePassword fills the form in.
func changePassword(b *servertest.Browser, current, password, again string) *servertest.Page {
	return b.Get("/account").Form("/account/password").
		Set("current_password", current, "new_password", password, "new_password_again", again).Submit()
}

// active tells whether an access token is good.
func active(s *servertest.Server, access string) bool {
	return s.Introspect(s.Inspector, access).JSON()["active"] == true
}

// tokens gets tokens for a client through the pages.
func tokens(s *servertest.Server, b *servertest.Browser, c servertest.Client, pairs ...string) servertest.Tokens {
	a := s.Redeem(c, b.Code(c, pairs...)).Expect(http.StatusOK)
	return servertest.Tokens{Access: a.String("access_token"), Refresh: a.String("refresh_token")}
}

func TestStrangersAreSentToTheLogin(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	for _, path := range []string{"/", "/account"} {
		page := b.Get(path)
		if !page.Has("/login") || page.Form("/login").Fields.Get("return_to") != "/account" {
			t.Errorf("%s leads to %s", path, page.URL)
		}
	}
	for _, path := range []string{
		account.PasswordPath, account.EndSessionPath, account.EndAllPath, account.EndApplicationPath, account.SignOutPath,
	} {
		if page := b.Post(path, "client_id", s.Web.ID); !page.Has("/login") || page.Hops[0] != http.StatusSeeOther {
			t.Errorf("%s leads to %s by %v", path, page.URL, page.Hops)
		}
		if a := s.Get(path); a.Status != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", path, a.Status)
		}
	}
}

func TestFormsOfOtherSitesDoNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := signedIn(s)
	for _, path := range []string{account.EndAllPath, account.SignOutPath, account.PasswordPath, account.EndSessionPath, account.EndApplicationPath} {
		b.PostForeign(path).Expect(http.StatusForbidden)
	}
	if !knows(b) {
		t.Error("a page of another site has signed the user out")
	}
}

func TestStatement43PasswordChangeEndsEverythingElse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	here, elsewhere := signedIn(s), signedIn(s)
	fromHere, offline := tokens(s, here, s.Portal), tokens(s, elsewhere, s.Web, "scope", "openid read")
	byPassword, legacy := s.Login(s.Backend), s.LoginSimpleJWT()
	before := here.Cookie(session.CookieName)

	page := changePassword(here, servertest.Password, next, next)
	if page.URL != s.URL+"/account?done=password_changed" || page.Hops[0] != http.StatusSeeOther {
		t.Fatalf("the browser is at %s (%d): %s", page.URL, page.Status, page.Body)
	}
	if here.Cookie(session.CookieName) == before || !knows(here) {
		t.Error("this browser has the old cookie, or is signed out")
	}
	if knows(elsewhere) {
		t.Error("another browser is still signed in")
	}
	copied := s.Browser()
	copied.SetCookie(session.CookieName, before)
	if knows(copied) {
		t.Error("a copy of the old cookie is still good")
	}
	for name, old := range map[string]servertest.Tokens{"this browser's": fromHere, "the other browser's": offline, "the password grant's": byPassword} {
		if active(s, old.Access) {
			t.Errorf("%s access token is still good", name)
		}
	}
	s.Refresh(s.Portal, fromHere.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant")
	s.Refresh(s.Web, offline.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant")
	s.Refresh(s.Backend, byPassword.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant")
	s.RefreshSimpleJWT(legacy.Refresh).Expect(http.StatusUnauthorized)
	if page := s.Browser().SignIn(); page.Status != http.StatusUnauthorized {
		t.Errorf("the old password is still good: %d", page.Status)
	}
	if page := s.Browser().SignInAs(servertest.Username, next); page.URL != s.URL+"/account" {
		t.Errorf("the new password is not good: %d", page.Status)
	}
	if e := event(t, s, "password_changed"); e.Actor != "user" || e.Address == "" {
		t.Errorf("the event is %+v", e)
	}
	if strings.Contains(s.Log.String(), next) {
		t.Error("the password is in the log")
	}
}

// event gives the latest event of the user with this name.
func event(t *testing.T, s *servertest.Server, action string) *storage.AuditEvent {
	t.Helper()
	list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{UserID: servertest.UserID, Action: action, Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatalf("no event %s (%v)", action, err)
	}
	return list[0]
}

func TestStatement47PasswordChangeNeedsThePresentOne(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := signedIn(s)
	for name, c := range map[string]struct {
		current, password, again string
		status                   int
	}{
		"wrong present one": {"guess", next, next, http.StatusUnauthorized},
		"no present one":    {"", next, next, http.StatusUnauthorized},
		"two new ones":      {servertest.Password, next, next + "!", http.StatusBadRequest},
		"short":             {servertest.Password, "seven77", "seven77", http.StatusBadRequest},
		"common":            {servertest.Password, "Password123", "Password123", http.StatusBadRequest},
		"empty":             {servertest.Password, "", "", http.StatusBadRequest},
		"too long":          {servertest.Password, strings.Repeat("x", 5000), strings.Repeat("x", 5000), http.StatusBadRequest},
	} {
		page := changePassword(b, c.current, c.password, c.again)
		if page.Status != c.status || !page.Has("/account/password") {
			t.Errorf("%s: %d", name, page.Status)
		}
		if c.password != "" && strings.Contains(page.Body, c.password) {
			t.Errorf("%s: the password is in the page", name)
		}
	}
	if !knows(b) || s.Browser().SignIn().Status != http.StatusOK {
		t.Error("something has changed")
	}
	// Guessing here is guessing: the same buckets as at the login.
	for range 20 {
		changePassword(b, "guess", next, next)
	}
	page := changePassword(b, servertest.Password, next, next)
	if page.Status != http.StatusTooManyRequests || page.Header.Get("Retry-After") == "" {
		t.Errorf("after many guesses: %d", page.Status)
	}
}

func TestLongPasswordsOfAnyLetters(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := signedIn(s)
	current := servertest.Password
	for _, password := range []string{
		strings.Repeat("x", 71) + "A" + strings.Repeat("y", 60), "пароль 🦊 c'est ça", "  leading and trailing  ", "a+b%20c&d=e;f",
	} {
		if page := changePassword(b, current, password, password); page.Status != http.StatusOK {
			t.Errorf("%q: %d", password, page.Status)
		}
		if page := s.Browser().SignInAs(servertest.Username, password); page.Status != http.StatusOK {
			t.Errorf("%q is not the password: %d", password, page.Status)
		}
		if page := s.Browser().SignInAs(servertest.Username, password[:len(password)-1]); page.Status != http.StatusUnauthorized {
			t.Errorf("%q without its end is the password too", password)
		}
		current = password
	}
}

func TestStatement45SignedOutCookieLeadsToTheLogin(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := signedIn(s)
	held := tokens(s, b, s.Portal)
	cookie := b.Cookie(session.CookieName)
	page := b.Get("/account").Form("/account/sign-out").Submit()
	if page.URL != s.URL+"/account/signed-out" || page.Status != http.StatusOK || b.Cookie(session.CookieName) != "" {
		t.Errorf("the browser is at %s (%d) with %q", page.URL, page.Status, b.Cookie(session.CookieName))
	}
	if a := page.Header.Get("Cache-Control"); a != "no-store" {
		t.Errorf("Cache-Control: %s", a)
	}
	b.SetCookie(session.CookieName, cookie)
	if page := b.Get("/account"); !page.Has("/login") {
		t.Errorf("the old cookie shows %s", page.URL)
	}
	if page := b.Authorize(s.Portal); !page.Has("/login") {
		t.Errorf("the old cookie gets %s", page.Left)
	}
	if active(s, held.Access) {
		t.Error("the application's token outlives the sign-out")
	}
	s.Refresh(s.Portal, held.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant")
}

func TestStatement47SessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.AddUser(users.NewUser{ID: 2, Username: "bob", Active: true}, servertest.Password)
	here, lost, bobs := s.Browser(), s.Browser(), s.Browser()
	here.UserAgent, lost.UserAgent = "The desk", "The lost phone"
	here.SignIn()
	lost.SignIn()
	bobs.SignInAs("bob", servertest.Password)
	held := tokens(s, lost, s.Portal)

	page := here.Get("/account")
	if !strings.Contains(page.Body, "The desk") || !strings.Contains(page.Body, "The lost phone") {
		t.Fatalf("the sessions are not listed: %s", page.Body)
	}
	mine := sessionOf(t, s, servertest.UserID, "The desk")
	gone := sessionOf(t, s, servertest.UserID, "The lost phone")
	foreign := sessionOf(t, s, 2, bobs.UserAgent)

	if page := here.Post(account.EndSessionPath, "session", foreign.String()); page.URL != s.URL+"/account?done=session_ended" {
		t.Errorf("another user's session: %s (%d)", page.URL, page.Status)
	}
	if !knows(bobs) {
		t.Error("another user was signed out")
	}
	for _, form := range page.Forms() {
		if form.Fields.Get("session") == gone.String() {
			if page := form.Submit(); page.URL != s.URL+"/account?done=session_ended" || strings.Contains(page.Body, "The lost phone") {
				t.Errorf("the browser is at %s: %s", page.URL, page.Body)
			}
		}
	}
	if knows(lost) || active(s, held.Access) {
		t.Error("the lost phone is still signed in")
	}
	if !knows(here) {
		t.Error("this browser was signed out")
	}
	for _, bad := range []string{"", "x", strings.ToUpper(mine.String())} {
		here.Post(account.EndSessionPath, "session", bad).Expect(http.StatusBadRequest)
	}
	here.Post(account.EndSessionPath, "session", mine.String())
	if here.Cookie(session.CookieName) != "" || knows(here) {
		t.Error("ending the present session is no sign-out")
	}
}

// sessionOf finds a session of a user by its browser.
func sessionOf(t *testing.T, s *servertest.Server, userID int64, userAgent string) storage.ID {
	t.Helper()
	list, err := s.Store.ListBrowserSessions(t.Context(), userID, s.Clock.Now(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		if b.UserAgent == userAgent {
			return b.ID
		}
	}
	t.Fatalf("no session of %q", userAgent)
	return storage.ID{}
}

func TestStatement47ApplicationsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.AddUser(users.NewUser{ID: 2, Username: "bob", Active: true}, servertest.Password)
	b, bobs := signedIn(s), s.Browser()
	bobs.SignInAs("bob", servertest.Password)
	theirs := tokens(s, bobs, s.Portal)
	held, kept, byPassword := tokens(s, b, s.Web), tokens(s, b, s.Portal), s.Login(s.Backend)
	code := b.Code(s.Web) // still out

	page := b.Get("/account")
	for _, name := range []string{"Web application", "Portal", "Backend"} {
		if !strings.Contains(page.Body, name) {
			t.Errorf("%s is not listed", name)
		}
	}
	end := func(c servertest.Client) {
		t.Helper()
		for _, form := range b.Get("/account").Forms() {
			if form.Fields.Get("client_id") == c.ID {
				if page := form.Submit(); page.URL != s.URL+"/account?done=app_ended" {
					t.Errorf("the browser is at %s (%d)", page.URL, page.Status)
				}
				return
			}
		}
		t.Errorf("no form for %s", c.ID)
	}
	end(s.Web)
	end(s.Backend)
	if active(s, held.Access) || active(s, byPassword.Access) {
		t.Error("the access goes on")
	}
	s.Refresh(s.Web, held.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant")
	s.Refresh(s.Backend, byPassword.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant")
	s.Redeem(s.Web, code).ExpectError(http.StatusBadRequest, "invalid_grant")
	if !active(s, kept.Access) {
		t.Error("another application has lost its access")
	}
	if page := b.Authorize(s.Web); !page.Has("/consent") {
		t.Errorf("it gets access again without a question: %s", page.Left)
	}
	s.Clock.Advance(time.Second) // events of one millisecond have no order
	b.Post(account.EndApplicationPath, "client_id", s.Portal.ID)
	if !active(s, theirs.Access) {
		t.Error("another user's access has ended")
	}
	b.Post(account.EndApplicationPath, "client_id", "there-is-none").Expect(http.StatusOK)
	b.Post(account.EndApplicationPath, "client_id", "").Expect(http.StatusBadRequest)
	if e := event(t, s, "consent_revoked"); e.Actor != "user" || e.ClientID != s.Portal.ID {
		t.Errorf("the event is %+v", e)
	}
}

// A client that wants to know of logouts is told whatever ends the session.
func TestStatement45ClientsAreToldOfEveryEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *servertest.Browser){
		"sign-out":        func(b *servertest.Browser) { b.Post(account.SignOutPath) },
		"everywhere":      func(b *servertest.Browser) { b.Post(account.EndAllPath) },
		"password change": func(b *servertest.Browser) { changePassword(b, servertest.Password, next, next) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t)
			c := s.AddClient(clients.Registration{ID: "told", Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
				GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read", TokenEndpointAuthMethod: "none",
				RedirectURIs: []string{servertest.Callback}, BackchannelLogoutURI: "https://rp.example/logout",
			}})
			b := signedIn(s)
			tokens(s, b, c)
			sid := sessionOf(t, s, servertest.UserID, b.UserAgent)
			end(b)
			list, err := s.Store.ClaimLogoutNotices(t.Context(), s.Clock.Now(), time.Minute, 10)
			if err != nil || len(list) != 1 || list[0].ClientID != c.ID || list[0].SessionID != sid {
				t.Fatalf("the notices are %+v (%v)", list, err)
			}
			if again := b.Get("/account"); !again.Has("/login") && sessionOf(t, s, servertest.UserID, b.UserAgent) == sid {
				t.Error("the session that has ended for the clients goes on under the same sid")
			}
		})
	}
}

// The notice names the user as the client's ID tokens do.
func TestLogoutNoticesNameTheSubject(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.AddUser(users.NewUser{Subject: "6f1c-slug", Username: "bob", Active: true}, "bob's password")
	c := s.AddClient(clients.Registration{ID: "told", Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read", TokenEndpointAuthMethod: "none",
		RedirectURIs: []string{servertest.Callback}, BackchannelLogoutURI: "https://rp.example/logout",
	}})
	for name, end := range map[string]func(*servertest.Browser, string){
		"sign-out":         func(b *servertest.Browser, _ string) { b.Post(account.SignOutPath) },
		"without a cookie": func(_ *servertest.Browser, hint string) { s.Get("/oauth2/logout?id_token_hint=" + hint).Expect(200) },
	} {
		b := s.Browser()
		b.SignInAs("bob", "bob's password")
		end(b, s.Redeem(c, b.Code(c, "scope", "openid")).Expect(200).String("id_token"))
		list, err := s.Store.ClaimLogoutNotices(t.Context(), s.Clock.Now(), time.Minute, 10)
		if err != nil || len(list) != 1 || list[0].Sub() != "6f1c-slug" {
			t.Errorf("%s: the notices are %+v (%v)", name, list, err)
		}
		if page := b.Get("/account"); page.Has(account.SignOutPath) {
			t.Errorf("%s: the browser is still signed in", name)
		}
	}
}

func TestStatement47EndEverything(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	here, elsewhere := signedIn(s), signedIn(s)
	held, byPassword := tokens(s, elsewhere, s.Web), s.Login(s.Backend)
	page := here.Get("/account").Form(account.EndAllPath).Submit()
	if page.URL != s.URL+"/account/signed-out" || here.Cookie(session.CookieName) != "" {
		t.Errorf("the browser is at %s (%d)", page.URL, page.Status)
	}
	if knows(here) || knows(elsewhere) || active(s, held.Access) || active(s, byPassword.Access) {
		t.Error("something goes on")
	}
	if e := event(t, s, "user_sessions_ended"); e.Actor != "user" {
		t.Errorf("the event is %+v", e)
	}
}

func TestApplicationsWithoutAccessAreNotListed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := signedIn(s)
	held := tokens(s, b, s.Portal)
	lists := func() bool {
		for _, form := range b.Get("/account").Forms() {
			if form.Fields.Get("client_id") == s.Portal.ID {
				return true
			}
		}
		return false
	}
	if !lists() {
		t.Error("the application is not listed")
	}
	s.Revoke(s.Portal, held.Refresh).Expect(http.StatusOK)
	if lists() {
		t.Error("an application that has given its access back is listed")
	}
}

func TestAccountShowsWhatHappened(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := signedIn(s)
	for range 30 {
		s.Clock.Advance(time.Minute)
		s.Browser().SignInAs(servertest.Username, "guess")
	}
	page := b.Get("/account")
	page.Expect(http.StatusOK)
	if len(page.Body) > 30<<10 {
		t.Errorf("the page has %d bytes", len(page.Body))
	}
	// Whatever the address says was done, only what can be done is shown.
	if odd := b.Get("/account?done=you+have+won"); strings.Contains(odd.Body, "you have won") {
		t.Error("an address puts words on the page")
	}
}

func TestAccountWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	s := servertest.New(t, servertest.Store(outage))
	b := signedIn(s)
	outage.Away(true)
	page := b.Get("/account")
	if page.Expect(http.StatusServiceUnavailable); page.Has("/login") {
		t.Error("an outage looks like being signed out")
	}
	b.Post(account.SignOutPath).Expect(http.StatusServiceUnavailable)
	if b.Cookie(session.CookieName) == "" {
		t.Error("the cookie is gone, the session is not")
	}
	outage.Away(false)
	if !knows(b) {
		t.Error("the session did not outlive the outage")
	}
}

// After the answer to whatever ends something nothing that is made later lives, whatever was under way.
func TestStatement40EndsAgainstCodesAndRefreshes(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(here *servertest.Browser, other storage.ID, password, next string) *servertest.Page{
		"password change": func(here *servertest.Browser, _ storage.ID, password, next string) *servertest.Page {
			return here.Post(account.PasswordPath, "current_password", password, "new_password", next, "new_password_again", next)
		},
		"session ended": func(here *servertest.Browser, other storage.ID, _, _ string) *servertest.Page {
			return here.Post(account.EndSessionPath, "session", other.String())
		},
		"application ended": func(here *servertest.Browser, _ storage.ID, _, _ string) *servertest.Page {
			return here.Post(account.EndApplicationPath, "client_id", "portal")
		},
		"everything ended": func(here *servertest.Browser, _ storage.ID, _, _ string) *servertest.Page {
			return here.Post(account.EndAllPath)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
				s := servertest.New(t, servertest.Store(open(t)))
				password := servertest.Password
				for round := range 10 {
					next := fmt.Sprintf("new password number %d", round)
					endAgainstCodes(t, s, password, func(here *servertest.Browser, other storage.ID) {
						if page := end(here, other, password, next); page.Hops == nil || page.Status != http.StatusOK {
							t.Errorf("round %d: the browser is at %s (%d)", round, page.URL, page.Status)
						}
					})
					if name == "password change" {
						password = next
					}
				}
			})
		})
	}
}

// endAgainstCodes lets an application of another browser redeem codes and refresh while something ends.
func endAgainstCodes(t *testing.T, s *servertest.Server, password string, end func(here *servertest.Browser, other storage.ID)) {
	t.Helper()
	s.Clock.Advance(time.Hour) // the throttle
	here, other := s.Browser(), s.Browser()
	other.UserAgent = fmt.Sprint("other ", s.Clock.Now())
	here.SignInAs(servertest.Username, password)
	other.SignInAs(servertest.Username, password)
	held := tokens(s, other, s.Portal)
	codes := []string{other.Code(s.Portal), other.Code(s.Portal), other.Code(s.Portal)}
	id := sessionOf(t, s, servertest.UserID, other.UserAgent)

	var mu sync.Mutex
	minted := []string{held.Access}
	keep := func(a *servertest.Answer) {
		if a.Status == http.StatusOK {
			mu.Lock()
			defer mu.Unlock()
			minted = append(minted, a.String("access_token"))
		}
	}
	var wg sync.WaitGroup
	for _, code := range codes {
		wg.Go(func() { keep(s.Redeem(s.Portal, code)) })
	}
	wg.Go(func() { keep(s.Refresh(s.Portal, held.Refresh)) })
	end(here, id)
	wg.Wait()
	for _, access := range minted {
		if active(s, access) {
			t.Error("a token outlives the end")
		}
	}
}
