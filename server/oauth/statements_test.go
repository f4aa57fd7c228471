package oauth_test

import (
	"encoding/base64"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
)

func TestStatement23TheTokenEndpointTakesPostedForms(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	code := s.Browser().Code(s.Portal)
	form := servertest.Form("grant_type", "authorization_code", "code", code, "client_id", "portal", "code_verifier", servertest.Verifier)
	if a := s.Get("/oauth2/token?" + form.Encode()).Expect(405); a.Header.Get("Allow") != "POST" {
		t.Errorf("Allow: %q", a.Header.Get("Allow"))
	}
	s.PostForm("/oauth2/token?"+form.Encode(), servertest.Form()).ExpectError(400, "invalid_request")
	s.PostForm("/oauth2/token?code_verifier=x&client_secret=x", servertest.Form("grant_type", "authorization_code", "code", code, "client_id", "portal")).
		ExpectError(400, "invalid_grant")
	for _, kind := range []string{"", "application/json", "text/plain", "multipart/form-data; boundary=x"} {
		s.Do("POST", "/oauth2/token", form.Encode(), servertest.Header("Content-Type", kind)).ExpectError(400, "invalid_request")
	}
	s.PostForm("/oauth2/token", form).Expect(200)
}

func TestStatement24NothingIsStored(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	got := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200)
	access := got.String("access_token")
	tv := s.AddClient(clients.Registration{ID: "tv", Metadata: clients.Metadata{
		GrantTypes: []string{clients.GrantDeviceCode}, Scope: "read", TokenEndpointAuthMethod: "none",
	}})
	legacy := s.LoginSimpleJWT()
	for name, a := range map[string]*servertest.Answer{
		"device":         s.PostAs(tv, "/oauth2/device_authorization").Expect(200),
		"device, polled": s.Token(tv, "grant_type", clients.GrantDeviceCode, "device_code", "x").Expect(400),
		"refreshed":      s.RefreshSimpleJWT(legacy.Refresh).Expect(200),
		"verified":       s.PostJSON("/api/token/verify/", map[string]string{"token": legacy.Access}).Expect(200),
		"refused":        s.PostJSON("/api/token/refresh/", map[string]string{"refresh": "x"}).Expect(401),
		"blacklisted":    s.PostJSON("/api/token/blacklist/", map[string]string{"refresh": legacy.Refresh}).Expect(200),
		"token":          got,
		"token, refused": s.Redeem(s.Web, "x"),
		"introspect":     s.Introspect(s.Inspector, access),
		"revoke":         s.Revoke(s.Portal, "x"),
		"userinfo":       s.Get("/oauth2/userinfo", bearer(access)),
		"no userinfo":    s.Get("/oauth2/userinfo"),
		"register":       s.PostJSON("/oauth2/register", map[string]any{"redirect_uris": []string{"https://x.example/cb"}, "token_endpoint_auth_method": "none"}),
		"par":            s.PostAs(s.Web, "/oauth2/par"),
		"simplejwt":      s.PostJSON("/api/token/", map[string]string{"username": servertest.Username, "password": servertest.Password}),
		"a page":         s.Get("/login"),
		"an error page":  s.Get("/oauth2/authorize"),
		"not there":      s.Get("/nothing"),
	} {
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q", name, a.Status, a.Header.Get("Cache-Control"))
		}
		if cookies := a.Header.Values("Set-Cookie"); cookies != nil { // statement 48: no request of an application makes a cookie
			t.Errorf("%s sets %q", name, cookies)
		}
	}
}

