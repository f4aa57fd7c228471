package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

const wrong = "not the password"

func signIn(b *servertest.Browser, password string) *servertest.Page {
	return b.SignInAs(servertest.Username, password)
}

func TestStatement12PasswordIsAnsweredWith303(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := s.PostForm("/login", servertest.Form("username", servertest.Username, "password", servertest.Password)).Expect(http.StatusSeeOther)
	if a.Body != "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer is %v %q", a.Header, a.Body)
	}
	page := s.Browser().Authorize(s.Web).Form("/login").
		Set("username", servertest.Username, "password", servertest.Password).Submit()
	for _, hop := range page.Hops {
		if hop != http.StatusSeeOther {
			t.Errorf("redirects by %v", page.Hops)
		}
	}
	if len(page.Hops) < 2 || !page.Has("/consent") {
		t.Errorf("after the login the browser is at %s by %v", page.URL, page.Hops)
	}
}

func TestLoginLeadsToTheAccountPage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	if page := signIn(b, servertest.Password); page.URL != s.URL+"/account" || page.Status != http.StatusOK {
		t.Errorf("the browser is at %s (%d)", page.URL, page.Status)
	}
	first := b.Cookie(session.CookieName)
	if !strings.HasPrefix(first, "lk_bs_") {
		t.Fatalf("the cookie is %q", first)
	}
	if page := b.Get("/login"); page.URL != s.URL+"/account" || page.Has("/login") {
		t.Errorf("who is signed in is asked again at %s", page.URL)
	}
	if b.Cookie(session.CookieName) != first {
		t.Error("the cookie has changed without a login")
	}
}

func TestWrongPasswordAndUnknownUserLookTheSame(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	bad := signIn(b, wrong)
	unknown := b.SignInAs("nobody", wrong)
	bad.Expect(http.StatusUnauthorized)
	unknown.Expect(http.StatusUnauthorized)
	if want := strings.ReplaceAll(bad.Body, servertest.Username, "nobody"); unknown.Body != want {
		t.Errorf("an unknown user gets\n%s\ninstead of\n%s", unknown.Body, want)
	}
	if got := bad.Form("/login").Fields.Get("username"); got != servertest.Username {
		t.Errorf("the name that was typed is gone: %q", got)
	}
	if strings.Contains(bad.Body, wrong) {
		t.Error("the password is in the page")
	}
	if b.Cookie(session.CookieName) != "" {
		t.Error("somebody is signed in")
	}
}

func TestThrottledLogin(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	for range 20 {
		signIn(b, wrong).Expect(http.StatusUnauthorized)
	}
	page := signIn(b, servertest.Password)
	page.Expect(http.StatusTooManyRequests)
	if page.Header.Get("Retry-After") != "30" || !page.Has("/login") || b.Cookie(session.CookieName) != "" {
		t.Errorf("the answer is %v", page.Header)
	}
	s.Clock.Advance(time.Minute)
	if page := signIn(b, servertest.Password); page.URL != s.URL+"/account" {
		t.Errorf("the browser is at %s (%d)", page.URL, page.Status)
	}
}

func TestStatement16ReturnToLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, target := range []string{
		"https://evil.example/", "//evil.example/account", `/\evil.example`, "https:evil.example", "https://a@evil.example/account",
		"/oauth2/authorize?client_id=web&continue=x", "javascript:alert(1)", "/account/../../evil", "%2f%2fevil.example",
	} {
		b := s.Browser()
		address := "/login?" + url.Values{"return_to": {target}}.Encode()
		page := b.Get(address).Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
		if page.Left != "" || page.URL != s.URL+"/account" {
			t.Errorf("%q leads to %q %q", target, page.URL, page.Left)
		}
		if page := b.Get(address); page.Left != "" || page.URL != s.URL+"/account" { // signed in
			t.Errorf("%q leads to %q %q", target, page.URL, page.Left)
		}
		forged := s.Browser().Post("/login", "username", servertest.Username, "password", servertest.Password, "return_to", target)
		if forged.Left != "" || strings.Contains(forged.URL, "evil.example") && !strings.Contains(forged.URL, "/login?") {
			t.Errorf("%q in the form leads to %q %q", target, forged.URL, forged.Left)
		}
	}
}

func TestLoginIsNotForPagesOfOtherSites(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	page := b.PostForeign("/login", "username", servertest.Username, "password", servertest.Password)
	page.Expect(http.StatusForbidden)
	if b.Cookie(session.CookieName) != "" {
		t.Error("a page of another site has signed the browser in")
	}
}

