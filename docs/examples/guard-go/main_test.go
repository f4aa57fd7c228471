package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// The guard that docs/mcp.md shows, unmodified, against a server.
func TestGuard(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.Advance(time.Since(servertest.Epoch)) // the guard reads the real clock
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
