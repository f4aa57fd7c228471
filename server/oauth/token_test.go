package oauth_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/teststore"
)

func TestTokenAnswer(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := s.Token(s.SPA, "grant_type", "password", "username", "alice", "password", servertest.Password, "scope", "read").Expect(200)
	got := a.JSON()
	for name, want := range map[string]any{"token_type": "Bearer", "expires_in": 900.0, "scope": "read"} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	for _, name := range []string{"access_token", "refresh_token"} {
		if a.String(name) == "" {
			t.Errorf("no %s in %s", name, a.Body)
		}
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestRefreshAnswersTheNextToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	first := s.Login(s.SPA)
	a := s.Refresh(s.SPA, first.Refresh).Expect(200)
	if next := a.String("refresh_token"); next == "" || next == first.Refresh {
		t.Errorf("the next refresh token is %q", next)
	}
	s.Refresh(s.Backend, a.String("refresh_token")).ExpectError(400, "invalid_grant")
}

func TestClientCredentialsGetNoRefreshToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := s.Token(s.Backend, "grant_type", "client_credentials").Expect(200)
	if _, ok := a.JSON()["refresh_token"]; ok {
		t.Errorf("the answer is %s", a.Body)
	}
}

// RFC 6749 §2.3.1: not in the request URI. Queries are logged everywhere.
func TestParametersInTheQueryAreIgnored(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	form := servertest.Form("grant_type", "password", "username", "alice", "password", servertest.Password, "client_id", s.SPA.ID)
	s.PostForm("/oauth2/token?"+form.Encode(), nil).ExpectError(400, "invalid_request")
	s.PostForm("/oauth2/token?scope=read&grant_type=x&client_id=y&username=z", form).Expect(200)
}

func TestOnlyPost(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"} {
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"} {
			a := s.Do(method, path, "").Expect(405)
			if a.Header.Get("Allow") != "POST" {
				t.Errorf("%s %s: Allow is %q", method, path, a.Header.Get("Allow"))
			}
			if method != "HEAD" {
				a.ExpectError(405, "invalid_request")
			}
		}
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	body := "grant_type=client_credentials"
	for kind, want := range map[string]int{
		"application/x-www-form-urlencoded":                     200,
		"Application/X-WWW-Form-Urlencoded; charset=UTF-8":      200,
		"application/x-www-form-urlencoded;charset=\"utf-8\"":   200,
		"application/x-www-form-urlencoded; charset=ISO-8859-1": 200, // Apache's client says so of plain ASCII
		"application/json":                   400,
		"text/plain":                         400,
		"":                                   400,
		"multipart/form-data; boundary=x":    400,
		"application/x-www-form-urlencodedx": 400,
		"application/x-www-form-urlencoded, application/json": 400,
		"/": 400,
	} {
		a := s.Do("POST", "/oauth2/token", body, s.Backend.Basic(), func(r *http.Request) { r.Header["Content-Type"] = []string{kind} })
		if a.Status != want {
			t.Errorf("%q: %d %s", kind, a.Status, a.Body)
		}
		if want == 400 {
			a.ExpectError(400, "invalid_request")
		}
	}
}

func TestBadForms(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	password := "grant_type=password&client_id=spa&username=alice&password=" + url.QueryEscape(servertest.Password)
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"nothing":              {"", 400},
		"repeated":             {password + "&username=bob", 400},
		"repeated client_id":   {password + "&client_id=spa", 400},
		"repeated scope":       {password + "&scope=read&scope=write", 400},
		"repeated unknown":     {password + "&x=1&x=1", 400},
		"NUL":                  {"grant_type=password&client_id=spa&username=alice%00&password=x", 400},
		"not UTF-8":            {"grant_type=password&client_id=spa&username=alic%E9&password=x", 400},
		"broken escape":        {"grant_type=password&client_id=spa&username=alice&password=100%", 400},
		"JSON":                 {`{"grant_type":"password"}`, 400},
		"1,000 parameters":     {password + strings.Repeat("&x=", 1000), 400},
		"64 KiB":               {password + "&x=" + strings.Repeat("y", 64<<10-len(password)-3), 200},
		"more than 64 KiB":     {password + "&x=" + strings.Repeat("y", 64<<10), 413},
		"unknown parameters":   {password + "&state=1&login_hint=alice", 200},
		"no grant type":        {"client_id=spa&username=alice&password=x", 400},
		"empty grant type":     {"grant_type=&client_id=spa&username=alice&password=x", 400},
		"empty username":       {"grant_type=password&client_id=spa&username=&password=x", 400},
		"no refresh token":     {"grant_type=refresh_token&client_id=spa", 400},
		"empty scope is none":  {password + "&scope=", 200},
		"empty client secret":  {password + "&client_secret=", 200},
		"a NUL in an unknown":  {password + "&x=%00", 400},
		"invalid UTF-8 in one": {password + "&x=%ff", 400},
	} {
		a := s.Do("POST", "/oauth2/token", c.body, servertest.Header("Content-Type", "application/x-www-form-urlencoded"))
		if a.Status != c.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
			continue
		}
		if c.status != 200 {
			a.ExpectError(c.status, "invalid_request")
			if a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the error may be cached", name)
			}
		}
	}
}

