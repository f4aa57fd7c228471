package oauth_test

import (
	"fmt"
	"strings"
	"testing"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// OpenID Connect Registration §2: initiate_login_uri is kept, shown and https.
func TestRegistrationKeepsInitiateLoginURI(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	const login = "https://app.example/login"
	a := s.PostJSON(registerPath, app("initiate_login_uri", login)).Expect(201)
	uri, token := a.String("registration_client_uri"), bearer(a.String("registration_access_token"))
	if read := s.Get(uri, token).Expect(200); a.String("initiate_login_uri") != login || read.String("initiate_login_uri") != login {
		t.Errorf("%s\n%s", a.Body, read.Body)
	}
	for _, bad := range []any{"http://app.example/login", "http://127.0.0.1/login", "javascript:alert(1)", "com.example.app:/login", "/login", 1, []string{login}} {
		s.PostJSON(registerPath, app("initiate_login_uri", bad)).ExpectError(400, "invalid_client_metadata")
	}
	// RFC 7592 §2.2: an update that leaves it out removes it.
	id := a.String("client_id")
	if a := put(s, uri, a.String("registration_access_token"), app("client_id", id)).Expect(200); strings.Contains(a.Body, "initiate_login_uri") {
		t.Errorf("updated: %s", a.Body)
	}
}

// A client that keeps the first registration access token can remove itself, however often it has read.
func TestTheFirstRegistrationAccessTokenStays(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := registering(t, "open", servertest.Store(open(t)))
		a := s.PostJSON(registerPath, app()).Expect(201)
		uri, token := a.String("registration_client_uri"), a.String("registration_access_token")
		statuses := map[int]int{}
		for range 5 {
			read := s.Get(uri, bearer(token))
			statuses[read.Status]++
			if read.String("registration_access_token") != token || read.String("registration_client_uri") != uri {
				t.Errorf("read: %s", read.Body)
			}
		}
		if statuses[200] != 5 {
			t.Errorf("%v", statuses)
		}
		s.Do("DELETE", uri, "", bearer(token)).Expect(204)
		s.Get(uri, bearer(token)).ExpectError(401, "invalid_token")
	})
}

// --registration-limit; the error names it.
func TestTheRegistrationLimitOfANetworkIsAnOption(t *testing.T) {
	t.Parallel()
	s := registering(t, "open", servertest.Configure(func(c *server.Config) { c.RegistrationLimit = 30 }))
	for i := range 30 {
		s.PostJSON(registerPath, app("client_name", fmt.Sprint(i))).Expect(201)
	}
	a := s.PostJSON(registerPath, app()).Expect(429)
	if a.Header.Get("Retry-After") != "120" || !strings.Contains(a.Body, "--registration-limit") {
		t.Errorf("%v %s", a.Header, a.Body)
	}
}

// Row L, RFC 8252 §8.4: editors and agents have schemes without a dot, some beside application_type web.
func TestRowLSchemesOfEditorsAndAgents(t *testing.T) {
	t.Parallel()
	s := registering(t, "open", servertest.Configure(func(c *server.Config) { c.RegistrationLimit = 100 }))
	for _, uri := range []string{
		"cursor://anysphere.cursor-retrieval/oauth/user-agent/callback", "vscode://vscode.github-authentication/did-authenticate",
		"vscode-insiders://ms.mcp/callback", "claude://oauth/callback", "windsurf:/callback",
	} {
		for _, kind := range []any{"web", "native", nil} {
			a := s.PostJSON(registerPath, app("redirect_uris", []string{uri, "http://localhost:8080/cb", "https://app.example/cb"}, "application_type", kind, "client_name", uri)).Expect(201)
			if kind == nil && a.String("application_type") != "native" {
				t.Errorf("%s: %s", uri, a.Body)
			}
			c := servertest.Client{ID: a.String("client_id"), Redirect: uri}
			b := s.Browser()
			b.SignIn()
			if got := b.Authorize(c, "scope", "openid"); !got.Has("/consent") {
				t.Errorf("%s: no consent: %d %s", uri, got.Status, got.Left)
			} else if left := got.Through(); left.Response(uri).Get("code") == "" {
				t.Errorf("%s: %s", uri, left.Left)
			}
		}
	}
	for _, uri := range []string{"unheard-of://cb", "javascript:alert(1)", "javascript://x/%0aalert(1)", "data:text/html,x", "cursor:cb", "cursor:", "Cursor://cb", "cursor://cb#x", "cursor://u@h/cb"} {
		s.PostJSON(registerPath, app("redirect_uris", []string{"https://app.example/cb", uri})).ExpectError(400, "invalid_redirect_uri")
	}
}

// Row L: what oidc-agent sends, whose scheme is a domain name in reverse beside application_type web.
func TestRowLADomainNameInReverseIsNative(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	a := s.PostJSON(registerPath, map[string]any{
		"application_type": "web", "client_name": "oidc-agent:test", "response_types": []string{},
		"grant_types":   []string{"refresh_token", "urn:ietf:params:oauth:grant-type:device_code"},
		"redirect_uris": []string{"http://localhost:4242", "http://localhost:8080", "edu.kit.data.oidc-agent:/redirect"},
	}).Expect(201)
	if a.String("application_type") != "native" {
		t.Error(a.Body)
	}
	s.PostJSON(registerPath, app("redirect_uris", []string{"com..app:/cb"}, "application_type", "web")).ExpectError(400, "invalid_redirect_uri")
}

// Row L: every bad URI beside good ones is named, with the option that would allow it.
func TestRowLABadURINamesItself(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	a := s.PostJSON(registerPath, app("redirect_uris", []string{"https://good.example/cb", "unheard-of://cb", "http://bad.example/cb"})).
		ExpectError(400, "invalid_redirect_uri")
	got := a.String("error_description")
	for _, part := range []string{"unheard-of://cb", "http://bad.example/cb", "--redirect-schemes"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is not in %q", part, got)
		}
	}
	if strings.Contains(got, "good.example") {
		t.Errorf("a good one is named: %q", got)
	}
}

// Row L: the operator's own list replaces the default, and an empty one allows none.
func TestRowLTheOperatorsSchemes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schemes []string
		status  map[string]int
	}{
		{[]string{"unheard-of"}, map[string]int{"unheard-of://cb": 201, "cursor://cb": 400, "com.example.app:/cb": 201}},
		{[]string{}, map[string]int{"unheard-of://cb": 400, "cursor://cb": 400, "com.example.app:/cb": 201}},
	} {
		s := registering(t, "open", servertest.Configure(func(cfg *server.Config) { cfg.RedirectSchemes = c.schemes }))
		for uri, status := range c.status {
			s.PostJSON(registerPath, app("redirect_uris", []string{uri})).Expect(status)
		}
	}
}