func TestLoginHintIsFilledIn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	page := s.Browser().Authorize(s.Web, "login_hint", `"><script>alice`)
	if got := page.Form("/login").Fields.Get("username"); got != `"><script>alice` {
		t.Errorf("the name is %q", got)
	}
	if strings.Contains(page.Body, "<script>alice") {
		t.Error("the hint is markup")
	}
	if long := s.Browser().Authorize(s.Web, "login_hint", strings.Repeat("x", 3000)); len(long.Form("/login").Fields.Get("username")) > 1024 {
		t.Error("a hint of any length is shown")
	}
}

func TestSignedInUserGoesOnWithoutAPassword(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	waiting := b.Authorize(s.Portal) // a tab that waits at the login
	other := b.Get("/login").Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	if other.URL != s.URL+"/account" {
		t.Fatalf("the browser is at %s", other.URL)
	}
	if b.Get(waiting.URL).Response(servertest.Callback).Get("code") == "" {
		t.Error("the tab that has waited gets no code")
	}
}

func TestSelectAccount(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	signIn(b, servertest.Password)
	s.Clock.Advance(time.Minute)
	before := b.Cookie(session.CookieName)
	ask := func() *servertest.Page { return b.Authorize(s.Portal, "prompt", "select_account") }
	page := ask()
	if !page.Has("/login") || !strings.Contains(page.Body, servertest.Username) {
		t.Fatalf("the account is not asked for: %s", page.URL)
	}
	// A wrong password does not take the choice away.
	page = b.Post("/login", "username", "bob", "password", "wrong", "return_to", page.Form("/login").Fields.Get("return_to"))
	if page.Status != http.StatusUnauthorized || !strings.Contains(page.Body, `value="continue"`) {
		t.Errorf("after a wrong password: %d %s", page.Status, page.Body)
	}
	if page.Form("/login").Press("action", "continue").Response(servertest.Callback).Get("code") == "" {
		t.Error("no code for the account that was chosen")
	}
	if b.Cookie(session.CookieName) != before {
		t.Error("choosing the account was a login")
	}
	// Pressing the button without being signed in is no way in.
	stranger := s.Browser()
	form := ask().Form("/login")
	if page := stranger.Post("/login", "action", "continue", "return_to", form.Fields.Get("return_to")); page.Left != "" || !page.Has("/login") {
		t.Errorf("a stranger gets to %s %s", page.URL, page.Left)
	}
	// Nor without the page: prompt=login asks for a password.
	form = b.Authorize(s.Portal, "prompt", "login").Form("/login")
	if page := b.Post("/login", "action", "continue", "return_to", form.Fields.Get("return_to")); page.Left != "" || !page.Has("/login") {
		t.Errorf("prompt=login was skipped: %s %s", page.URL, page.Left)
	}
}

func TestAnotherAccountCanBeChosen(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.AddUser(users.NewUser{ID: 2, Username: "bob", Active: true}, servertest.Password)
	b := s.Browser()
	signIn(b, servertest.Password)
	s.Clock.Advance(time.Minute)
	before := b.Cookie(session.CookieName)
	form := b.Authorize(s.Portal, "prompt", "select_account").Form("/login")
	answer := b.Post("/login", "username", "bob", "password", servertest.Password, "return_to", form.Fields.Get("return_to"))
	if answer.Response(servertest.Callback).Get("code") == "" || b.Cookie(session.CookieName) == before {
		t.Error("the other user gets no code")
	}
	b.SetCookie(session.CookieName, before)
	if !b.Get("/account").Has("/login") {
		t.Error("the session of the user who left is still good")
	}
}

func TestBrowserWithoutCookiesIsTold(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.KeepsNoCookies = true
	page := signIn(b, servertest.Password)
	if !page.Has("/login") || len(page.Hops) != 1 || page.Body == b.Get("/login").Body {
		t.Errorf("the browser is at %s by %v: %s", page.URL, page.Hops, page.Body)
	}
}

func TestLoginForARequestThatIsTooOld(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	form := b.Authorize(s.Web).Form("/login").Set("username", servertest.Username, "password", servertest.Password)
	s.Clock.Advance(2 * time.Hour)
	form.Submit().Expect(http.StatusBadRequest)
	if b.Cookie(session.CookieName) != "" {
		t.Error("somebody is signed in")
	}
}

func TestLoginWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	s := servertest.New(t, servertest.Store(outage))
	b := s.Browser()
	signIn(b, servertest.Password)
	form := s.Browser().Get("/login").Form("/login").Set("username", servertest.Username, "password", servertest.Password)
	outage.Away(true)
	form.Submit().Expect(http.StatusServiceUnavailable)
	// The cookie may be good: nobody can tell, and asking for the password would say that it is not.
	page := b.Get("/login")
	if page.Expect(http.StatusServiceUnavailable); page.Has("/login") {
		t.Error("an outage looks like being signed out")
	}
	outage.Away(false)
	if page := b.Get("/login"); page.URL != s.URL+"/account" {
		t.Errorf("the session did not outlive the outage: %s", page.URL)
	}
}

func TestRememberedLoginHasNoIdleEnd(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	plain, remembered := s.Browser(), s.Browser()
	signIn(plain, servertest.Password)
	remembered.Get("/login").Form("/login").
		Set("username", servertest.Username, "password", servertest.Password, "remember", "1").Submit()
	s.Clock.Advance(20 * 24 * time.Hour)
	if !plain.Get("/account").Has("/login") {
		t.Error("the idle session lives")
	}
	if page := remembered.Get("/account"); page.URL != s.URL+"/account" {
		t.Errorf("the remembered session has ended: %s", page.URL)
	}
}

func TestLoginUnderAnIssuerWithAPath(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Issuer += "/auth" }))
	b := s.Browser()
	page := b.Get("/auth/account")
	if !page.Has("/auth/login") {
		t.Fatalf("the browser is at %s: %s", page.URL, page.Body)
	}
	page = page.Form("/auth/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	if page.URL != s.URL+"/auth/account" {
		t.Errorf("the browser is at %s", page.URL)
	}
}

func TestLoginIsAudited(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	s.Clock.Advance(time.Second) // events of one millisecond have no order
	signIn(b, wrong)
	s.Clock.Advance(time.Second)
	signIn(b, servertest.Password)
	list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{UserID: servertest.UserID, Limit: 2})
	if err != nil || len(list) != 2 || list[0].Action != "login_succeeded" || list[1].Action != "login_failed" {
		t.Errorf("the events are %+v (%v)", list, err)
	}
	u, err := s.Store.User(t.Context(), servertest.UserID)
	if err != nil || !u.LastLogin.Equal(s.Clock.Now()) {
		t.Errorf("the last login is %s (%v)", u.LastLogin, err)
	}
	if log := s.Log.String(); strings.Contains(log, wrong) || strings.Contains(log, servertest.Password) || strings.Contains(log, b.Cookie(session.CookieName)) {
		t.Error("a secret is in the log")
	}
}

// Statement 15: the answer to prompt=login is a new login, in the session that clients know by its sid.
func TestStatement15LoginAgainKeepsTheSession(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	signIn(b, servertest.Password)
	before := b.Cookie(session.CookieName)
	only := func() *storage.BrowserSession {
		t.Helper()
		list, err := s.Store.ListBrowserSessions(t.Context(), servertest.UserID, s.Clock.Now(), 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d sessions (%v)", len(list), err)
		}
		return list[0]
	}
	first := only()
	for _, ask := range [][]string{{"prompt", "login"}, {"max_age", "0"}} {
		s.Clock.Advance(time.Minute)
		page := b.Authorize(s.Portal, ask...)
		answer := page.Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
		if answer.Response(servertest.Callback).Get("code") == "" {
			t.Fatalf("%v: no code", ask)
		}
		now := only()
		if now.ID != first.ID || !now.AuthTime.Equal(s.Clock.Now()) {
			t.Errorf("%v: the session is %v of %s, it was %v", ask, now.ID, now.AuthTime, first.ID)
		}
		if b.Cookie(session.CookieName) == before {
			t.Errorf("%v: the cookie is the old one", ask)
		}
		before = b.Cookie(session.CookieName)
	}
}

// R26, R38: the login page and the password grant take every spelling that Django's login form takes; /api/token/ compares.
func TestR26SpellingsOfTheUsername(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.AddUser(users.NewUser{Username: "Zoë", Active: true}, "correct horse")
	for name, drf := range map[string]int{"Zoë": http.StatusOK, " Zoë ": http.StatusOK, "Zoe\u0308": http.StatusUnauthorized} {
		s.PostForm("/login", servertest.Form("username", name, "password", "correct horse")).Expect(http.StatusSeeOther)
		s.Token(s.SPA, "grant_type", "password", "username", name, "password", "correct horse").Expect(http.StatusOK)
		s.PostJSON("/api/token/", map[string]string{"username": name, "password": "correct horse"}).Expect(drf)
	}
}