func TestStatement25OneClientAuthentication(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	odd := s.AddClient(clients.Registration{ID: "a:b c%", Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}}})
	cc := func(edit servertest.Edit, pairs ...string) *servertest.Answer {
		return s.PostForm("/oauth2/token", servertest.Form(append(pairs, "grant_type", "client_credentials")...), edit)
	}
	raw := func(text string) servertest.Edit { return servertest.Header("Authorization", "Basic "+text) }
	none := func(*http.Request) {}
	cc(odd.Basic()).Expect(200) // every character, by its encoding: RFC 6749 §2.3.1
	cc(none, "client_id", odd.ID, "client_secret", odd.Secret.Reveal()).Expect(200)
	cc(odd.Basic(), "client_secret", odd.Secret.Reveal()).ExpectError(400, "invalid_request")
	cc(odd.Basic(), "client_id", "backend").ExpectError(400, "invalid_request")
	cc(odd.Basic(), "client_assertion", "x", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer").ExpectError(400, "invalid_request")
	unencoded := base64.StdEncoding.EncodeToString([]byte(odd.ID + ":" + odd.Secret.Reveal()))
	cc(raw(unencoded)).Expect(200) // row Q
	good := base64.StdEncoding.EncodeToString([]byte("backend:" + s.Backend.Secret.Reveal()))
	cc(raw(good)).Expect(200)
	for _, text := range []string{strings.TrimRight(good, "=") + "====", good + "\t=", strings.ToUpper(good), "=" + good, good[:len(good)-1]} {
		if a := cc(raw(text)); a.Status != 401 {
			t.Errorf("%q: %d", text, a.Status)
		}
	}
}

func TestStatement26AWrongSecretLooksLikeNoClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	ask := func(id string) *servertest.Answer {
		return s.PostForm("/oauth2/token", servertest.Form("grant_type", "client_credentials"), servertest.Client{ID: id, Secret: "lk_cs_wrong"}.Basic())
	}
	if err := s.Clients().SetDisabled(t.Context(), "inspector", true); err != nil {
		t.Fatal(err)
	}
	wrong := ask("backend")
	for _, id := range []string{"backend", "nobody", "inspector", "portal", "simplejwt"} {
		a := ask(id).ExpectError(401, "invalid_client")
		if a.Body != wrong.Body || a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %s %v", id, a.Body, a.Header)
		}
	}
	if os.Getenv("LATCHKEY_TEST_LONG") == "" {
		return // the time is compared by make test-long: beside other tests it would only measure these
	}
	var times [2][]float64
	for range 10_000 {
		for i, id := range []string{"backend", "nobody"} {
			begin := time.Now()
			ask(id)
			times[i] = append(times[i], float64(time.Since(begin)))
		}
	}
	if score := welch(times[0], times[1]); math.Abs(score) > 4.5 {
		t.Errorf("the times differ: t = %.1f", score)
	}
}

// welch is the t statistic of Welch's test over the faster nine tenths of each: what is beyond is the machine's doing.
func welch(a, b []float64) float64 {
	mean := func(x []float64) (m, v float64) {
		slices.Sort(x)
		x = x[:len(x)*9/10]
		for _, y := range x {
			m += y
		}
		m /= float64(len(x))
		for _, y := range x {
			v += (y - m) * (y - m)
		}
		return m, v / float64(len(x)-1) / float64(len(x))
	}
	ma, va := mean(a)
	mb, vb := mean(b)
	return (ma - mb) / math.Sqrt(va+vb)
}

func TestStatement31ScopesNeverWiden(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	refusal(t, s, b.Authorize(s.Portal, "scope", "openid nonsense"), "invalid_scope")
	refusal(t, s, b.Authorize(s.Portal, "scope", "admin"), "invalid_scope")
	if got := s.Redeem(s.Portal, b.Code(s.Portal, "scope", "")).Expect(200).String("scope"); got != "openid profile email read write" {
		t.Errorf("the default is %q", got) // docs/decisions/0005
	}
	got := s.Redeem(s.Portal, b.Code(s.Portal, "scope", "read")).Expect(200)
	refresh := func(scope string) *servertest.Answer {
		return s.Token(s.Portal, "grant_type", "refresh_token", "refresh_token", got.String("refresh_token"), "scope", scope)
	}
	refresh("read write").ExpectError(400, "invalid_scope")
	refresh("openid").ExpectError(400, "invalid_scope")
	if scope := refresh("read").Expect(200).String("scope"); scope != "read" {
		t.Errorf("refreshed to %q", scope)
	}
}

func TestStatement34CodesAreRandom(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	seen, previous, rising := map[string]bool{}, "", 0
	const n = 300
	for range n {
		code := b.Authorize(s.Portal).Response(servertest.Callback).Get("code")
		if !clients.IsSecret("lk_ac_", storage.Secret(code)) || seen[code] {
			t.Fatalf("%q", code)
		}
		seen[code] = true
		if code > previous {
			rising++
		}
		previous = code
	}
	if rising < n/3 || rising > 2*n/3 {
		t.Errorf("%d of %d codes are above the one before", rising, n)
	}
}

