package oauth_test

import (
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

func forEachServer(t *testing.T, test func(t *testing.T, s *servertest.Server)) {
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		test(t, servertest.New(t, servertest.Store(open(t))))
	})
}

// The whole way, as a standard library goes it.
func TestAuthorizationCode(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		b := s.Browser()
		page := b.Authorize(s.Web)
		if !page.Has("/login") {
			t.Fatalf("no login: %d %s", page.Status, page.Body)
		}
		page = page.Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
		if !page.Has("/consent") {
			t.Fatalf("no consent: %d %s", page.Status, page.Body)
		}
		answer := page.Form("/consent").Press("decision", "allow").Response(servertest.Callback)
		if answer.Get("state") != servertest.State || answer.Get("iss") != s.URL || len(answer) != 3 {
			t.Errorf("the answer is %v", answer)
		}
		got := s.Redeem(s.Web, answer.Get("code")).Expect(200)
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if got.String(name) == "" {
				t.Errorf("no %s in %s", name, got.Body)
			}
		}
		if got.String("scope") != "openid read" {
			t.Errorf("the scope is %s", got.String("scope"))
		}
		next := s.Refresh(s.Web, got.String("refresh_token")).Expect(200)
		if next.String("id_token") == "" {
			t.Errorf("no ID token at refresh: %s", next.Body)
		}
		info := s.Get("/oauth2/userinfo", servertest.Header("Authorization", "Bearer "+next.String("access_token"))).Expect(200)
		if info.String("sub") != "1" {
			t.Errorf("userinfo: %s", info.Body)
		}

		// Signed in already, and allowed: nothing is asked.
		again := b.Authorize(s.Web)
		if again.Response(servertest.Callback).Get("code") == "" || len(again.Hops) != 1 {
			t.Errorf("asked again: %v %s", again.Hops, again.Left)
		}
		// Another client: not the password again, but its own consent; the operator's own client: nothing.
		if code := b.Authorize(s.Portal).Response(servertest.Callback).Get("code"); code == "" {
			t.Error("the portal was asked about")
		}
	})
}

// Byte for byte, and nobody is sent anywhere else: RFC 9700 §2.1, §4.1.3, §4.11.
func TestStatement1RedirectURIsAreComparedExactly(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	for _, uri := range []string{
		servertest.Callback + "/", servertest.Callback + "?x", servertest.Callback + "?", servertest.Origin + "/CALLBACK", servertest.Origin + ":443/callback",
		servertest.Origin + "/%63allback", "https://app.example@evil.example/callback", servertest.Origin + "/callback/../callback", "https:\\\\app.example\\callback",
		servertest.Origin + "/callback#", "//app.example/callback", "http://app.example/callback", "HTTPS://app.example/callback", servertest.Callback + " ",
		"https://app.example.evil.example/callback", "https://evil.example", "javascript:alert(1)",
	} {
		page := b.Authorize(s.Web, "redirect_uri", uri)
		if page.Status != 400 || page.Left != "" || len(page.Hops) > 0 || !strings.Contains(page.Body, "invalid_request") || !strings.Contains(page.Body, "Web application") {
			t.Errorf("%q: %d %v %s", uri, page.Status, page.Hops, page.Left)
		}
	}
}

func TestStatement2UnknownClientsNeverRedirect(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	if err := s.Clients().SetDisabled(t.Context(), s.Native.ID, true); err != nil {
		t.Fatal(err)
	}
	disabled := b.Authorize(s.Native)
	if !strings.Contains(disabled.Body, "disabled the client") {
		t.Errorf("the client's developer is not told why: %s", disabled.Body)
	}
	for name, page := range map[string]*servertest.Page{
		"unknown":  b.Authorize(servertest.Client{ID: "nobody", Redirect: servertest.Callback}),
		"none":     b.Authorize(s.Web, "client_id", ""),
		"disabled": disabled,
		"built-in": b.Authorize(servertest.Client{ID: clients.SimpleJWTID, Redirect: servertest.Callback}),
		"twice":    b.Follow(s.Web.AuthorizePath() + "&client_id=" + s.Portal.ID),
		"redirect": b.Follow(s.Web.AuthorizePath() + "&redirect_uri=" + url.QueryEscape(servertest.Callback)),
		"no uri":   b.Authorize(s.Web, "redirect_uri", ""), // OpenID Connect wants one
	} {
		if page.Status != 400 || page.Left != "" || page.Header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, page.Status, page.Left)
		}
	}
}