func TestGrantTypes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Token(s.Backend, "grant_type", "urn:example:unknown").ExpectError(400, "unsupported_grant_type")
	s.Token(s.SPA, "grant_type", "client_credentials").ExpectError(400, "unauthorized_client")
}

// RFC 6749 §3.3: a scope is one token or more. A parameter without any counts as absent, as at the authorization endpoint, so that
// the answer always says what the token is for.
func TestAScopeWithoutTokensIsNone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, blank := range []string{" ", "   ", "\t"} {
		client := s.Token(s.Backend, "grant_type", "client_credentials", "scope", blank).Expect(200)
		login := s.Token(s.SPA, "grant_type", "password", "username", "alice", "password", servertest.Password, "scope", blank).Expect(200)
		next := s.Token(s.SPA, "grant_type", "refresh_token", "refresh_token", login.String("refresh_token"), "scope", blank).Expect(200)
		for grant, a := range map[string]*servertest.Answer{"client_credentials": client, "password": login, "refresh_token": next} {
			held := s.Introspect(s.Inspector, a.String("access_token")).Expect(200).String("scope")
			if got := a.String("scope"); got != "read write" || held != got {
				t.Errorf("%s with the scope %q: the answer has %q, the token %q", grant, blank, got, held)
			}
		}
	}
}

func TestResourceMayBeRepeated(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.AnyResource = true }))
	token := s.Token(s.Backend, "grant_type", "client_credentials", "resource", "https://a.example/", "resource", "https://b.example/").
		Expect(200).String("access_token")
	aud := fmt.Sprint(s.Introspect(s.Backend, token).Expect(200).JSON()["aud"])
	if aud != "[https://a.example/ https://b.example/]" {
		t.Errorf("aud is %s", aud)
	}
}

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	secret := s.Backend.Secret.Reveal()
	header := func(value string) servertest.Edit { return servertest.Header("Authorization", value) }
	basic := func(pair string) servertest.Edit {
		return header("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	none := func(*http.Request) {}

	for _, c := range []struct {
		name   string
		form   []string
		edit   servertest.Edit
		status int
		code   string
	}{
		{"client_secret_basic", nil, basic("backend:" + secret), 200, ""},
		{"client_secret_basic, percent-encoded", nil, basic("%62ackend:%6c" + strings.TrimPrefix(secret, "l")), 200, ""},
		{"client_secret_post", []string{"client_id", "backend", "client_secret", secret}, none, 200, ""},
		{"Basic names the same client again", []string{"client_id", "backend"}, basic("backend:" + secret), 200, ""},
		{"Basic names another client", []string{"client_id", "spa"}, basic("backend:" + secret), 400, "invalid_request"},
		{"two methods", []string{"client_id", "backend", "client_secret", secret}, basic("backend:" + secret), 400, "invalid_request"},
		{"two methods, the second without an id", []string{"client_secret", secret}, basic("backend:" + secret), 400, "invalid_request"},
		{"an assertion without its type", []string{"client_id", "backend", "client_assertion", "x"}, none, 400, "invalid_request"},
		{"a secret without an id", []string{"client_secret", secret}, none, 400, "invalid_request"},
		{"nothing", nil, none, 401, "invalid_client"},
		{"wrong secret", nil, basic("backend:wrong"), 401, "invalid_client"},
		{"wrong secret in the body", []string{"client_id", "backend", "client_secret", "wrong"}, none, 401, "invalid_client"},
		{"empty secret", nil, basic("backend:"), 401, "invalid_client"},
		{"no secret", []string{"client_id", "backend"}, none, 401, "invalid_client"},
		{"unknown client", nil, basic("nobody:" + secret), 401, "invalid_client"},
		{"empty id", nil, basic(":" + secret), 401, "invalid_client"},
		{"no colon", nil, basic("backend"), 401, "invalid_client"},
		{"unpadded", nil, header("Basic " + base64.RawStdEncoding.EncodeToString([]byte("%62ackend:"+secret))), 401, "invalid_client"},
		{"Bearer", nil, header("Bearer " + secret), 401, "invalid_client"},
		{"Bearer beside good credentials", []string{"client_id", "backend", "client_secret", secret}, header("Bearer x"), 401, "invalid_client"},
		{"two headers", nil, func(r *http.Request) { basic("backend:" + secret)(r); r.Header.Add("Authorization", "Basic eDp5") }, 400, "invalid_request"},
		{"a public client with a secret", []string{"client_id", "spa", "client_secret", "x"}, none, 401, "invalid_client"},
		{"a public client with a secret in the header", nil, basic("spa:x"), 401, "invalid_client"},
		// It gets as far as its grant type.
		{"a public client with an empty secret", []string{"client_id", "spa", "client_secret", ""}, none, 400, "unauthorized_client"},
		{"a public client with an empty secret in the header", nil, basic("spa:"), 400, "unauthorized_client"},
		{"NUL in the id", []string{"client_id", "back\x00end"}, none, 400, "invalid_request"},
	} {
		form := servertest.Form(append([]string{"grant_type", "client_credentials"}, c.form...)...)
		a := s.PostForm("/oauth2/token", form, c.edit)
		if a.Status != c.status {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Body)
			continue
		}
		if c.code == "" {
			continue
		}
		a.ExpectError(c.status, c.code)
		challenge := a.Header.Get("WWW-Authenticate")
		if strings.HasPrefix(challenge, `Basic realm="latchkey", error="`+c.code+`", error_description="`) != (c.status == 401) || strings.Count(challenge, `"`)%6 != 0 {
			t.Errorf("%s: WWW-Authenticate is %q", c.name, challenge)
		}
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the error may be cached", c.name)
		}
	}
	wrong := s.PostForm("/oauth2/token", servertest.Form("grant_type", "client_credentials"), basic("backend:wrong"))
	unknown := s.PostForm("/oauth2/token", servertest.Form("grant_type", "client_credentials"), basic("nobody:wrong"))
	if wrong.Body != unknown.Body {
		t.Errorf("a wrong secret says %s, an unknown client %s", wrong.Body, unknown.Body)
	}
}