func TestStatement35ErrorsShowNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	hostile := []string{
		"", "'", `"`, "\\", "%00", "\x00", "\xff\xfe", "' OR 1=1 --", "../../etc/passwd", "{{.}}", "<script>", strings.Repeat("a", 5000), "-1", "\r\nX: y",
	}
	b := s.Browser()
	for _, text := range hostile {
		for _, name := range []string{"client_id", "redirect_uri", "scope", "prompt", "max_age", "claims", "id_token_hint", "resource", "response_mode", "request_uri", "code_challenge", "nonce", "continue"} {
			page := b.Authorize(s.Web, name, text)
			if page.Status >= 500 {
				t.Errorf("%s=%.20q: %d", name, text, page.Status)
			}
			shows(t, page.Body+page.Left)
		}
		for _, path := range []string{"/login?return_to=", "/consent?request=", "/oauth2/logout?id_token_hint=", "/logo?client_id=", "/account?done=", "/static/"} {
			a := s.Get(path + servertest.Form("x", text).Encode()[2:])
			if a.Status >= 500 {
				t.Errorf("%s %.20q: %d", path, text, a.Status)
			}
			shows(t, a.Body)
		}
		for _, name := range []string{"code", "code_verifier", "redirect_uri", "client_assertion", "refresh_token", "resource", "token"} {
			for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/par"} {
				a := s.PostAs(s.Web, path, "grant_type", "authorization_code", name, text)
				if a.Status >= 500 {
					t.Errorf("%s %s=%.20q: %d", path, name, text, a.Status)
				}
				shows(t, a.Body)
			}
		}
	}
}

func shows(t *testing.T, text string) {
	t.Helper()
	for _, word := range []string{"sqlite", "SQLSTATE", "goroutine ", ".go:", "panic:", "pgconn", "/root/", "no such table", "<script>a"} {
		if strings.Contains(text, word) {
			t.Errorf("an answer shows %q: %.200s", word, text)
		}
	}
}

func TestStatement36LargeRequests(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	many := strings.Repeat("a=b&", 1000)
	big := "x=" + strings.Repeat("x", 65<<10)
	for _, path := range []string{"/oauth2/authorize", "/oauth2/par", "/oauth2/token", "/oauth2/userinfo", "/oauth2/logout", "/login", "/consent"} {
		form := servertest.Header("Content-Type", "application/x-www-form-urlencoded")
		if a := s.Do("POST", path, big, form); a.Status != 413 {
			t.Errorf("%s, large: %d", path, a.Status)
		}
		if a := s.Do("POST", path, many, form); a.Status != 400 {
			t.Errorf("%s, many parameters: %d", path, a.Status)
		}
	}
	if a := s.Get("/oauth2/authorize?" + many); a.Status != 400 {
		t.Errorf("many parameters in the query: %d", a.Status)
	}
	deep := strings.Repeat(`{"a":`, 20_000)
	if page := s.Browser().Authorize(s.Portal, "claims", deep[:7000]); page.Response(servertest.Callback).Get("error") != "invalid_request" {
		t.Errorf("deep claims: %s", page.Left)
	}
	if page := s.Browser().Authorize(s.Portal, "state", strings.Repeat("s", 9000)); page.Response(servertest.Callback).Get("error") != "invalid_request" {
		t.Errorf("a long state: %s", page.Left)
	}
}

func TestStatement41TokensOfOtherClients(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	got := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200)
	s.Refresh(s.Portal, got.String("refresh_token")).ExpectError(400, "invalid_grant")
	s.Refresh(servertest.Client{ID: "web", Secret: s.Backend.Secret}, got.String("refresh_token")).ExpectError(401, "invalid_client")
	s.Refresh(servertest.Client{ID: "web"}, got.String("refresh_token")).ExpectError(401, "invalid_client")
	s.Refresh(s.Web, got.String("refresh_token")).Expect(200)
	events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "refresh_token_of_other_client", Limit: 10})
	if err != nil || len(events) != 1 || events[0].ClientID != "portal" {
		t.Errorf("events: %v %v", events, err)
	}
}

