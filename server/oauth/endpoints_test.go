package oauth_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

func TestRevoke(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)))
		tokens := s.Login(s.SPA)
		// RFC 7009 §2.2: 200 for whatever is no token of the client, so that nothing is learned.
		for _, token := range []string{"unknown", "lk_rt_AAAA", "a.b.c", strings.Repeat("x", 10_000), "é"} {
			if a := s.Revoke(s.SPA, token).Expect(200); a.Body != "{}" {
				t.Errorf("%q: the body is %q", token, a.Body)
			}
		}
		s.Revoke(s.Backend, tokens.Refresh).ExpectError(400, "invalid_grant") // RFC 7009 §2.1: another client's, and no effect
		tokens.Refresh = s.Refresh(s.SPA, tokens.Refresh).Expect(200).String("refresh_token")

		a := s.PostForm("/oauth2/revoke", servertest.Form("client_id", "spa", "token", tokens.Refresh, "token_type_hint", "access_token")).Expect(200)
		if a.Body != "{}" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the answer is %q, %v", a.Body, a.Header)
		}
		s.Refresh(s.SPA, tokens.Refresh).ExpectError(400, "invalid_grant")
	})
}

func TestRevokeBadRequests(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.PostAs(s.SPA, "/oauth2/revoke").ExpectError(400, "invalid_request")
	s.PostForm("/oauth2/revoke", servertest.Form("token", "x")).ExpectError(401, "invalid_client")
	s.PostForm("/oauth2/revoke", servertest.Form("token", "x", "client_id", "nobody")).ExpectError(401, "invalid_client")
	s.PostForm("/oauth2/revoke?token=x", servertest.Form("client_id", "spa")).ExpectError(400, "invalid_request")
}

func TestIntrospect(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)))
		tokens := s.Login(s.Backend)
		a := s.Introspect(s.Backend, tokens.Access).Expect(200)
		got := a.JSON()
		for name, want := range map[string]any{
			"active": true, "client_id": "backend", "scope": "read write", "token_type": "Bearer", "sub": "1", "iss": s.URL,
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
		if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers are %v", a.Header)
		}
		s.Revoke(s.Backend, tokens.Refresh).Expect(200)
		for name, token := range map[string]string{
			"revoked": tokens.Access, "unknown": "x", "of another client": s.Login(s.SPA).Access,
		} {
			if a := s.Introspect(s.Backend, token).Expect(200); strings.TrimSpace(a.Body) != `{"active":false}` {
				t.Errorf("%s: %s", name, a.Body)
			}
		}
	})
}

func TestIntrospectNeedsAnAuthenticatedClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	token := s.Login(s.SPA).Access
	for name, a := range map[string]*servertest.Answer{
		"nobody":          s.PostForm("/oauth2/introspect", servertest.Form("token", token)),
		"a public client": s.Introspect(s.SPA, token),
		"a wrong secret":  s.Introspect(servertest.Client{ID: "backend", Secret: "wrong"}, token),
	} {
		if a.Status != 401 || a.String("error") != "invalid_client" || a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	s.PostAs(s.Backend, "/oauth2/introspect").ExpectError(400, "invalid_request")
}

// What a resource server does: it knows the issuer alone.
func TestAccessTokenVerifiesWithThePublishedKeys(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	raw := s.Login(s.SPA).Access
	config := s.Get("/.well-known/openid-configuration").Expect(200)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(s.Get(config.String("jwks_uri")).Expect(200).Body), &set); err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := token.Claims(set, &claims); err != nil {
		t.Fatal(err)
	}
	if err := claims.Validate(jwt.Expected{Issuer: config.String("issuer"), Time: s.Clock.Now()}); err != nil || claims.Subject != "1" {
		t.Errorf("%v, %+v", err, claims)
	}
	for _, k := range set.Keys {
		if !k.IsPublic() {
			t.Errorf("the key %s is not public", k.KeyID)
		}
	}
}