// RFC 8252 §7.3: the port of a loopback address is free, nothing else is.
func TestStatement3OnlyThePortOfALoopbackAddressIsFree(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	const local = "http://127.0.0.1:41234/callback"
	code := b.Authorize(s.Native, "redirect_uri", local).Through().Response(local).Get("code")
	s.Redeem(s.Native, code, "redirect_uri", "http://127.0.0.1:41235/callback").ExpectError(400, "invalid_grant")
	s.Redeem(s.Native, code, "redirect_uri", local).Expect(200)
	for _, uri := range []string{
		"https://127.0.0.1:41234/callback", "http://127.0.0.1:41234/other", "http://localhost:41234/callback", "http://127.0.0.2:41234/callback",
		"http://127.0.0.1:0/callback", "http://127.0.0.1:99999/callback", "http://127.0.0.1:1@evil.example/callback",
	} {
		if page := b.Authorize(s.Native, "redirect_uri", uri); page.Status != 400 || page.Left != "" {
			t.Errorf("%s: %d %s", uri, page.Status, page.Left)
		}
	}
}

// refusal is an error that goes to the client.
func refusal(t *testing.T, s *servertest.Server, page *servertest.Page, code string) {
	t.Helper()
	answer := page.Response(servertest.Callback)
	if answer.Get("error") != code || answer.Get("code") != "" {
		t.Errorf("the answer is %v, want %s", answer, code)
	}
	if answer.Get("state") != servertest.State || answer.Get("iss") != s.URL {
		t.Errorf("state or iss are missing: %v", answer) // statements 8 and 9
	}
}

func TestARefusedScopeIsNamedUnlessItIsNone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	for scope, want := range map[string]string{
		"openid invoices:write": "The client may not ask for the scope invoices:write.",
		"openid call\"us\"now":  "The client may not ask for one of these scopes.", // RFC 6749 §4.1.2.1: no quotes in a description
		"openid näh":            "The client may not ask for one of these scopes.",
	} {
		if got := b.Authorize(s.Portal, "scope", scope).Response(servertest.Callback).Get("error_description"); got != want {
			t.Errorf("%s: %q", scope, got)
		}
	}
}

func TestStatement5NoCodeWithoutS256(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	for _, pairs := range [][]string{
		{"code_challenge", ""},
		{"code_challenge_method", "plain"},
		{"code_challenge_method", ""},
		{"code_challenge_method", "S512"},
		{"code_challenge", "", "code_challenge_method", ""},
		{"code_challenge", "short"},
		{"code_challenge", strings.Repeat("a", 44)},
		{"code_challenge", servertest.Challenge() + "="},
	} {
		for _, client := range []servertest.Client{s.Web, s.Portal} {
			refusal(t, s, b.Authorize(client, append(pairs, "nonce", "")...), "invalid_request")
		}
	}
}

func TestStatement6TheVerifierMustFit(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	code := b.Code(s.Web)
	for _, verifier := range []string{
		"", servertest.Verifier + "x", servertest.Verifier[:42], strings.Repeat("a", 129), servertest.Challenge(), strings.Repeat("ä", 43),
	} {
		s.Redeem(s.Web, code, "code_verifier", verifier).ExpectError(400, "invalid_grant")
	}
	// fosite would have forgotten the challenge by now, and taken a request without a verifier.
	s.Redeem(s.Web, code, "code_verifier", "").ExpectError(400, "invalid_grant")
	s.Redeem(s.Web, code).Expect(200)
}

func TestStatement7OnlyCodes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	for _, kind := range []string{"token", "id_token token", "id_token", "code id_token", "code token", "none", "CODE", "code code"} {
		refusal(t, s, b.Authorize(s.Portal, "response_type", kind), "unsupported_response_type")
	}
	refusal(t, s, b.Authorize(s.Portal, "response_type", ""), "invalid_request")
}

