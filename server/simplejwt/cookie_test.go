package simplejwt_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/reasons"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
	"latchkey/server/simplejwt/codec"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

const (
	cookieName = "__Host-refresh"
	// listedOrigin is one of --cors-origins.
	listedOrigin = "https://spa.example"
	cleared      = cookieName + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
)

// withCookie starts a server that keeps refresh tokens in a cookie.
func withCookie(t *testing.T, change ...func(*server.Config)) *servertest.Server {
	t.Helper()
	options := []servertest.Option{servertest.Configure(func(c *server.Config) {
		c.SimpleJWT.RefreshCookie = "refresh"
		c.CORSOrigins = []string{listedOrigin}
	})}
	for _, f := range change {
		options = append(options, servertest.Configure(f))
	}
	return servertest.New(t, options...)
}

var credentials = map[string]string{"username": servertest.Username, "password": servertest.Password}

// setCookie is the one cookie that an answer sets, nil when it sets none.
func setCookie(t *testing.T, a *servertest.Answer) *http.Cookie {
	t.Helper()
	cookies := (&http.Response{Header: a.Header}).Cookies()
	switch len(cookies) {
	case 0:
		return nil
	case 1:
		return cookies[0]
	}
	t.Fatalf("several cookies: %v", a.Header["Set-Cookie"])
	return nil
}

// login gives the refresh token that a login puts into the cookie.
func login(t *testing.T, s *servertest.Server) string {
	t.Helper()
	c := setCookie(t, s.PostJSON(simplejwt.ObtainPath, credentials).Expect(200))
	if c == nil {
		t.Fatal("the login sets no cookie")
	}
	return c.Value
}

// post sends a request with the cookie alone, as fetch(path, {method: "POST"}) does.
func post(s *servertest.Server, path, refresh string, edits ...servertest.Edit) *servertest.Answer {
	return s.Do("POST", path, "", append([]servertest.Edit{servertest.Header("Cookie", cookieName+"="+refresh)}, edits...)...)
}

func TestTheRefreshTokenTravelsInTheCookieAlone(t *testing.T) {
	t.Parallel()
	s := withCookie(t)
	for _, slash := range []string{"/", ""} {
		a := s.PostJSON("/api/token"+slash, credentials).Expect(200)
		given := setCookie(t, a)
		if _, ok := a.JSON()["refresh"]; ok || a.String("access") == "" || given == nil {
			t.Fatalf("login: %s, %v", a.Body, a.Header)
		}
		if want := cookieName + "=" + given.Value + "; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Strict"; a.Header.Get("Set-Cookie") != want {
			t.Errorf("the cookie is %s\nwant %s", a.Header.Get("Set-Cookie"), want)
		}
		first := given.Value
		for range 3 {
			s.Clock.Advance(time.Minute)
			a := post(s, "/api/token/refresh"+slash, given.Value).Expect(200)
			next := setCookie(t, a)
			if _, ok := a.JSON()["refresh"]; ok || a.String("access") == "" || next == nil || next.Value == given.Value || next.MaxAge != 86400 {
				t.Fatalf("refresh: %s, %v", a.Body, a.Header)
			}
			if a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("the answer may be cached: %v", a.Header)
			}
			given = next
		}
		a = post(s, "/api/token/blacklist"+slash, given.Value).Expect(200).ExpectBody(`{}`)
		if got := a.Header.Get("Set-Cookie"); got != cleared {
			t.Errorf("blacklist sets %q", got)
		}
		for _, dead := range []string{first, given.Value} {
			a := post(s, "/api/token/refresh"+slash, dead).Expect(401)
			if got := a.Header.Get("Set-Cookie"); got != cleared {
				t.Errorf("a dead token leaves the cookie: %q", got)
			}
		}
	}
}