func TestKeySetCaching(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, path := range []string{"/oauth2/jwks", "/.well-known/oauth-authorization-server"} {
		first := s.Get(path).Expect(200)
		etag := first.Header.Get("ETag")
		if etag == "" || !strings.HasPrefix(first.Header.Get("Cache-Control"), "public, max-age=") {
			t.Errorf("%s: %v", path, first.Header)
		}
		for _, known := range []string{etag, `"other", W/` + etag, "*"} {
			a := s.Get(path, servertest.Header("If-None-Match", known)).Expect(304)
			if a.Body != "" || a.Header.Get("ETag") != etag {
				t.Errorf("%s: 304 with %q, %v", path, a.Body, a.Header)
			}
		}
		if a := s.Get(path, servertest.Header("If-None-Match", `"other"`)).Expect(200); a.Body != first.Body {
			t.Errorf("%s: %s", path, a.Body)
		}
		if a := s.Do("HEAD", path, "").Expect(200); a.Body != "" || a.Header.Get("ETag") != etag {
			t.Errorf("HEAD %s: %v", path, a.Header)
		}
		if a := s.Do("POST", path, "").Expect(405); a.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: Allow is %q", path, a.Header.Get("Allow"))
		}
		if got := first.Header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("%s: Access-Control-Allow-Origin is %q", path, got)
		}
	}
	etag := s.Get("/oauth2/jwks").Header.Get("ETag")
	if _, err := s.Keys().Rotate(t.Context(), "ES256", false); err != nil {
		t.Fatal(err)
	}
	if a := s.Get("/oauth2/jwks", servertest.Header("If-None-Match", etag)).Expect(200); strings.Count(a.Body, `"kid"`) != 2 {
		t.Errorf("after a rotation: %s", a.Body)
	}
}

// RFC 8414 §3.1 inserts the well-known part before the issuer's path, OpenID Connect Discovery §4 appends it.
func TestIssuerWithAPath(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Issuer += "/auth/eu" }))
	issuer := s.URL + "/auth/eu"
	for _, path := range []string{
		"/.well-known/oauth-authorization-server/auth/eu",
		"/.well-known/openid-configuration/auth/eu",
		"/auth/eu/.well-known/oauth-authorization-server",
		"/auth/eu/.well-known/openid-configuration",
		"/.well-known/oauth-authorization-server", // a proxy has cut the path off
		"/.well-known/openid-configuration",
	} {
		if got := s.Get(path).Expect(200).String("issuer"); got != issuer {
			t.Errorf("%s: the issuer is %q", path, got)
		}
	}
	doc := s.Get("/auth/eu/.well-known/openid-configuration")
	if got := doc.String("token_endpoint"); got != issuer+"/oauth2/token" {
		t.Errorf("the token endpoint is %q", got)
	}
	s.PostForm(doc.String("token_endpoint"), servertest.Form("grant_type", "client_credentials"), s.Backend.Basic()).Expect(200)
	s.PostForm("/oauth2/token", servertest.Form("grant_type", "client_credentials"), s.Backend.Basic()).Expect(200)
	s.Get("/auth/euro/oauth2/jwks").Expect(404)
	s.Get("/auth/eu/auth/eu/oauth2/jwks").Expect(404)
	s.Log.Requests(t, "/oauth2/token", 2) // one template, wherever it was asked
}

// A registered redirect URI lets its origin in, at once, and out.
func TestOriginOfARegisteredRedirectURI(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const origin = "https://new.example"
	allowed := func() bool {
		return s.PostForm("/oauth2/token", nil, servertest.Header("Origin", origin)).Header.Get("Access-Control-Allow-Origin") == origin
	}
	if allowed() {
		t.Error("allowed before it is registered")
	}
	c := s.AddClient(clients.Registration{ID: "new", Metadata: clients.Metadata{
		GrantTypes: []string{"password"}, TokenEndpointAuthMethod: "none", RedirectURIs: []string{origin + "/cb"},
	}})
	if !allowed() {
		t.Error("not allowed after it is registered")
	}
	if err := s.Clients().Remove(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if allowed() {
		t.Error("allowed after its client is gone")
	}
}