func TestStatement8IssIsTheIssuer(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	issuer := s.Get("/.well-known/openid-configuration").Expect(200).String("issuer")
	for _, page := range []*servertest.Page{b.Authorize(s.Portal), b.Authorize(s.Portal, "prompt", "bad")} {
		if iss := page.Response(servertest.Callback).Get("iss"); iss != issuer {
			t.Errorf("iss is %q, the issuer %q", iss, issuer)
		}
	}
}

func TestStatement9StateComesBackAsItWas(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	for _, state := range []string{
		"a b+c%2B&d=e#f", "ä€𝄞", strings.Repeat("x", 4000), `"><script>alert(1)</script>`, "javascript:alert(1)", "line\r\nSet-Cookie: a=b", "{{.}}",
	} {
		for _, pairs := range [][]string{nil, {"prompt", "wrong"}} {
			page := b.Authorize(s.Portal, append([]string{"state", state}, pairs...)...)
			if got := page.Response(servertest.Callback).Get("state"); got != state {
				t.Errorf("%q came back as %q", state, got)
			}
		}
		if page := b.Authorize(s.Web, "state", state, "redirect_uri", "https://evil.example"); strings.Contains(page.Body, "<script>alert") || page.Status != 400 {
			t.Errorf("%q on a page: %d", state, page.Status)
		}
	}
	// RFC 6749 §4.1.2.1: that another parameter is too long takes nothing from the state.
	refusal(t, s, b.Authorize(s.Portal, "login_hint", strings.Repeat("x", 9000)), "invalid_request")
	for _, more := range []string{"", "&nonce=again"} {
		answer := b.Follow(s.Portal.AuthorizePath("state", strings.Repeat("x", 9000)) + more).Response(servertest.Callback)
		if answer.Has("state") || answer.Get("error") != "invalid_request" {
			t.Errorf("a state that is too long itself: %.100q", answer)
		}
	}
	answer := b.Authorize(s.Portal, "state", "").Response(servertest.Callback)
	if _, ok := answer["state"]; ok || answer.Get("code") == "" {
		t.Errorf("state is optional: %v", answer)
	}
}

func TestStatement10NothingTwiceButResource(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	for _, again := range []string{"scope=openid", "code_challenge=" + servertest.Challenge(), "nonce=x", "response_type=code", "unknown=1&unknown=2"} {
		refusal(t, s, b.Follow(s.Portal.AuthorizePath()+"&"+again), "invalid_request")
	}
	for _, uri := range []string{"https://a.example", "https://b.example"} {
		if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: uri}); err != nil {
			t.Fatal(err)
		}
	}
	page := b.Follow(s.Portal.AuthorizePath() + "&resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example")
	got := s.Redeem(s.Portal, page.Response(servertest.Callback).Get("code")).Expect(200)
	aud := s.Introspect(s.Inspector, got.String("access_token")).JSON()["aud"]
	if list, _ := aud.([]any); len(list) != 2 {
		t.Errorf("aud is %v", aud)
	}
}

func TestStatement15Prompt(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	refusal(t, s, b.Authorize(s.Web, "prompt", "none"), "login_required")
	b.SignIn()
	refusal(t, s, b.Authorize(s.Web, "prompt", "none"), "consent_required")
	b.Code(s.Web)
	if b.Authorize(s.Web, "prompt", "none").Response(servertest.Callback).Get("code") == "" {
		t.Error("signed in and allowed, and still no code")
	}
	refusal(t, s, b.Authorize(s.Web, "prompt", "none login"), "invalid_request")
	refusal(t, s, b.Authorize(s.Web, "prompt", "register"), "invalid_request")

	s.Clock.Advance(time.Hour)
	for _, pairs := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"max_age", "60"}, {"prompt", "select_account login"}} {
		page := b.Authorize(s.Web, pairs...)
		if !page.Has("/login") {
			t.Errorf("%v: no login page but %s", pairs, page.Left)
			continue
		}
		s.Clock.Advance(time.Second)
		code := page.Through().Response(servertest.Callback).Get("code")
		claims := servertest.Claims(t, s.Redeem(s.Web, code).Expect(200).String("id_token"))
		if at := time.Unix(int64(claims["auth_time"].(float64)), 0); s.Clock.Now().Sub(at) > time.Second {
			t.Errorf("%v: auth_time is %v, now is %v", pairs, at, s.Clock.Now())
		}
		s.Clock.Advance(2 * time.Minute)
	}
	if b.Authorize(s.Web, "max_age", "3600").Response(servertest.Callback).Get("code") == "" {
		t.Error("a login within max_age was not enough")
	}
	if page := b.Authorize(s.Web, "prompt", "consent"); !page.Has("/consent") {
		t.Errorf("prompt=consent: %s", page.Left)
	}
	page := b.Authorize(s.Web, "prompt", "select_account")
	if !page.Has("/login") {
		t.Fatalf("prompt=select_account: %s", page.Left)
	}
	if page = page.Form("/login").Press("action", "continue"); page.Response(servertest.Callback).Get("code") == "" {
		t.Errorf("going on with the present account: %s", page.Left)
	}
}