// The cookie stands in for a field that is not there at all. Whatever a request says itself is judged as before.
func TestTheBodyComesBeforeTheCookie(t *testing.T) {
	t.Parallel()
	s := withCookie(t)
	good := login(t, s)
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		want                    string // empty: tokens
	}{
		{"no body", "", "", 200, ""},
		{"no field", "application/json", `{}`, 200, ""},
		{"other fields", "application/json", `{"x": 1}`, 200, ""},
		{"form without the field", "application/x-www-form-urlencoded", "x=1", 200, ""},
		{"field", "application/json", `{"refresh": "` + good + `"}`, 200, ""},
		{"blank", "application/json", `{"refresh": ""}`, 400, `{"refresh": ["This field may not be blank."]}`},
		{"spaces", "application/json", `{"refresh": "  "}`, 400, `{"refresh": ["This field may not be blank."]}`},
		{"blank in a form", "application/x-www-form-urlencoded", "refresh=", 400, `{"refresh": ["This field may not be blank."]}`},
		{"null", "application/json", `{"refresh": null}`, 400, `{"refresh": ["This field may not be null."]}`},
		{"list", "application/json", `{"refresh": []}`, 400, `{"refresh": ["Not a valid string."]}`},
		{"no object", "application/json", `[]`, 400, `{"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}`},
		{"not JSON", "application/json", `{`, 400, `{"detail": "JSON parse error - Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"}`},
		{"another type", "text/plain", `x`, 415, `{"detail": "Unsupported media type \"text/plain\" in request."}`},
		{"too large", "application/json", `{"x": "` + strings.Repeat("x", 64<<10) + `"}`, 413, `{"detail": "The request body is too large."}`},
		{"bad token", "application/json", `{"refresh": "x"}`, 401, `{"detail": "Token is invalid or expired", "code": "token_not_valid"}`},
	} {
		for _, path := range []string{simplejwt.RefreshPath, simplejwt.BlacklistPath} {
			if path == simplejwt.BlacklistPath && c.status == 200 {
				continue
			}
			a := s.Do("POST", path, c.body, servertest.Header("Cookie", cookieName+"="+good), func(r *http.Request) {
				if c.contentType != "" {
					r.Header.Set("Content-Type", c.contentType)
				}
			})
			if a.Status != c.status {
				t.Errorf("%s: %s: %d %s", path, c.name, a.Status, a.Body)
				continue
			}
			if c.want != "" {
				a.ExpectBody(c.want)
			}
			// What is refused here is not what the cookie holds.
			if set := setCookie(t, a) != nil; set != (c.status == 200) {
				t.Errorf("%s: %s: the answer sets %q", path, c.name, a.Header["Set-Cookie"])
			}
		}
	}
	for _, cookie := range []string{"", "other=x", cookieName + "=", "refresh=" + good} {
		a := s.Do("POST", simplejwt.RefreshPath, "", servertest.Header("Cookie", cookie))
		a.Expect(400).ExpectBody(`{"refresh": ["This field is required."]}`)
	}
}

func TestTheCookieLivesAsLongAsItsToken(t *testing.T) {
	t.Parallel()
	s := withCookie(t, func(c *server.Config) { c.RefreshTokenTTL = 36 * time.Hour })
	refresh := login(t, s)
	s.Clock.Advance(20 * time.Hour)
	c := setCookie(t, post(s, simplejwt.RefreshPath, refresh).Expect(200))
	if c == nil || c.MaxAge != 16*3600 { // the session ends before the token's own life does
		t.Errorf("the cookie is %v", c)
	}
}

func TestTheCookieStaysWhenNoTokenIsIssued(t *testing.T) {
	t.Parallel()
	s := withCookie(t, func(c *server.Config) { c.SimpleJWT.Rotation = clients.RotationOff })
	refresh := login(t, s)
	for range 3 {
		a := post(s, simplejwt.RefreshPath, refresh).Expect(200)
		if a.Header["Set-Cookie"] != nil || len(a.JSON()) != 1 {
			t.Errorf("%s, %v", a.Body, a.Header)
		}
	}
}

// The cookie is cleared by a verdict on the very token in it, and by nothing else: whoever is told to come back, does so
// with the token.
func TestWhatClearsTheCookie(t *testing.T) {
	t.Parallel()
	lives := refusal(reasons.Retired)
	lives.SessionLives = true
	for _, c := range []struct {
		name  string
		err   error
		clear bool
	}{
		{"bad token", refusal(reasons.Malformed), true},
		{"bad signature", refusal(reasons.BadSignature), true},
		{"expired", refusal(reasons.Expired), true},
		{"retired", refusal(reasons.Retired), true},
		{"superseded", refusal(reasons.Superseded), true},
		{"session revoked", refusal(reasons.SessionRevoked), true},
		{"session over", refusal(reasons.SessionExpired), true},
		{"user removed", refusal(reasons.UserRemoved), true},
		{"retired, and the session lives", lives, false},
		{"client disabled", refusal(reasons.ClientDisabled), false}, // the operator may enable it again
		{"throttled", refusal(reasons.Throttled), false},
		{"database away", storage.ErrUnavailable, false},
		{"a bug", errors.New("nil map"), false},
	} {
		for _, compat := range []codec.Compat{codec.Compat52, codec.Compat55} {
			h := routesWith(simplejwt.Config{
				Tokens: &fakeTokens{err: c.err}, Compat: compat, Cookie: simplejwt.RefreshCookie{Name: "refresh"},
			})
			w := postJSON(h, simplejwt.RefreshPath, `{}`, "Cookie", cookieName+"=held")
			if got := w.Header().Get("Set-Cookie"); (got == cleared) != c.clear || got != "" && got != cleared {
				t.Errorf("%s: %d sets %q", c.name, w.Code, got)
			}
			w = postJSON(h, simplejwt.RefreshPath, `{"refresh": "another"}`, "Cookie", cookieName+"=held")
			if got := w.Header().Get("Set-Cookie"); got != "" {
				t.Errorf("%s, of another token: sets %q", c.name, got)
			}
			w = postJSON(h, simplejwt.ObtainPath, `{"username": "x", "password": "y"}`, "Cookie", cookieName+"=held")
			if got := w.Header().Get("Set-Cookie"); got != "" {
				t.Errorf("%s, at the login: sets %q", c.name, got)
			}
		}
	}
}

