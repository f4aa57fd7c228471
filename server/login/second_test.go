package login_test

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"latchkey/server"
	"latchkey/server/factors"
	"latchkey/server/servertest"
	"latchkey/server/session"
	"latchkey/storage"
)

var (
	secretText   = regexp.MustCompile(`<code class="secret">([A-Z2-7 ]+)</code>`)
	recoveryText = regexp.MustCompile(`<code>([0-9A-Z]{5}-[0-9A-Z]{5})</code>`)
)

// app is an application that shows codes.
type app struct {
	s      *servertest.Server
	secret string
}

// code returns the code of the present step.
func (a *app) code(t *testing.T) string {
	t.Helper()
	code, err := totp.GenerateCode(a.secret, a.s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// next waits for the next step, whose code is unused, and returns it.
func (a *app) next(t *testing.T) string {
	t.Helper()
	a.s.Clock.Advance(30 * time.Second)
	return a.code(t)
}

// readApp reads the secret of a page.
func readApp(t *testing.T, s *servertest.Server, page *servertest.Page) *app {
	t.Helper()
	found := secretText.FindStringSubmatch(page.Body)
	if found == nil {
		t.Fatalf("no secret at %s: %s", page.URL, page.Body)
	}
	return &app{s, strings.ReplaceAll(found[1], " ", "")}
}

// enrol adds an application for the user of a fresh browser, and returns the recovery codes.
func enrol(t *testing.T, s *servertest.Server) (*app, []string) {
	t.Helper()
	b := s.Browser()
	page := b.Get("/account/security").Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	a := readApp(t, s, page)
	page = totpForm(page).Set("code", a.code(t), "name", "Phone").Submit()
	var codes []string
	for _, m := range recoveryText.FindAllStringSubmatch(page.Body, -1) {
		codes = append(codes, m[1])
	}
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes: %s", len(codes), page.Body)
	}
	s.Clock.Advance(30 * time.Second)
	return a, codes
}

// totpForm returns the form that adds an application.
func totpForm(p *servertest.Page) *servertest.PageForm { return p.FormWith("code") }

func TestSecondFactorAtLogin(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a, _ := enrol(t, s)
	b := s.Browser()
	b.Authorize(s.Portal)
	page := b.Authorize(s.Portal).Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	if !page.Has("/login/second-factor") || b.Cookie(session.CookieName) != "" {
		t.Fatalf("the browser is at %s, signed in: %v", page.URL, b.Cookie(session.CookieName) != "")
	}
	if !b.Get("/account").Has("/login") {
		t.Error("the account page is open without the second factor")
	}
	form := page.Form("/login/second-factor")
	if wrong := form.Set("code", "000000").Submit(); wrong.Status != http.StatusUnauthorized || b.Cookie(session.CookieName) != "" {
		t.Errorf("a wrong code: %d", wrong.Status)
	}
	used := a.code(t)
	answer := form.Set("code", used[:3]+" "+used[3:]).Submit()
	claims := s.Redeem(s.Portal, answer.Response(servertest.Callback).Get("code")).Expect(200).IDToken()
	if got := claims["amr"]; !sameList(got, "pwd", "otp", "mfa") || claims["acr"] != "http://schemas.openid.net/pape/policies/2007/06/multi-factor" {
		t.Errorf("amr %v, acr %v", got, claims["acr"])
	}
	// Statement 56, RFC 6238 §5.2: the code is used up, in another browser too.
	other := s.Browser()
	again := other.SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor").Set("code", used).Submit()
	if again.Status != http.StatusUnauthorized || other.Cookie(session.CookieName) != "" {
		t.Errorf("a used code: %d", again.Status)
	}
	if page := again.Form("/login/second-factor").Set("code", a.next(t)).Submit(); page.URL != s.URL+"/account" {
		t.Errorf("the next code leads to %s (%d)", page.URL, page.Status)
	}
}

func sameList(got any, want ...string) bool {
	list, _ := got.([]any)
	if len(list) != len(want) {
		return false
	}
	for i, w := range want {
		if list[i] != w {
			return false
		}
	}
	return true
}

// Nothing about the account is told before the password was right.
func TestWrongPasswordTellsNothingOfASecondFactor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	before := s.Browser().SignInAs(servertest.Username, wrong)
	enrol(t, s)
	after := s.Browser().SignInAs(servertest.Username, wrong)
	if before.Status != after.Status || before.Body != after.Body || after.Header.Get("Set-Cookie") != "" {
		t.Errorf("%d %d\n%s\n%s", before.Status, after.Status, before.Body, after.Body)
	}
}