// A request that a user decided about can't be decided by somebody else's browser.
func TestAMarkBelongsToItsSession(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	mine := s.Browser()
	mine.SignIn()
	page := mine.Authorize(s.Web)
	ticket := page.Form("/consent").Fields.Get("request")
	other := s.Browser()
	other.SignIn()
	if got := other.Post("/consent", "request", ticket, "decision", "allow"); got.Status != 403 {
		t.Errorf("another session's ticket: %d %s", got.Status, got.Left)
	}
	allowed := page.Form("/consent").Press("decision", "allow")
	allowed.Response(servertest.Callback)
	if page := other.Authorize(s.Native); !page.Has("/consent") {
		t.Errorf("no consent in the other browser: %s", page.Left)
	}
}

func TestStatement17PushedRequests(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		b := s.Browser()
		b.SignIn()
		push := func(c servertest.Client, pairs ...string) *servertest.Answer {
			params := c.AuthorizeParams(pairs...)
			params.Del("client_id")
			var all []string
			for name := range params {
				all = append(all, name, params.Get(name))
			}
			return s.PostAs(c, "/oauth2/par", all...)
		}
		a := push(s.Web, "scope", "openid").Expect(201)
		uri := a.String("request_uri")
		if a.JSON()["expires_in"] != 90.0 || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") {
			t.Errorf("the answer is %s", a.Body)
		}
		by := func(c servertest.Client, uri string, more ...string) string {
			return "/oauth2/authorize?" + servertest.Form(append([]string{"client_id", c.ID, "request_uri", uri}, more...)...).Encode()
		}
		// Another client's leaves it where it is.
		if page := b.Follow(by(s.Portal, uri)); page.Status != 400 || page.Left != "" {
			t.Errorf("another client's: %d %s", page.Status, page.Left)
		}
		// So does a request that is wrong by itself.
		if page := b.Follow(by(s.Web, uri, "request_uri", uri)); page.Status != 400 || page.Left != "" {
			t.Errorf("named twice: %d %s", page.Status, page.Left)
		}
		// Nothing of the query is merged in.
		page := b.Follow(by(s.Web, uri, "scope", "openid read write", "state", "other", "code_challenge", "x", "redirect_uri", "https://evil.example")).Through()
		answer := page.Response(servertest.Callback)
		got := s.Redeem(s.Web, answer.Get("code")).Expect(200)
		if answer.Get("state") != servertest.State || got.String("scope") != "openid" {
			t.Errorf("merged: %v %s", answer, got.Body)
		}
		if page := b.Follow(by(s.Web, uri)); page.Status != 400 || page.Left != "" {
			t.Errorf("used twice: %d %s", page.Status, page.Left)
		}
		late := push(s.Web).Expect(201).String("request_uri")
		s.Clock.Advance(91 * time.Second)
		if page := b.Follow(by(s.Web, late)); page.Status != 400 || !strings.Contains(page.Body, "This request has expired") {
			t.Errorf("too late: %d", page.Status)
		}
		refusal(t, s, b.Authorize(s.Web, "request_uri", "https://canary.example/request"), "request_uri_not_supported")
		refusal(t, s, b.Authorize(s.Web, "request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported") // the client has no keys
		push(s.Web, "redirect_uri", "https://evil.example").ExpectError(400, "invalid_request")
		push(s.Web, "request_uri", uri).ExpectError(400, "invalid_request")
		push(s.Web, "scope", "nonsense").ExpectError(400, "invalid_scope")
	})
}