// Two tabs share the cookie. When one is late with a token that the other has replaced, and the policy leaves the session
// alive, the other's new token must stay.
func TestALateTabDoesNotClearTheCookie(t *testing.T) {
	t.Parallel()
	for policy, kept := range map[clients.OnReuse]bool{clients.OnReuseReject: true, clients.OnReuseRevoke: false} {
		s := withCookie(t, func(c *server.Config) {
			c.SimpleJWT.Rotation, c.SimpleJWT.OnReuse = clients.RotationStrict, policy
		})
		old := login(t, s)
		next := setCookie(t, post(s, simplejwt.RefreshPath, old).Expect(200)).Value
		s.Clock.Advance(time.Minute)
		late := post(s, simplejwt.RefreshPath, old).Expect(401)
		if (late.Header["Set-Cookie"] == nil) != kept {
			t.Errorf("%s: %q", policy, late.Header["Set-Cookie"])
		}
		if a := post(s, simplejwt.RefreshPath, next); (a.Status == 200) != kept {
			t.Errorf("%s: %d %s", policy, a.Status, a.Body)
		}
	}
}

func TestOutageLeavesTheCookie(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	s := servertest.New(t, servertest.Store(outage), servertest.Configure(func(c *server.Config) { c.SimpleJWT.RefreshCookie = "refresh" }))
	refresh := login(t, s)
	outage.Away(true)
	for _, path := range []string{simplejwt.RefreshPath, simplejwt.BlacklistPath} {
		if a := post(s, path, refresh).Expect(503); a.Header["Set-Cookie"] != nil {
			t.Errorf("%s sets %q", path, a.Header["Set-Cookie"])
		}
	}
	outage.Away(false)
	post(s, simplejwt.RefreshPath, refresh).Expect(200)
}

// A browser sends the cookie along with whatever page asks, and takes the one of a login that it did not mean.
func TestForeignPagesCanNotUseTheCookie(t *testing.T) {
	t.Parallel()
	s := withCookie(t)
	own := s.URL
	for _, c := range []struct {
		name, site, origin string
		good               bool
	}{
		{"own page", "same-origin", own, true},
		{"own page, no Origin", "same-origin", "", true},
		{"the user's own doing", "none", "", true},
		{"a program", "", "", true},
		{"own page, old browser", "", own, true},
		{"listed page", "cross-site", listedOrigin, true},
		{"listed page of the site", "same-site", listedOrigin, true},
		{"listed page, old browser", "", listedOrigin, true},
		{"foreign page", "cross-site", "https://evil.example", false},
		{"foreign page, no Origin", "cross-site", "", false},
		{"another host of the site", "same-site", "https://blog.spa.example", false},
		{"another host of the site, no Origin", "same-site", "", false},
		{"foreign page, old browser", "", "https://evil.example", false},
		{"registered client's page", "cross-site", servertest.Origin, false}, // CORS allows it, without credentials
		{"sandboxed frame", "cross-site", "null", false},
		{"sandboxed frame, old browser", "", "null", false},
		{"unknown word", "neighbour", "", false},
		{"looks like ours", "", own + ".evil.example", false},
		{"looks like a listed one", "cross-site", listedOrigin + ".evil.example", false},
	} {
		from := func(r *http.Request) {
			for name, value := range map[string]string{"Sec-Fetch-Site": c.site, "Origin": c.origin} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
		}
		refresh := login(t, s)
		form := servertest.Header("Content-Type", "application/x-www-form-urlencoded")
		for what, a := range map[string]*servertest.Answer{
			"refresh":                   post(s, simplejwt.RefreshPath, refresh, from),
			"refresh without slash":     post(s, "/api/token/refresh", refresh, from),
			"refresh by the body":       s.PostJSON(simplejwt.RefreshPath, map[string]string{"refresh": refresh}, from),
			"refresh by a form":         s.Do("POST", simplejwt.RefreshPath, "refresh="+refresh, form, from),
			"login":                     s.PostJSON(simplejwt.ObtainPath, credentials, from),
			"login by a form":           s.PostForm(simplejwt.ObtainPath, servertest.Form("username", servertest.Username, "password", servertest.Password), from),
			"blacklist":                 post(s, simplejwt.BlacklistPath, login(t, s), from),
			"blacklist by the body":     s.PostJSON(simplejwt.BlacklistPath, map[string]string{"refresh": login(t, s)}, from),
			"refresh in the wrong case": s.Do("post", simplejwt.RefreshPath, "", servertest.Header("Cookie", cookieName+"="+refresh), from),
		} {
			switch {
			case c.good && a.Status != 200:
				t.Errorf("%s: %s: %d %s", c.name, what, a.Status, a.Body)
			case !c.good:
				if a.Status != 403 || a.Header["Set-Cookie"] != nil || !strings.HasPrefix(a.String("detail"), "CSRF Failed: Origin checking failed - ") {
					t.Errorf("%s: %s: %d %s, %v", c.name, what, a.Status, a.Body, a.Header)
				}
			}
		}
		s.PostJSON(simplejwt.VerifyPath, map[string]string{"token": refresh}, from).Expect(200) // no cookie, nobody's business
		post(s, simplejwt.RefreshPath, refresh).Expect(200)                                     // and nothing has happened to it
	}
}