func TestThrottledLoginSaysWhenToTryAgain(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for range 1000 {
		a := s.Token(s.SPA, "grant_type", "password", "username", "alice", "password", "wrong")
		if a.Status == 400 {
			a.ExpectError(400, "invalid_grant")
			continue
		}
		a.Expect(429)
		if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || seconds < 1 {
			t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
		}
		return
	}
	t.Error("1,000 guesses were let through")
}

// No client may drop a good session because the database is away.
func TestDatabaseAwayIs503NeverAnOAuthError(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	s := servertest.New(t, servertest.Store(outage))
	tokens := s.Login(s.Backend)
	stranger := servertest.Client{ID: "not-in-memory", Secret: "x"}
	resource := s.Token(s.Backend, "grant_type", "client_credentials").String("access_token")

	ask := map[string]func() *servertest.Answer{
		"refresh": func() *servertest.Answer { return s.Refresh(s.Backend, tokens.Refresh) },
		"password": func() *servertest.Answer {
			return s.Token(s.SPA, "grant_type", "password", "username", "alice", "password", "x")
		},
		"unknown client":       func() *servertest.Answer { return s.Token(stranger, "grant_type", "client_credentials") },
		"revoke":               func() *servertest.Answer { return s.Revoke(s.Backend, tokens.Refresh) },
		"introspect":           func() *servertest.Answer { return s.Introspect(s.Backend, tokens.Refresh) },
		"introspect, no grant": func() *servertest.Answer { return s.Introspect(s.Backend, resource) },
	}
	outage.Away(true)
	for name, send := range ask {
		a := send()
		if a.Status != 503 || a.String("error") != "temporarily_unavailable" || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After %q, %s", name, a.Status, a.Header.Get("Retry-After"), a.Body)
		}
		if strings.Contains(a.Body, "192.0.2.1") {
			t.Errorf("%s shows where the database is: %s", name, a.Body)
		}
	}
	s.Get("/oauth2/jwks").Expect(200)
	outage.Away(false)
	s.Refresh(s.Backend, tokens.Refresh).Expect(200)
}