// The parameters of the pages a request goes through outlive the 90 seconds of a pushed one.
func TestAPushedRequestSurvivesALongLogin(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	params := s.Web.AuthorizeParams()
	var all []string
	for name := range params {
		all = append(all, name, params.Get(name))
	}
	uri := s.PostAs(s.Web, "/oauth2/par", all...).Expect(201).String("request_uri")
	page := s.Browser().Follow("/oauth2/authorize?" + servertest.Form("client_id", "web", "request_uri", uri).Encode())
	s.Clock.Advance(10 * time.Minute)
	if page.Through().Response(servertest.Callback).Get("code") == "" {
		t.Error("no code")
	}
}

func TestAClientMayBeHeldToPushedRequests(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	_, err := s.Clients().Update(t.Context(), "web", func(r *clients.Registration) error {
		r.RequirePushedAuthorizationRequests = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	refusal(t, s, s.Browser().Authorize(s.Web), "invalid_request")
	var all []string
	for name, values := range s.Web.AuthorizeParams() {
		all = append(all, name, values[0])
	}
	uri := s.PostAs(s.Web, "/oauth2/par", all...).Expect(201).String("request_uri")
	page := s.Browser().Follow("/oauth2/authorize?" + servertest.Form("client_id", "web", "request_uri", uri).Encode())
	if page.Through().Response(servertest.Callback).Get("code") == "" {
		t.Error("no code")
	}
}

func TestStatement19ResponseModes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	for _, mode := range []string{"fragment", "web_message", "jwt", "query.jwt", "x"} {
		refusal(t, s, b.Authorize(s.Portal, "response_mode", mode), "invalid_request")
	}
	if b.Authorize(s.Portal, "response_mode", "query").Response(servertest.Callback).Get("code") == "" {
		t.Error("query gave no code")
	}
	page := b.Authorize(s.Portal, "response_mode", "form_post", "state", `"><script>alert(1)</script>`)
	if page.Status != 200 || page.Header.Get("Cache-Control") != "no-store" || strings.Contains(page.Body, "<script>alert") {
		t.Errorf("form_post: %d %v %s", page.Status, page.Header, page.Body)
	}
	form := page.Form("/callback")
	if form.Action != servertest.Callback || form.Fields.Get("code") == "" || form.Fields.Get("iss") != s.URL || form.Fields.Get("state") == "" {
		t.Errorf("the form is %+v", form)
	}
	s.Redeem(s.Portal, form.Fields.Get("code")).Expect(200)
}

func TestStatement20ACodeIsBound(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	code := b.Code(s.Web)
	s.Redeem(s.Portal, code).ExpectError(400, "invalid_grant")
	s.Redeem(s.Web, code, "redirect_uri", servertest.Callback+"/").ExpectError(400, "invalid_grant")
	s.Redeem(s.Web, code, "resource", "https://other.example").ExpectError(400, "invalid_target")
	s.Redeem(s.Web, code, "redirect_uri", "").Expect(200) // optional: docs/divergences.md
	late := b.Code(s.Web)
	s.Clock.Advance(time.Minute)
	s.Redeem(s.Web, late).ExpectError(400, "invalid_grant")
	for _, garbage := range []string{"", "x", "lk_ac_", "lk_ac_" + strings.Repeat("A", 48), late[:len(late)-1] + "A", late + "A"} {
		if a := s.Redeem(s.Web, garbage); a.Status != 400 {
			t.Errorf("%q: %d", garbage, a.Status)
		}
	}
}

// RFC 6749 §4.1.2: one redemption; the others end what it gave.
func TestStatement21OneRedemption(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		for range 5 {
			code := s.Browser().Code(s.Portal)
			var won atomic.Pointer[servertest.Answer]
			var wins atomic.Int32
			var wg sync.WaitGroup
			start := make(chan struct{})
			for range 20 {
				wg.Go(func() {
					<-start
					if a := s.Redeem(s.Portal, code); a.Status == 200 {
						wins.Add(1)
						won.Store(a)
					} else {
						a.ExpectError(400, "invalid_grant")
					}
				})
			}
			close(start)
			wg.Wait()
			if wins.Load() != 1 {
				t.Fatalf("%d redemptions of one code", wins.Load())
			}
			s.Refresh(s.Portal, won.Load().String("refresh_token")).ExpectError(400, "invalid_grant")
			if a := s.Introspect(s.Inspector, won.Load().String("access_token")); a.JSON()["active"] != false {
				t.Errorf("the access token lives: %s", a.Body)
			}
		}
	})
}