// Statement 56: one of any number of requests with one code is accepted, on two servers.
func TestStatement56CodesInParallel(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a, recovery := enrol(t, s)
	replica := s.Replica(t, servertest.Configure(func(c *server.Config) { c.Issuer = s.URL }))
	for what, code := range map[string]func() string{
		"totp": func() string { return a.next(t) }, "recovery": func() string { return strings.ToLower(recovery[0]) },
	} {
		const n = 8
		forms := make([]*servertest.PageForm, n)
		browsers := make([]*servertest.Browser, n)
		for i := range n {
			browsers[i] = s.Browser()
			if i%2 == 1 {
				browsers[i] = replica.Browser()
			}
			forms[i] = browsers[i].SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor")
		}
		text := code()
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { forms[i].Set("code", text).Submit() })
		}
		wg.Wait()
		in := 0
		for _, b := range browsers {
			if b.Cookie(session.CookieName) != "" {
				in++
			}
		}
		if in != 1 {
			t.Errorf("%s: %d are signed in", what, in)
		}
		s.Clock.Advance(time.Hour) // the guesses are given back
	}
}

// Statement 56: guesses are limited for the account, whatever browser they come from; parallel ones count too.
func TestStatement56GuessesAreLimited(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a, recovery := enrol(t, s)
	throttled := 0
	for range 3 {
		form := s.Browser().SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor")
		for range 5 {
			if page := form.Set("code", "000000").Submit(); page.Status == http.StatusTooManyRequests {
				throttled++
				if page.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			}
		}
	}
	if throttled != 5 {
		t.Errorf("%d of 15 guesses were refused", throttled)
	}
	b := s.Browser()
	form := b.SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor")
	for _, code := range []string{a.code(t), recovery[0]} {
		if page := form.Set("code", code).Submit(); page.Status != http.StatusTooManyRequests {
			t.Errorf("the right code after too many: %d", page.Status)
		}
	}
	s.Clock.Advance(2 * time.Minute)
	form = b.SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor")
	if page := form.Set("code", a.code(t)).Submit(); page.URL != s.URL+"/account" {
		t.Errorf("later: %s (%d)", page.URL, page.Status)
	}
}

func TestRecoveryCodesWorkOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	_, recovery := enrol(t, s)
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		code := recovery[3]
		if i == 0 {
			code = " " + strings.ToLower(strings.ReplaceAll(code, "-", " ")) + " "
		}
		page := s.Browser().SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor").Set("code", code).Submit()
		if page.Status != want {
			t.Errorf("use %d: %d at %s", i+1, page.Status, page.URL)
		}
	}
	list, err := s.Store.ListFactors(t.Context(), servertest.UserID)
	if err != nil || len(list) != 10 {
		t.Errorf("%d factors, %v", len(list), err)
	}
	for _, f := range list {
		if strings.Contains(string(f.Data)+string(f.Lookup[:]), recovery[4]) {
			t.Error("a code is stored as it is")
		}
	}
}

// A login that waits for its second factor ends with the password, with the account, and with its time; and it is bound to its content.
func TestAPendingLoginEnds(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(s *servertest.Server, b *servertest.Browser) error{
		"time": func(s *servertest.Server, _ *servertest.Browser) error { s.Clock.Advance(11 * time.Minute); return nil },
		"password": func(s *servertest.Server, _ *servertest.Browser) error {
			return s.Users().SetPassword(t.Context(), servertest.UserID, "another good password")
		},
		"disabled": func(s *servertest.Server, _ *servertest.Browser) error {
			return s.Users().Disable(t.Context(), servertest.UserID)
		},
		"forged": func(_ *servertest.Server, b *servertest.Browser) error {
			value := b.Cookie("__Host-latchkey_login")
			b.SetCookie("__Host-latchkey_login", value[:len(value)-2]+"AA")
			return nil
		},
		"gone": func(_ *servertest.Server, b *servertest.Browser) error {
			b.SetCookie("__Host-latchkey_login", "")
			return nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t)
			a, _ := enrol(t, s)
			b := s.Browser()
			form := b.SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor")
			if err := end(s, b); err != nil {
				t.Fatal(err)
			}
			page := form.Set("code", a.next(t)).Submit()
			if b.Cookie(session.CookieName) != "" || !page.Has("/login") {
				t.Errorf("at %s", page.URL)
			}
		})
	}
}