func TestBrowsersOfOtherOrigins(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) {
		c.CORSOrigins = []string{"https://extra.example"}
		c.AllowLoopbackOrigins = true
	}))
	for _, c := range []struct {
		path, origin string
		allowed      bool
	}{
		{"/oauth2/token", servertest.Origin, true},
		{"/oauth2/revoke", servertest.Origin, true},
		{"/oauth2/token", "https://extra.example", true},
		{"/oauth2/token", "http://localhost:3000", true},
		{"/oauth2/token", "http://127.0.0.1:5173", true},
		{"/oauth2/token", "http://[::1]:5173", true},
		{"/oauth2/introspect", servertest.Origin, false},
		{"/oauth2/token", "http://app.example", false},
		{"/oauth2/token", "https://app.example.evil.example", false},
		{"/oauth2/token", "http://localhost.evil.example", false},
		{"/oauth2/token", "null", false},
	} {
		want := ""
		if c.allowed {
			want = c.origin
		}
		preflight := s.Do("OPTIONS", c.path, "", servertest.Header("Origin", c.origin),
			servertest.Header("Access-Control-Request-Method", "POST"), servertest.Header("Access-Control-Request-Headers", "authorization"))
		actual := s.PostForm(c.path, nil, servertest.Header("Origin", c.origin))
		for _, a := range []*servertest.Answer{preflight, actual} {
			if got := a.Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%s from %s: %d, Access-Control-Allow-Origin %q", c.path, c.origin, a.Status, got)
			}
			if a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: credentials are allowed", c.path)
			}
		}
		if c.allowed {
			preflight.Expect(204)
		}
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tokens := s.Login(s.Backend)
	next := s.Refresh(s.Backend, tokens.Refresh).Expect(200)
	s.Refresh(s.Backend, next.String("refresh_token")).Expect(200)
	s.Clock.Advance(11 * time.Second)
	s.Refresh(s.Backend, tokens.Refresh).ExpectError(400, "invalid_grant")
	s.Introspect(s.Backend, tokens.Access)
	s.Revoke(s.Backend, tokens.Access)
	s.Do("POST", "/oauth2/token?password=canary-query", "grant_type=password&password=canary-body%zz",
		servertest.Header("Content-Type", "application/x-www-form-urlencoded"), servertest.Header("Authorization", "Bearer canary-header"))
	s.Token(s.Backend, "grant_type", "password", "username", "alice", "password", "canary-password")
	s.Get("/oauth2/token/canary-path")
	s.Log.Requests(t, "/oauth2/token", 6)
	s.Log.Requests(t, "unmatched", 1)
	for _, secret := range []string{
		tokens.Access, tokens.Refresh, next.String("access_token"), next.String("refresh_token"),
		s.Backend.Secret.Reveal(), servertest.Password, "canary",
	} {
		if strings.Contains(s.Log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

func TestLogSaysWhyInOneEvent(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := s.Token(s.SPA, "grant_type", "password", "username", "alice", "password", "wrong").Expect(400)
	events := s.Log.Requests(t, "/oauth2/token", 1)
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	for name, want := range map[string]any{
		"status": 400.0, "client_id": "spa", "grant_type": "password", "reason": "bad_credentials", "level": "INFO",
		"request_id": a.Header.Get("X-Request-Id"),
	} {
		if events[0][name] != want {
			t.Errorf("%s is %v, want %v", name, events[0][name], want)
		}
	}
	if n := strings.Count(s.Log.String(), `"reason":`); n != 1 {
		t.Errorf("the reason is given %d times:\n%s", n, s.Log)
	}
}

func TestSessionKeepsWhereItBegan(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)))
		s.PostForm("/oauth2/token", servertest.Form("grant_type", "password", "client_id", "spa", "username", "alice", "password", servertest.Password),
			servertest.Header("User-Agent", "a browser \xff"), servertest.Header("X-Forwarded-For", "203.0.113.9")).Expect(200)
		grants, err := s.Store.ListGrants(t.Context(), storage.GrantFilter{UserID: servertest.UserID, Limit: 10})
		if err != nil || len(grants) != 1 {
			t.Fatalf("%v, %v", grants, err)
		}
		// 127.0.0.1 is no trusted proxy here.
		if g := grants[0]; g.Address != "127.0.0.1" || g.UserAgent != "a browser " {
			t.Errorf("address %q, user agent %q", g.Address, g.UserAgent)
		}
	})
}

func TestIdleSessionEnds(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tokens := s.Login(s.SPA)
	s.Clock.Advance(14*24*time.Hour + time.Second)
	s.Refresh(s.SPA, tokens.Refresh).ExpectError(400, "invalid_grant")
}

// RFC 6749 §2.3.1: a secret counts in the header and in the form, whichever the client is registered for. See docs/divergences.md.
func TestASecretIsTakenEitherWay(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, method := range []string{clients.AuthBasic, clients.AuthPost} {
		c := s.AddClient(clients.Registration{ID: method, Metadata: clients.Metadata{
			GrantTypes: []string{"client_credentials"}, Scope: "read", TokenEndpointAuthMethod: method,
		}})
		form := servertest.Form("grant_type", "client_credentials")
		s.PostForm("/oauth2/token", form, func(r *http.Request) { r.SetBasicAuth(c.ID, c.Secret.Reveal()) }).Expect(200)
		form.Set("client_id", c.ID)
		form.Set("client_secret", c.Secret.Reveal())
		s.PostForm("/oauth2/token", form).Expect(200)
	}
}