func TestStatement42EndsHold(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	token := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200).String("refresh_token")
	for day := 1; day < 30; day++ {
		s.Clock.Advance(24 * time.Hour)
		token = s.Refresh(s.Web, token).Expect(200).String("refresh_token")
	}
	s.Clock.Advance(24 * time.Hour)
	s.Refresh(s.Web, token).ExpectError(400, "invalid_grant") // the absolute end, however often it was used
	idle := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200).String("refresh_token")
	s.Clock.Advance(14*24*time.Hour + time.Second)
	s.Refresh(s.Web, idle).ExpectError(400, "invalid_grant")
}

func TestStatement43WhatEndsAUserEndsTheirTokens(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		ends := map[string]func() error{
			"password": func() error { return s.Users().SetPassword(t.Context(), servertest.UserID, servertest.Password) },
			"disable": func() error {
				if err := s.Users().Disable(t.Context(), servertest.UserID); err != nil {
					return err
				}
				return s.Users().Enable(t.Context(), servertest.UserID)
			},
			"everywhere": func() error { return s.Users().EndSessions(t.Context(), servertest.UserID) },
		}
		for name, end := range ends {
			b := s.Browser()
			got := s.Redeem(s.Portal, b.Code(s.Portal, "scope", "openid offline_access")).Expect(200)
			waiting := b.Code(s.Portal)
			if err := end(); err != nil {
				t.Fatal(err)
			}
			s.Refresh(s.Portal, got.String("refresh_token")).ExpectError(400, "invalid_grant")
			if a := s.Introspect(s.Inspector, got.String("access_token")); a.JSON()["active"] != false {
				t.Errorf("%s: the access token lives", name)
			}
			s.Get("/oauth2/userinfo", bearer(got.String("access_token"))).ExpectError(401, "invalid_token")
			s.Redeem(s.Portal, waiting).ExpectError(400, "invalid_grant")
			if page := b.Get("/account"); !page.Has("/login") {
				t.Errorf("%s: still signed in", name)
			}
		}
	})
}

func TestStatement44Revocation(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	got := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200)
	s.Revoke(s.Web, "unknown").Expect(200)
	s.Revoke(s.Web, got.String("id_token")).Expect(200) // no token that could be revoked
	s.Revoke(s.Portal, got.String("refresh_token")).ExpectError(400, "invalid_grant")
	s.Get("/oauth2/userinfo", bearer(got.String("access_token"))).Expect(200)
	s.Revoke(s.Web, got.String("refresh_token")).Expect(200)
	s.Get("/oauth2/userinfo", bearer(got.String("access_token"))).ExpectError(401, "invalid_token")
	s.Refresh(s.Web, got.String("refresh_token")).ExpectError(400, "invalid_grant")
}

func TestStatement49IntrospectionSaysNothingOfOthers(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	api := s.AddClient(clients.Registration{ID: "api", Policy: clients.Policy{Resources: []string{"https://api.example"}}, Metadata: clients.Metadata{
		GrantTypes: []string{"client_credentials"},
	}})
	if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: "https://api.example"}); err != nil {
		t.Fatal(err)
	}
	b := s.Browser()
	forAPI := s.Redeem(s.Web, b.Code(s.Web, "resource", "https://api.example")).Expect(200)
	other := s.Redeem(s.Web, b.Code(s.Web)).Expect(200)
	if a := s.Introspect(api, forAPI.String("access_token")); a.JSON()["active"] != true || a.String("sub") != "1" {
		t.Errorf("the API's own: %s", a.Body)
	}
	inactive := `{"active":false}`
	s.Clock.Advance(time.Second)
	for name, token := range map[string]string{
		"other audience": other.String("access_token"), "unknown": "x", "of nobody": "lk_rt_x", "an ID token": other.String("id_token"),
	} {
		if a := s.Introspect(api, token).Expect(200); strings.TrimSpace(a.Body) != inactive {
			t.Errorf("%s: %s", name, a.Body)
		}
	}
	s.Clock.Advance(16 * time.Minute)
	if a := s.Introspect(api, forAPI.String("access_token")).Expect(200); strings.TrimSpace(a.Body) != inactive {
		t.Errorf("expired: %s", a.Body)
	}
	s.PostForm("/oauth2/introspect", servertest.Form("token", "x")).ExpectError(401, "invalid_client")
	s.Introspect(s.Portal, "x").ExpectError(401, "invalid_client")
}