func TestRememberedBrowser(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a, _ := enrol(t, s)
	b := s.Browser()
	b.SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor").Set("code", a.next(t), "remember", "on").Submit()
	b.SetCookie(session.CookieName, "")
	// Neither the second factor nor the password of another user is remembered.
	if page := b.SignInAs(servertest.Username, wrong); page.Status != http.StatusUnauthorized {
		t.Errorf("a wrong password in a remembered browser: %d", page.Status)
	}
	if page := b.SignInAs(servertest.Username, servertest.Password); page.URL != s.URL+"/account" {
		t.Fatalf("asked again: %s", page.URL)
	}
	claims := s.Redeem(s.Portal, b.Authorize(s.Portal).Response(servertest.Callback).Get("code")).Expect(200).IDToken()
	if !sameList(claims["amr"], "pwd", "rba") || strings.Contains(claims["acr"].(string), "multi-factor") {
		t.Errorf("amr %v, acr %v: it must not say more than was done", claims["amr"], claims["acr"])
	}
	// It is not enough for changes of factors, nor for who asks for more.
	if page := b.Get("/account/security"); !page.Has("/login") {
		t.Errorf("the page of second factors is open: %s", page.URL)
	} else if page = page.Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit(); !page.Has("/login/second-factor") {
		t.Errorf("the page of second factors needs a password only: %s", page.URL)
	}
	mfa := []string{"acr_values", "http://schemas.openid.net/pape/policies/2007/06/multi-factor"}
	s.Clock.Advance(time.Second) // a login at the time of the request would be a new one
	page := b.Authorize(s.Portal, mfa...).Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	if !page.Has("/login/second-factor") {
		t.Errorf("acr_values in a remembered browser: %s", page.URL)
	}
	// It ends after 30 days, and with the password.
	s.Clock.Advance(factors.BrowserTTL)
	b.SetCookie(session.CookieName, "")
	page = b.SignInAs(servertest.Username, servertest.Password)
	if !page.Has("/login/second-factor") {
		t.Errorf("after 30 days: %s", page.URL)
	}
	page.Form("/login/second-factor").Set("code", a.code(t), "remember", "on").Submit()
	const next = storage.Secret("another good password")
	if err := s.Users().SetPassword(t.Context(), servertest.UserID, next); err != nil {
		t.Fatal(err)
	}
	if page := b.SignInAs(servertest.Username, string(next)); !page.Has("/login/second-factor") {
		t.Errorf("after a change of the password: %s", page.URL)
	}
}

// A change of the password is no login: it must not open what needs the second factor.
func TestAChangedPasswordIsNoSecondFactor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a, _ := enrol(t, s)
	b := s.Browser()
	b.SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor").Set("code", a.next(t)).Submit()
	s.Clock.Advance(11 * time.Minute)
	page := b.Get("/account").Form("/account/password").
		Set("current_password", servertest.Password, "new_password", "another good password", "new_password_again", "another good password").Submit()
	if page.URL != s.URL+"/account?done=password_changed" {
		t.Fatalf("at %s: %d", page.URL, page.Status)
	}
	if page := b.Get("/account/security"); !page.Has("/login") {
		t.Errorf("the page of second factors is open: %s", page.URL)
	}
}