func TestStatement22AReplayedCodeEndsItsTokens(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	code := s.Browser().Code(s.Web)
	got := s.Redeem(s.Web, code).Expect(200)
	soon := s.Browser().Code(s.Web)
	fresh := s.Redeem(s.Web, soon).Expect(200)
	s.Clock.Advance(2 * time.Minute)
	s.Redeem(s.Web, soon).ExpectError(400, "invalid_grant")
	if a := s.Introspect(s.Inspector, fresh.String("access_token")); a.JSON()["active"] != false {
		t.Errorf("the access token lives: %s", a.Body)
	}
	s.Get("/oauth2/userinfo", bearer(fresh.String("access_token"))).ExpectError(401, "invalid_token")
	s.Clock.Advance(time.Hour) // long after its end
	s.Redeem(s.Portal, code).ExpectError(400, "invalid_grant")
	s.Refresh(s.Web, got.String("refresh_token")).Expect(200) // another client's replay ends nothing
	s.Redeem(s.Web, code).ExpectError(400, "invalid_grant")
	s.Refresh(s.Web, got.String("refresh_token")).ExpectError(400, "invalid_grant")
	if strings.Contains(s.Log.String(), code) {
		t.Error("the code is in the log")
	}
}

func TestStatement29GrantsOfOthers(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Token(s.Portal, "grant_type", "client_credentials").ExpectError(400, "unauthorized_client")
	s.Token(s.Portal, "grant_type", "password", "username", "alice", "password", servertest.Password).ExpectError(400, "unauthorized_client")
	s.Redeem(s.Backend, "lk_ac_x", "redirect_uri", "").ExpectError(400, "unauthorized_client")
	b := s.Browser()
	b.SignIn()
	page := b.Authorize(servertest.Client{ID: s.SPA.ID, Redirect: s.SPA.Redirect})
	if e := page.Response(s.SPA.Redirect).Get("error"); e != "unauthorized_client" {
		t.Errorf("a client without the grant type: %s", e)
	}
}

func TestStatement32Resources(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: "https://bare.example"}); err != nil {
		t.Fatal(err)
	}
	slashed := s.Redeem(s.Portal, s.Browser().Code(s.Portal, "resource", "https://bare.example/"), "resource", "https://bare.example/").Expect(200)
	if aud := servertest.Claims(t, slashed.String("access_token"))["aud"]; aud != "https://bare.example" {
		t.Errorf("aud is %v, not the registered spelling", aud)
	}
	for _, uri := range []string{"https://a.example", "https://b.example"} {
		if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: uri}); err != nil {
			t.Fatal(err)
		}
	}
	b := s.Browser()
	refusal(t, s, b.Authorize(s.Portal, "resource", "https://c.example"), "invalid_target")
	b.SignIn()
	page := b.Follow(s.Portal.AuthorizePath() + "&resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example")
	code := page.Response(servertest.Callback).Get("code")
	s.Redeem(s.Portal, code, "resource", "https://c.example").ExpectError(400, "invalid_target")
	first := s.Redeem(s.Portal, code, "resource", "https://a.example").Expect(200)
	if aud := servertest.Claims(t, first.String("access_token"))["aud"]; aud != "https://a.example" {
		t.Errorf("narrowed to %v", aud)
	}
	s.Get("/oauth2/userinfo", bearer(first.String("access_token"))).Expect(200) // it has the scope openid: see docs/divergences.md
	// The other one is still to be had by a refresh, and nothing else.
	s.Token(s.Portal, "grant_type", "refresh_token", "refresh_token", first.String("refresh_token"), "resource", "https://c.example").ExpectError(400, "invalid_target")
	second := s.Token(s.Portal, "grant_type", "refresh_token", "refresh_token", first.String("refresh_token"), "resource", "https://b.example").Expect(200)
	if aud := servertest.Claims(t, second.String("access_token"))["aud"]; aud != "https://b.example" {
		t.Errorf("refreshed to %v", aud)
	}
}

