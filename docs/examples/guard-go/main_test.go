package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/testclock"
)

// The guard that docs/mcp.md shows, unmodified, against a server.
func TestGuard(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.Advance(time.Since(testclock.Epoch)) // the guard reads the real clock
	const resource, other = "https://tools.example/mcp", "https://other.example/mcp"
	for _, identifier := range []string{resource, other} {
		if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: identifier, Scopes: []string{"tools:read", "tools:write"}}); err != nil {
			t.Fatal(err)
		}
	}
	agent := s.AddClient(clients.Registration{ID: "agent", Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{servertest.Callback}, TokenEndpointAuthMethod: "none",
	}})
	tokens := func(scope, resource string) *servertest.Answer {
		t.Helper()
		code := s.Browser().Code(agent, "scope", scope, "resource", resource)
		return s.Redeem(agent, code, "resource", resource).Expect(200)
	}
	good := tokens("openid tools:read", resource)
	stale := tokens("tools:read", resource).String("access_token")

	g := &guard{issuer: s.URL, resource: resource}
	h := g.protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", caller(r).Subject, caller(r).ClientID)
	}), "tools:read")
	ask := func(authorization string) (int, string, string) {
		r := httptest.NewRequest("POST", "/mcp", nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Body)
		return w.Code, w.Header().Get("WWW-Authenticate"), string(body)
	}
	if status, _, body := ask("Bearer " + good.String("access_token")); status != 200 || body != "1 agent" {
		t.Errorf("a good token: %d %q", status, body)
	}
	refused := map[string]struct {
		authorization string
		status        int
		code          string
	}{
		"nothing":            {"", 401, ""},
		"basic":              {"Basic eDp5", 401, ""},
		"nonsense":           {"Bearer x", 401, "invalid_token"},
		"another resource's": {"Bearer " + tokens("tools:read", other).String("access_token"), 401, "invalid_token"},
		"an ID token":        {"Bearer " + good.String("id_token"), 401, "invalid_token"},
		"a refresh token":    {"Bearer " + good.String("refresh_token"), 401, "invalid_token"},
		"tampered with":      {"Bearer " + strings.Replace(good.String("access_token"), ".", ".e", 1), 401, "invalid_token"},
		"too little scope":   {"Bearer " + tokens("tools:write", resource).String("access_token"), 403, "insufficient_scope"},
	}
	for name, c := range refused {
		status, header, _ := ask(c.authorization)
		if status != c.status || !strings.HasPrefix(header, `Bearer resource_metadata="`+s.URL+`/oauth2/resources?resource=https%3A%2F%2Ftools.example%2Fmcp"`) {
			t.Errorf("%s: %d %s", name, status, header)
		}
		if (c.code != "") != strings.Contains(header, "error=") || !strings.Contains(header, c.code) {
			t.Errorf("%s: the error is not %q: %s", name, c.code, header)
		}
	}
	// Where the header leads, the client learns whom to ask.
	_, header, _ := ask("")
	_, rest, _ := strings.Cut(header, `resource_metadata="`)
	document, _, _ := strings.Cut(rest, `"`)
	s.Get(document).Expect(200).ExpectBody(`{"resource": "` + resource + `", "authorization_servers": ["` + s.URL + `"],
		"scopes_supported": ["tools:read", "tools:write"], "bearer_methods_supported": ["header"]}`)

	// A token that has ended, by a server whose clock is an hour behind.
	s.Clock.Advance(-time.Hour)
	old := tokens("tools:read", resource).String("access_token")
	if status, _, _ := ask("Bearer " + old); status != 401 {
		t.Errorf("a token that has ended: %d", status)
	}
	if status, _, _ := ask("Bearer " + stale); status != 200 {
		t.Errorf("a token that has not: %d", status)
	}
}

// An agent that knows the URL of a server, and nothing else, gets in; also where the issuer has a path.
func TestAgentThatKnowsOnlyTheURL(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/auth"} {
		s := servertest.New(t, servertest.Configure(func(c *server.Config) {
			c.Registration = "open"
			c.Issuer += path
		}))
		s.Clock.Advance(time.Since(testclock.Epoch))
		const resource = "https://tools.example/mcp"
		if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: resource, Scopes: []string{"tools:read"}}); err != nil {
			t.Fatal(err)
		}
		g := &guard{issuer: s.URL + path, resource: resource}
		tools := httptest.NewServer(g.protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, caller(r).Subject)
		}), "tools:read"))
		defer tools.Close()

		header := s.Get(tools.URL).Expect(401).Header.Get("WWW-Authenticate")
		_, rest, _ := strings.Cut(header, `resource_metadata="`)
		document, _, _ := strings.Cut(rest, `"`)
		protected := s.Get(document).Expect(200).JSON()
		if protected["resource"] != resource {
			t.Fatalf("the document is for %v", protected["resource"])
		}
		issuer, err := url.Parse(protected["authorization_servers"].([]any)[0].(string))
		if err != nil {
			t.Fatal(err)
		}
		// RFC 8414 §3.1: the well-known part goes before the issuer's path.
		found := s.Get(issuer.Scheme + "://" + issuer.Host + "/.well-known/oauth-authorization-server" + issuer.Path).Expect(200)
		registered := s.PostJSON(found.String("registration_endpoint"), map[string]any{
			"client_name": "Agent", "redirect_uris": []string{"http://localhost:4711/oauth/callback"}, "token_endpoint_auth_method": "none",
			"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		}).Expect(201)
		s.Do("GET", registered.String("registration_client_uri"), "", servertest.Header("Authorization", "Bearer "+registered.String("registration_access_token"))).Expect(200)
		agent := servertest.Client{ID: registered.String("client_id"), Redirect: "http://localhost:4712/oauth/callback"}
		page := s.Browser().Follow(found.String("authorization_endpoint") + "?" + agent.AuthorizeParams("scope", "tools:read", "resource", resource).Encode())
		code := through(page, path).Response(agent.Redirect).Get("code")
		form := servertest.Form("grant_type", "authorization_code", "client_id", agent.ID, "code", code, "code_verifier", servertest.Verifier,
			"redirect_uri", agent.Redirect, "resource", resource)
		tokens := s.PostForm(found.String("token_endpoint"), form).Expect(200)
		ask := func(token string) { s.Get(tools.URL, servertest.Header("Authorization", "Bearer "+token)).Expect(200) }
		ask(tokens.String("access_token"))
		again := s.PostForm(found.String("token_endpoint"), servertest.Form("grant_type", "refresh_token", "client_id", agent.ID,
			"refresh_token", tokens.String("refresh_token"), "resource", resource)).Expect(200)
		ask(again.String("access_token"))
		s.PostForm(found.String("revocation_endpoint"), servertest.Form("client_id", agent.ID, "token", again.String("refresh_token"))).Expect(200)
	}
}

// through signs in and allows.
func through(p *servertest.Page, path string) *servertest.Page {
	p = p.Form(path+"/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	return p.Form(path+"/consent").Press("decision", "allow")
}