func TestRequiredSecondFactor(t *testing.T) {
	t.Parallel()
	for what, require := range map[string]func(*server.Config){
		"all":   func(c *server.Config) { c.SecondFactor = factors.Required },
		"group": func(c *server.Config) { c.SecondFactorGroups = []string{"operators"} },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			plain := servertest.New(t)
			before := plain.Browser()
			before.SignInAs(servertest.Username, servertest.Password)
			groups := []string{"operators"}
			if err := plain.Store.UpdateUser(t.Context(), servertest.UserID, storage.UserChange{Groups: &groups}, plain.Clock.Now(), nil); err != nil {
				t.Fatal(err)
			}
			s := plain.Replica(t, servertest.Configure(require))
			b := s.Browser()
			page := b.Authorize(s.Portal).Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
			a := readApp(t, s, page)
			if b.Cookie(session.CookieName) != "" {
				t.Fatal("signed in without a second factor")
			}
			if page := totpForm(page).Set("code", "000000").Submit(); readApp(t, s, page).secret != a.secret || page.Status != http.StatusUnauthorized {
				t.Errorf("after a wrong code: %d, another secret", page.Status)
			}
			page = totpForm(page).Set("code", a.code(t)).Submit()
			if len(recoveryText.FindAllString(page.Body, -1)) != 10 || b.Cookie(session.CookieName) == "" {
				t.Fatalf("no recovery codes: %s", page.Body)
			}
			if b.Authorize(s.Portal).Response(servertest.Callback).Get("code") == "" {
				t.Error("no code")
			}
			if what == "all" { // a session from before
				old := s.Browser()
				old.SetCookie(session.CookieName, before.Cookie(session.CookieName))
				if !old.Get("/account").Has("/login") {
					t.Error("a session without a second factor is good")
				}
			}
		})
	}
}

// The pages on the way to a client are in the language that it asks for, down to the last (OpenID Connect Core §3.1.2.1).
func TestRecoveryCodesAreInTheLanguageOfTheRequest(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.SecondFactor = factors.Required }))
	page := s.Browser().Authorize(s.Portal, "ui_locales", "de").Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	a := readApp(t, s, page)
	page = totpForm(page).Set("code", a.code(t)).Submit()
	if len(recoveryText.FindAllString(page.Body, -1)) != 10 || !strings.Contains(page.Body, `<html lang="de"`) {
		t.Errorf("%d %s", page.Status, page.Body)
	}
}

func TestSecondFactorsCanBeOff(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	enrol(t, s)
	off := s.Replica(t, servertest.Configure(func(c *server.Config) { c.SecondFactor = factors.Off }))
	b := off.Browser()
	if page := b.SignInAs(servertest.Username, servertest.Password); page.URL != off.URL+"/account" || strings.Contains(page.Body, "/account/security") {
		t.Errorf("at %s", page.URL)
	}
	for _, path := range []string{"/account/security", "/login/second-factor", "/login/passkey"} {
		if page := b.Get(path); page.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, page.Status)
		}
	}
}

// The page after the password shows itself only to who has given the password, and takes no odd forms.
func TestHostileSecondFactorForms(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	enrol(t, s)
	if page := s.Browser().Get("/login/second-factor"); !page.Has("/login") {
		t.Errorf("without a login: %s", page.URL)
	}
	b := s.Browser()
	b.SignInAs(servertest.Username, servertest.Password)
	for _, code := range []string{"", "\u0661\u0662\u0663\u0664\u0665\u0666", strings.Repeat("1", 6000), "-1", "123456123456", "\u202e123456", `"><b>`} {
		page := b.Post("/login/second-factor", "code", code)
		if page.Status != http.StatusUnauthorized && page.Status != http.StatusTooManyRequests {
			t.Errorf("%.20q: %d", code, page.Status)
		}
		page = b.Post("/login/second-factor", "answer", code, "state", code)
		if page.Status >= 500 || b.Cookie(session.CookieName) != "" {
			t.Errorf("answer %.20q: %d", code, page.Status)
		}
	}
	for _, body := range [][]string{{"code", "1", "code", "2"}, {"code", "a\x00b"}, {"code", "\xff"}} {
		if page := b.Post("/login/second-factor", body...); page.Status != http.StatusBadRequest {
			t.Errorf("%q: %d", body, page.Status)
		}
	}
	if page := b.PostForeign("/login/second-factor", "code", "123456"); page.Status != http.StatusForbidden {
		t.Errorf("from another site: %d", page.Status)
	}
	for _, target := range []string{"https://evil.example/", "//evil.example", "/account/security/../../evil", "/account/securityx"} {
		if page := b.Get("/login/second-factor?return_to=" + target); strings.Contains(page.Body, `value="`+target) {
			t.Errorf("the page leads to %s", target)
		}
	}
}