// RFC 9700 §4.11.2: whoever registers a client must not get a link on our address that leads people to a site of theirs.
func TestStatement16ErrorsOfUnverifiedClientsLeadNobodyAway(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	made := s.PostJSON("/oauth2/register", map[string]any{
		"redirect_uris": []string{"https://evil.example/"}, "token_endpoint_auth_method": "none", "client_name": "Evil",
	}).Expect(201)
	evil := servertest.Client{ID: made.String("client_id"), Redirect: "https://evil.example/"}
	b := s.Browser()
	if page := b.Authorize(evil, "response_type", "token"); page.Left != "" || page.Status != 400 || !strings.Contains(page.Body, "unsupported_response_type") {
		t.Errorf("led to %q (%d)", page.Left, page.Status)
	}
	if page := b.Authorize(evil, "response_type", "token", "prompt", "none"); page.Left != "" {
		t.Errorf("prompt=none led to %q", page.Left)
	}
	if e := b.Authorize(evil, "scope", "openid", "prompt", "none").Response("https://evil.example/").Get("error"); e != "login_required" {
		t.Errorf("a request that is right was answered %q", e) // OpenID Connect Core §3.1.2.6
	}
	b.SignIn()
	if e := b.Authorize(evil, "response_type", "token").Response("https://evil.example/").Get("error"); e != "unsupported_response_type" {
		t.Errorf("signed in, and the client was told %q", e)
	}
}

func TestStatement16LogoutsOfUnverifiedClientsLeadNobodyAway(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	const callback, goodbye = "https://evil.example/", "https://evil.example/bye"
	made := s.PostJSON("/oauth2/register", map[string]any{
		"redirect_uris": []string{callback}, "post_logout_redirect_uris": []string{goodbye}, "token_endpoint_auth_method": "none",
	}).Expect(201)
	evil := servertest.Client{ID: made.String("client_id"), Redirect: callback}
	logout := "/oauth2/logout?" + servertest.Form("client_id", evil.ID, "post_logout_redirect_uri", goodbye).Encode()
	if page := s.Browser().Follow(logout); page.Left != "" || page.Status != 200 {
		t.Errorf("led to %q (%d)", page.Left, page.Status)
	}
	b := s.Browser()
	b.SignIn()
	page := b.Authorize(evil, "scope", "openid").Form("/consent").Press("decision", "allow")
	hint := s.Redeem(evil, page.Response(callback).Get("code")).Expect(200).String("id_token")
	logout += "&" + servertest.Form("id_token_hint", hint).Encode()
	if page := b.Follow(logout); page.Left != goodbye {
		t.Errorf("who used the client is led to %q", page.Left)
	}
	if page := s.Browser().Follow(logout); page.Left != "" {
		t.Errorf("an ID token of somebody else's leads to %q", page.Left)
	}
}

func TestStatement17PublicClientsPushWithinLimits(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	push := func(c servertest.Client) *servertest.Answer {
		var all []string
		for name, values := range c.AuthorizeParams() {
			all = append(all, name, values[0])
		}
		return s.PostAs(c, "/oauth2/par", all...)
	}
	for range 60 {
		push(s.Portal).Expect(201)
	}
	if a := push(s.Portal).Expect(429); a.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After: %q", a.Header.Get("Retry-After"))
	}
	push(s.Web).Expect(201) // who says who it is is not counted
	s.Clock.Advance(time.Second)
	push(s.Portal).Expect(201)
}

func TestStatement17ClientsThatRegisteredThemselvesPushWithinLimits(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	made := s.PostJSON("/oauth2/register", map[string]any{"redirect_uris": []string{servertest.Callback}}).Expect(201)
	c := servertest.Client{ID: made.String("client_id"), Secret: storage.Secret(made.String("client_secret")), Redirect: servertest.Callback}
	var all []string
	for name, values := range c.AuthorizeParams("scope", "openid") {
		all = append(all, name, values[0])
	}
	for range 60 {
		s.PostAs(c, "/oauth2/par", all...).Expect(201)
	}
	s.PostAs(c, "/oauth2/par", all...).Expect(429)
}