// The origin of the issuer is ours, whatever host a proxy asks for.
func TestTheIssuersPagesMayUseTheCookieBehindAProxy(t *testing.T) {
	t.Parallel()
	s := withCookie(t, func(c *server.Config) { c.Issuer = "https://id.example/auth" })
	for origin, status := range map[string]int{"https://id.example": 200, "http://id.example": 403, "https://id.example/auth": 403} {
		post(s, "/auth"+simplejwt.RefreshPath, login(t, s), servertest.Header("Origin", origin)).Expect(status)
	}
}

// Listed origins may send the cookie from their pages, on the three routes alone; those of registered clients read answers
// as before.
func TestWhoMaySendCredentials(t *testing.T) {
	t.Parallel()
	on := withCookie(t, func(c *server.Config) { c.AllowLoopbackOrigins = true })
	off := servertest.New(t, servertest.Configure(func(c *server.Config) { c.CORSOrigins = []string{listedOrigin} }))
	withCookies := []string{simplejwt.ObtainPath, simplejwt.RefreshPath, simplejwt.BlacklistPath, "/api/token", "/api/token/refresh", "/api/token/blacklist"}
	others := []string{simplejwt.VerifyPath, "/api/token/verify", "/api/token/x/", "/oauth2/token", "/oauth2/revoke", "/oauth2/jwks", "/.well-known/openid-configuration", "/"}
	for _, path := range append(slices.Clone(withCookies), others...) {
		for _, origin := range []string{listedOrigin, servertest.Origin, "http://localhost:3000", "https://evil.example", "null", "*"} {
			for _, method := range []string{"OPTIONS", "POST"} {
				want := ""
				if origin == listedOrigin && slices.Contains(withCookies, path) {
					want = "true"
				}
				for s, want := range map[*servertest.Server]string{on: want, off: ""} {
					h := s.Do(method, path, "", servertest.Header("Origin", origin), servertest.Header("Access-Control-Request-Method", "POST")).Header
					if got := h.Get("Access-Control-Allow-Credentials"); got != want {
						t.Errorf("%s %s from %s: Access-Control-Allow-Credentials is %q, want %q", method, path, origin, got, want)
					}
					if want != "" && h.Get("Access-Control-Allow-Origin") != origin {
						t.Errorf("%s %s: credentials are for %q", method, path, h.Get("Access-Control-Allow-Origin"))
					}
				}
			}
		}
	}
}

func TestWithoutTheOptionThereIsNoCookie(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := s.PostJSON(simplejwt.ObtainPath, credentials, servertest.Header("Sec-Fetch-Site", "cross-site"), servertest.Header("Origin", "https://evil.example")).Expect(200)
	if a.String("refresh") == "" || a.Header["Set-Cookie"] != nil {
		t.Errorf("%s, %v", a.Body, a.Header)
	}
	post(s, simplejwt.RefreshPath, a.String("refresh")).Expect(400).ExpectBody(`{"refresh": ["This field is required."]}`)
}

// No log line holds the cookie.
func TestTheCookieIsNotLogged(t *testing.T) {
	t.Parallel()
	s := withCookie(t)
	refresh := login(t, s)
	post(s, simplejwt.RefreshPath, refresh).Expect(200)
	post(s, simplejwt.RefreshPath, refresh+"x").Expect(401)
	post(s, simplejwt.RefreshPath, refresh, servertest.Header("Origin", "https://evil.example")).Expect(403)
	s.Log.Requests(t, simplejwt.RefreshPath, 3)
	if signature := refresh[strings.LastIndex(refresh, ".")+1:]; strings.Contains(s.Log.String(), signature) {
		t.Error("the log holds a refresh token")
	}
}
