package oauth_test

import (
	"net/http"
	"testing"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
)

// Row J: mod_auth_openidc takes an error with iss for a login that began elsewhere.
func TestRowJErrorsWithoutISS(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	no := false
	quiet := s.AddClient(clients.Registration{ID: "apache", Policy: clients.Policy{ErrorISS: &no, FirstParty: true}, Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code"}, Scope: "openid", RedirectURIs: []string{"https://apache.example/redirect_uri"},
	}})
	b := s.Browser()
	refused := b.Authorize(quiet, "scope", "openid", "prompt", "none").Response(quiet.Redirect)
	if refused.Get("error") != "login_required" || refused.Has("iss") || refused.Get("state") != servertest.State {
		t.Errorf("refused with %v", refused)
	}
	b.SignIn()
	if answer := b.Authorize(quiet, "scope", "openid").Response(quiet.Redirect); answer.Get("code") == "" || answer.Get("iss") != s.URL {
		t.Errorf("answered with %v", answer)
	}
}

// Row K: axios with withCredentials, and fetch with credentials: include.
func TestRowKCredentialsOfListedOrigins(t *testing.T) {
	t.Parallel()
	const listed = "https://listed.example"
	allowed := func(t *testing.T, s *servertest.Server, method, path, origin string) string {
		edits := []servertest.Edit{servertest.Header("Origin", origin)}
		if method == http.MethodOptions {
			edits = append(edits, servertest.Header("Access-Control-Request-Method", "POST"))
		}
		h := s.Do(method, path, "", edits...).Header
		if h.Get("Access-Control-Allow-Credentials") != "" && h.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s %s from %s: credentials for %q", method, path, origin, h.Get("Access-Control-Allow-Origin"))
		}
		return h.Get("Access-Control-Allow-Credentials")
	}
	configured := func(on bool) *servertest.Server {
		return servertest.New(t, servertest.Configure(func(c *server.Config) {
			c.CORSOrigins, c.CORSCredentials, c.Registration = []string{listed}, on, "open"
		}))
	}
	off, on := configured(false), configured(true)
	for _, method := range []string{"POST", "OPTIONS"} {
		for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/userinfo", "/api/token/", "/api/token/refresh/"} {
			if got := allowed(t, on, method, path, listed); got != "true" {
				t.Errorf("%s %s: %q", method, path, got)
			}
			if got := allowed(t, off, method, path, listed); got != "" {
				t.Errorf("%s %s without the option: %q", method, path, got)
			}
			// Not the origins of registered clients, and never those that were not listed exactly.
			for _, origin := range []string{servertest.Origin, "https://other.example", "null", "*", listed + ".evil.example", "http://listed.example", listed + "/"} {
				if got := allowed(t, on, method, path, origin); got != "" {
					t.Errorf("%s %s from %s: %q", method, path, origin, got)
				}
			}
		}
		for _, path := range []string{"/oauth2/register", "/oauth2/jwks", "/.well-known/openid-configuration"} { // any origin
			if got := allowed(t, on, method, path, listed); got != "" {
				t.Errorf("%s %s: %q", method, path, got)
			}
		}
	}
}

// Row K: applications inside a network often have no certificate.
func TestRowKPlainHTTPOnPrivateHostsIsTheOperators(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	for _, uri := range []string{"http://app.internal/cb", "http://192.168.1.7:8080/cb", "http://grafana:3000/login", "http://nas.local/"} {
		c := s.AddClient(clients.Registration{Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
			GrantTypes: []string{"authorization_code"}, Scope: "openid", RedirectURIs: []string{uri},
		}})
		b := s.Browser()
		b.SignIn()
		if b.Authorize(c, "scope", "openid").Response(uri).Get("code") == "" {
			t.Errorf("%s: no code", uri)
		}
		for _, name := range []string{"redirect_uris", "post_logout_redirect_uris"} {
			metadata := map[string]any{"redirect_uris": []string{"https://app.example/cb"}, "token_endpoint_auth_method": "none"}
			metadata[name] = []string{uri}
			s.PostJSON("/oauth2/register", metadata).ExpectError(400, "invalid_redirect_uri")
		}
	}
	self := s.PostJSON("/oauth2/register", map[string]any{"redirect_uris": []string{"https://app.example/cb"}, "token_endpoint_auth_method": "none"}).Expect(201)
	_, err := s.Clients().Update(t.Context(), self.String("client_id"), func(r *clients.Registration) error {
		r.RedirectURIs = []string{"http://app.internal/cb"}
		return nil
	})
	if err == nil {
		t.Error("a client that registered itself has a redirect URI without encryption")
	}
}

// Request objects and registration in the request (OpenID Connect Core §3.1.2.6): the client learns of it at its redirect URI, an unverified
// one too.
func TestUnsupportedParametersAreAnsweredAtTheRedirectURI(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	const callback = "https://dynamic.example/cb"
	made := s.PostJSON("/oauth2/register", map[string]any{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "none"}).Expect(201)
	loopback := s.PostJSON("/oauth2/register", map[string]any{"redirect_uris": []string{"http://127.0.0.1/cb"}, "token_endpoint_auth_method": "none"}).Expect(201)
	for _, c := range []servertest.Client{s.Web, {ID: made.String("client_id"), Redirect: callback}} {
		for name, code := range map[string]string{
			"request": "request_not_supported", "request_uri": "request_uri_not_supported", "registration": "registration_not_supported",
		} {
			answer := s.Browser().Authorize(c, "scope", "openid", name, "https://x.example/request.jwt").Response(c.Redirect)
			if answer.Get("error") != code || answer.Get("state") != servertest.State || answer.Get("iss") != s.URL || answer.Has("code") {
				t.Errorf("%s, %s: %v", c.ID, name, answer)
			}
		}
		for _, wrong := range [][]string{
			{"request", "x", "redirect_uri", "https://evil.example/"}, {"request", "x", "client_id", "unknown"}, {"request", "x", "redirect_uri", ""},
		} {
			if page := s.Browser().Authorize(c, append(wrong, "scope", "openid")...); page.Left != "" || page.Status != 400 {
				t.Errorf("%s, %v: %d %q", c.ID, wrong, page.Status, page.Left)
			}
		}
	}
	native := servertest.Client{ID: loopback.String("client_id"), Redirect: "http://127.0.0.1/cb"}
	if page := s.Browser().Authorize(native, "scope", "openid", "request", "x"); page.Left != "" {
		t.Errorf("a program on the device: %q", page.Left)
	}
}
