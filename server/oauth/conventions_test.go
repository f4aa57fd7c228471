package oauth_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// withResource adds a protected resource.
func withResource(t *testing.T, s *servertest.Server, identifier string, scopes ...string) {
	t.Helper()
	if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: identifier, Scopes: scopes}); err != nil {
		t.Fatal(err)
	}
}

// Row N, RFC 3986 §6.2: a resource is the same however its URL is spelt, and may be named at the token endpoint alone.
func TestRowNResourcesAreComparedAsURLs(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	withResource(t, s, "https://tools.example.com/", "read")
	withResource(t, s, "https://tools.example.com/mcp", "read")
	audience := func(a *servertest.Answer) string {
		aud, _ := s.Introspect(s.Inspector, a.Expect(200).String("access_token")).JSON()["aud"].([]any)
		return strings.Trim(fmt.Sprint(aud), "[]")
	}
	for spelt, want := range map[string]string{
		"https://tools.example.com": "https://tools.example.com/", "HTTPS://TOOLS.example.com:443/": "https://tools.example.com/",
		"https://Tools.Example.com:443/mcp": "https://tools.example.com/mcp", "https://tools.example.com/mcp": "https://tools.example.com/mcp",
	} {
		got := s.Redeem(s.Portal, b.Code(s.Portal, "resource", spelt), "resource", strings.ToLower(spelt))
		if aud := audience(got); aud != want {
			t.Errorf("%s: aud %v", spelt, aud)
		}
		if aud := audience(s.Token(s.Portal, "grant_type", "refresh_token", "refresh_token", got.String("refresh_token"), "resource", spelt)); aud != want {
			t.Errorf("%s refreshed: aud %v", spelt, aud)
		}
		alone := s.Redeem(s.Portal, b.Code(s.Portal), "resource", spelt)
		if aud := audience(alone); aud != want {
			t.Errorf("%s at the token endpoint alone: aud %v", spelt, aud)
		}
		if aud := audience(s.Refresh(s.Portal, alone.String("refresh_token"))); aud != want {
			t.Errorf("%s: the session has aud %v", spelt, aud)
		}
		s.Get("/oauth2/resources?" + servertest.Form("resource", spelt).Encode()).Expect(200)
	}
	for _, other := range []string{"https://tools.example.com/MCP", "https://tools.example.com:444/mcp", "http://tools.example.com/mcp", "https://u@tools.example.com/mcp", "https://tools.example.com/mcp/", "https://tools.example.com.evil.example/mcp", "mcp", "https://"} {
		code := b.Code(s.Portal)
		s.Redeem(s.Portal, code, "resource", other).ExpectError(400, "invalid_target")
		refusal(t, s, b.Authorize(s.Portal, "resource", other), "invalid_target")
	}
	// What was granted for one resource is not good for another.
	code := b.Code(s.Portal, "resource", "https://tools.example.com/mcp")
	s.Redeem(s.Portal, code, "resource", "https://tools.example.com/").ExpectError(400, "invalid_target")
}

// Row O: the audiences and lifetimes of common libraries; one that is made for an hour counts for five minutes.
func TestRowOAudiencesOfAssertions(t *testing.T) {
	t.Parallel()
	for onlyIssuer, want := range map[bool]int{false: 200, true: 401} {
		p := newParty(t, func(c *server.Config) { c.AssertionsForIssuerOnly = onlyIssuer })
		ask := func(aud any, age, life time.Duration) int {
			made := p.Clock.Now().Add(-age)
			assertion := p.assert(jose.ES256, p.key, map[string]any{"aud": aud, "iat": made.Unix(), "exp": made.Add(life).Unix()})
			return p.post("/oauth2/token", "grant_type", "client_credentials", "client_assertion", assertion).Status
		}
		token := p.issuer + "/oauth2/token"
		if got := ask(p.issuer, 0, time.Minute); got != 200 {
			t.Errorf("issuer: %d", got)
		}
		for _, aud := range []any{token, p.issuer + "/oauth2/par", p.issuer + "/oauth2/revoke", p.issuer + "/oauth2/introspect", []string{p.issuer}, []string{"https://other.example", token}} {
			if got := ask(aud, 0, time.Hour); got != want {
				t.Errorf("%v: %d, want %d", aud, got, want)
			}
		}
		for _, aud := range []any{"", "https://other.example", []string{}, []string{"https://other.example"}, 1, []any{1, token}, token + "/", nil} {
			if got := ask(aud, 0, time.Minute); got != 401 {
				t.Errorf("%v: %d", aud, got)
			}
		}
		for age, status := range map[time.Duration]int{4 * time.Minute: 200, 6 * time.Minute: 401} {
			if got := ask(p.issuer, age, time.Hour); got != status {
				t.Errorf("%s old: %d", age, got)
			}
		}
		if got := ask(p.issuer, 0, time.Hour+time.Minute); got != 401 {
			t.Errorf("more than an hour: %d", got)
		}
	}
}