// refreshAtOnce presents a refresh token of a client n times at once, and returns the statuses and the tokens with how many had each.
func refreshAtOnce(s *servertest.Server, c servertest.Client, token string, n int) (statuses map[int]int, tokens map[string]int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses, tokens = map[int]int{}, map[string]int{}
	for range n {
		wg.Go(func() {
			a := s.Refresh(c, token)
			mu.Lock()
			defer mu.Unlock()
			statuses[a.Status]++
			if a.Status == 200 {
				tokens[a.String("refresh_token")]++
			}
		})
	}
	wg.Wait()
	return statuses, tokens
}

// Statement 37 for codes: under strict rotation the tokens that came of one refresh like any.
func TestStatement37ParallelRefreshes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Rotation = clients.RotationStrict }))
	token := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200).String("refresh_token")
	if statuses, _ := refreshAtOnce(s, s.Web, token, 20); statuses[200] != 1 || statuses[400] != 19 {
		t.Errorf("%v", statuses)
	}
}

// --rotation-overlap is that of clients that have none of their own.
func TestTheOverlapOfTheDeployment(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.RotationOverlap = new(time.Minute) }))
	own := s.AddClient(clients.Registration{
		ID: "own", Policy: clients.Policy{RotationOverlap: new(clients.Duration(time.Second)), FirstParty: true},
		Metadata: clients.Metadata{GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read", RedirectURIs: []string{servertest.Callback}},
	})
	b := s.Browser()
	for c, works := range map[servertest.Client]bool{s.Web: true, own: false} {
		first := s.Redeem(c, b.Code(c)).Expect(200).String("refresh_token")
		second := s.Refresh(c, first).Expect(200).String("refresh_token")
		s.Refresh(c, second).Expect(200) // retires the first
		s.Clock.Advance(30 * time.Second)
		if a := s.Refresh(c, first); a.Status == 200 != works {
			t.Errorf("%s: %d %s after 30 seconds", c.ID, a.Status, a.Body)
		}
	}
}

// Row D: eight requests or processes refresh one token at once, and all of them go on; later the old token is reuse.
func TestRowDParallelRefreshesUnderTheDefault(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		own := s.AddClient(clients.Registration{
			ID: "own", Policy: clients.Policy{Rotation: clients.RotationStrict, FirstParty: true},
			Metadata: clients.Metadata{
				GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read", RedirectURIs: []string{servertest.Callback},
			},
		})
		b := s.Browser()
		for _, c := range []servertest.Client{s.Web, s.Portal} { // confidential and public
			first := s.Redeem(c, b.Code(c)).Expect(200).String("refresh_token")
			statuses, tokens := refreshAtOnce(s, c, first, 8)
			if statuses[200] != 8 || len(tokens) != 1 {
				t.Errorf("%s: %v, %d different tokens", c.ID, statuses, len(tokens))
			}
			for second := range tokens {
				third := s.Refresh(c, second).Expect(200).String("refresh_token")
				s.Refresh(c, first).Expect(200) // the slow one, within the overlap
				s.Clock.Advance(11 * time.Second)
				s.Refresh(c, first).ExpectError(400, "invalid_grant")
				s.Refresh(c, third).ExpectError(400, "invalid_grant") // reuse ended the session
			}
		}
		// Who asks for strict has it.
		first := s.Redeem(own, b.Code(own)).Expect(200).String("refresh_token")
		if statuses, _ := refreshAtOnce(s, own, first, 8); statuses[200] != 1 || statuses[400] != 7 {
			t.Errorf("strict: %v", statuses)
		}
	})
}

func TestStatement39AnOldTokenEndsTheSession(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	first := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200).String("refresh_token")
	second := s.Refresh(s.Web, first).Expect(200).String("refresh_token")
	third := s.Refresh(s.Web, second).Expect(200).String("refresh_token")
	s.Clock.Advance(11 * time.Second)
	s.Refresh(s.Web, first).ExpectError(400, "invalid_grant")
	s.Refresh(s.Web, third).ExpectError(400, "invalid_grant")
	events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "refresh_token_reused", Limit: 10})
	if err != nil || len(events) != 1 {
		t.Errorf("events: %v %v", events, err)
	}
}
