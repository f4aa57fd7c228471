package oauth_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/claims"
	"latchkey/server/servertest"
	"latchkey/server/session"
)

var totpSecret = regexp.MustCompile(`<code class="secret">([A-Z2-7 ]+)</code>`)

// enrolTOTP adds an application for the user, and returns what draws its next code.
func enrolTOTP(t *testing.T, s *servertest.Server) (next func() string) {
	t.Helper()
	page := s.Browser().Get("/account/security").Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	secret := strings.ReplaceAll(totpSecret.FindStringSubmatch(page.Body)[1], " ", "")
	next = func() string {
		s.Clock.Advance(30 * time.Second)
		code, err := totp.GenerateCode(secret, s.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	page.FormWith("code").Set("code", next()).Submit().Expect(http.StatusOK)
	return next
}

func TestPasswordGrantWithASecondFactor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	client := func(id string, answer clients.PasswordGrantSecondFactor) servertest.Client {
		return s.AddClient(clients.Registration{
			ID: id, Policy: clients.Policy{PasswordGrantSecondFactor: answer},
			Metadata: clients.Metadata{GrantTypes: []string{"password", "refresh_token"}, Scope: "openid"},
		})
	}
	ignore, appends := client("ignore", clients.SecondFactorIgnore), client("append", clients.SecondFactorAppend)
	grant := func(c servertest.Client, password string, more ...string) *servertest.Answer {
		return s.Token(c, append([]string{"grant_type", "password", "username", servertest.Username, "password", password}, more...)...)
	}
	before, simple := s.Login(s.Backend), s.LoginSimpleJWT()
	grant(appends, servertest.Password).Expect(200)
	grant(appends, servertest.Password+"123456").ExpectError(400, "invalid_grant")
	next := enrolTOTP(t, s)

	refused := grant(s.Backend, servertest.Password).ExpectError(400, "invalid_grant")
	if text := refused.String("error_description"); !strings.Contains(text, "second factor") || !strings.Contains(text, "password_grant_second_factor") {
		t.Errorf("the description is %q", text)
	}
	wrong := grant(s.Backend, "wrong").ExpectError(400, "invalid_grant")
	if strings.Contains(wrong.Body, "factor") {
		t.Errorf("a wrong password tells of the second factor: %s", wrong.Body)
	}
	if a := s.PostJSON("/api/token/", map[string]string{"username": servertest.Username, "password": servertest.Password}).Expect(401); !strings.Contains(a.Body, "No active account found") || a.Header.Get("X-Latchkey-Reason") != "second_factor" {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	grant(ignore, servertest.Password).Expect(200)
	// Sessions from before go on.
	s.Refresh(s.Backend, before.Refresh).Expect(200)
	s.RefreshSimpleJWT(simple.Refresh).Expect(200)

	// RFC 6238 §5.2 holds here too.
	grant(appends, servertest.Password).ExpectError(400, "invalid_grant")
	grant(appends, servertest.Password+"000000").ExpectError(400, "invalid_grant")
	code := next()
	grant(appends, "wrong"+code).ExpectError(400, "invalid_grant")
	id := grant(appends, servertest.Password+code, "scope", "openid").Expect(200).IDToken()
	if id["acr"] != claims.ACRMultiFactor {
		t.Errorf("the ID token has %v", id)
	}
	grant(appends, servertest.Password+code).ExpectError(400, "invalid_grant")
	grant(s.Backend, servertest.Password+next()).ExpectError(400, "invalid_grant")
}

func TestSimpleJWTMayIgnoreOrAppendTheSecondFactor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	next := enrolTOTP(t, s)
	for answer, want := range map[clients.PasswordGrantSecondFactor][2]int{
		clients.SecondFactorRefuse: {401, 401}, clients.SecondFactorIgnore: {200, 401}, clients.SecondFactorAppend: {401, 200},
	} {
		r := s.Replica(t, servertest.Configure(func(c *server.Config) { c.SimpleJWT.SecondFactor = answer }))
		for i, password := range []string{servertest.Password, servertest.Password + next()} {
			a := r.PostJSON("/api/token/", map[string]string{"username": servertest.Username, "password": password})
			if a.Status != want[i] {
				t.Errorf("%s: %d %s", answer, a.Status, a.Body)
			}
		}
	}
}

// OpenID Connect Core §3.1.2.1, §5.5.1.1; RFC 9470 §4.
func TestACRValues(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	essential := func(acr string) string { return `{"id_token":{"acr":{"essential":true,"value":"` + acr + `"}}}` }
	b := s.Browser()
	b.SignIn()
	s.Clock.Advance(time.Second)
	ask := func(more ...string) *servertest.Page { return b.Authorize(s.Portal, more...) }
	id := func(p *servertest.Page) map[string]any {
		t.Helper()
		return s.Redeem(s.Portal, p.Response(servertest.Callback).Get("code")).Expect(200).IDToken()
	}
	// Somebody without a second factor: what is only wished for is not asked, what is essential is added at the login.
	if got := id(ask("acr_values", claims.ACRMultiFactor)); got["acr"] != claims.ACRPassword {
		t.Errorf("acr %v", got["acr"])
	}
	if got := ask("claims", essential(claims.ACRMultiFactor), "prompt", "none").Response(servertest.Callback).Get("error"); got != "login_required" {
		t.Errorf("prompt=none: %s", got)
	}
	login := func(p *servertest.Page) *servertest.Page {
		t.Helper()
		return p.Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	}
	if page := login(ask("claims", essential(claims.ACRMultiFactor))); !totpSecret.MatchString(page.Body) {
		t.Errorf("no enrolment at %s", page.URL)
	}
	next := enrolTOTP(t, s)

	// Step-up: with a session of a password alone, both kinds lead to a login.
	for _, more := range [][]string{{"acr_values", claims.ACRMultiFactor}, {"claims", essential(claims.ACRMultiFactor)}} {
		b = s.Browser()
		b.SetCookie(session.CookieName, passwordSession(t, s))
		s.Clock.Advance(time.Second)
		if page := b.Get("/account"); page.URL != s.URL+"/account" {
			t.Fatalf("not signed in: %s", page.URL)
		}
		page := login(ask(more...))
		got := id(page.Form("/login/second-factor").Set("code", next()).Submit())
		if got["acr"] != claims.ACRMultiFactor || got["auth_time"] != float64(s.Clock.Now().Unix()) {
			t.Errorf("%v: acr %v, auth_time %v", more, got["acr"], got["auth_time"])
		}
		s.Clock.Advance(time.Second)
		if again := id(ask(more...)); again["acr"] != claims.ACRMultiFactor {
			t.Errorf("%v, at once: %v", more, again["acr"])
		}
	}
	// A stronger login is a weaker one too, and says so if it is asked.
	if got := id(ask("acr_values", claims.ACRPassword)); got["acr"] != claims.ACRPassword {
		t.Errorf("acr %v", got["acr"])
	}
	if got := ask("claims", essential("urn:unknown")).Response(servertest.Callback).Get("error"); got != "unmet_authentication_requirements" {
		t.Errorf("an unknown acr: %s", got)
	}
	// prompt=login and max_age ask for the second factor as well.
	for _, more := range [][]string{{"prompt", "login"}, {"max_age", "0"}} {
		s.Clock.Advance(time.Minute)
		page := login(ask(more...))
		if got := id(page.Form("/login/second-factor").Set("code", next()).Submit()); got["auth_time"] != float64(s.Clock.Now().Unix()) || got["acr"] != claims.ACRMultiFactor {
			t.Errorf("%v: %v", more, got)
		}
	}
	values, _ := s.Get("/.well-known/openid-configuration").JSON()["acr_values_supported"].([]any)
	if len(values) != 2 { // no passkeys where the issuer is an IP address
		t.Errorf("acr_values_supported is %v", values)
	}
}

// passwordSession returns the cookie of a session whose login had only a password, such as one from before the second factor was added.
func passwordSession(t *testing.T, s *servertest.Server) string {
	t.Helper()
	off := s.Replica(t, servertest.Configure(func(c *server.Config) { c.SecondFactor = "off" }))
	b := off.Browser()
	b.SignIn()
	return b.Cookie(session.CookieName)
}