// Row M: what can't be had is left out for a client that registered itself, and refused for the operator's.
func TestRowMScopes(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	b := s.Browser()
	b.SignIn()
	withResource(t, s, "https://tools.example.com/mcp", "tools:read", "tools:write")
	withResource(t, s, "https://files.example.com/mcp", "files:read")
	a := s.PostJSON(registerPath, app()).Expect(201)
	c := servertest.Client{ID: a.String("client_id"), Redirect: "https://app.example/callback"}
	for scope, want := range map[string]string{
		"openid made:up tools:read": "openid tools:read", "tools:read offline_access": "tools:read offline_access", "": "tools:read tools:write",
	} {
		if got := s.Redeem(c, b.Code(c, "scope", scope, "resource", "https://tools.example.com/mcp")).Expect(200).String("scope"); got != want && !(scope == "" && sameWords(got, want)) {
			t.Errorf("%q: %q, want %q", scope, got, want)
		}
	}
	if got := s.Redeem(c, b.Code(c, "scope", "")).Expect(200).String("scope"); !sameWords(got, "files:read tools:read tools:write") {
		t.Errorf("without scope and resource: %q", got)
	}
	refusal(t, s, b.Authorize(c, "scope", "made:up"), "invalid_scope")
	refusal(t, s, b.Authorize(s.Web, "scope", "openid made:up"), "invalid_scope")
}

// Row M: what there is not can't be registered; the answer shows what is left. A metadata document is read alike.
func TestRowMUnknownScopesAreNotRegistered(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Configure(func(c *server.Config) { c.Registration = "open" }))
		withResource(t, s, "https://tools.example.com/mcp", "tools:read")
		for asked, want := range map[string]string{
			"openid made:up tools:read admin": "openid tools:read", "email offline_access groups profile": "email offline_access groups profile",
			"made:up": "", "": "", "tools:read tools:read": "tools:read", "OPENID tools:READ tools:read": "tools:read",
		} {
			a := s.PostJSON(registerPath, app("scope", asked)).Expect(201)
			if got := a.String("scope"); got != want {
				t.Errorf("%q became %q, want %q", asked, got, want)
			}
		}
		s.PostJSON(registerPath, app("scope", `a"b`)).ExpectError(400, "invalid_client_metadata")

		// An update can't add what there is not, and loses nothing that the client has.
		a := s.PostJSON(registerPath, app("scope", "openid tools:read")).Expect(201)
		body := app("client_id", a.String("client_id"), "scope", "openid tools:read made:up")
		if err := s.Clients().RemoveResource(t.Context(), "https://tools.example.com/mcp"); err != nil {
			t.Fatal(err)
		}
		again := put(s, a.String("registration_client_uri"), a.String("registration_access_token"), body).Expect(200)
		if got := again.String("scope"); got != "openid tools:read" {
			t.Errorf("after the update %q", got)
		}
		// The operator's own client has what the operator gave it.
		refusal(t, s, s.Browser().Authorize(s.Web, "scope", "openid made:up"), "invalid_scope")
	})
}

func TestRowMUnknownScopesOfADocument(t *testing.T) {
	t.Parallel()
	p := publish(t)
	p.set("scope", "openid made:up tools:read")
	s := servertest.New(t, accepting(p))
	withResource(t, s, "https://tools.example.com/mcp", "tools:read", "tools:write")
	agent := servertest.Client{ID: p.id(), Redirect: servertest.NativeCallback}
	for asked, want := range map[string]string{"": "openid tools:read", "openid made:up": "openid", "tools:read tools:write offline_access": "tools:read offline_access"} {
		got := s.Redeem(agent, s.Browser().Code(agent, "scope", asked)).Expect(200)
		if got.String("scope") != want {
			t.Errorf("%q: %q, want %q", asked, got.String("scope"), want)
		}
	}
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	for _, word := range x {
		if !strings.Contains(" "+b+" ", " "+word+" ") {
			return false
		}
	}
	return len(x) == len(y)
}
