package oauth_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server"
	"latchkey/server/servertest"
)

// noPKCE leaves the challenge out of a request, and changes it as other pairs say.
func noPKCE(pairs ...string) []string {
	return append([]string{"code_challenge", "", "code_challenge_method", ""}, pairs...)
}

// exempt adds a confidential client with --require-pkce or --no-require-pkce.
func exempt(s *servertest.Server, id string, required bool, uris ...string) servertest.Client {
	return s.AddClient(clients.Registration{
		ID: id, Policy: clients.Policy{FirstParty: true, RequirePKCE: &required},
		Metadata: clients.Metadata{
			GrantTypes: []string{"authorization_code"}, Scope: "openid read", RedirectURIs: append([]string{servertest.Callback}, uris...),
		},
	})
}

// Row A, RFC 9700 §2.1.1: who may leave the challenge out, and what then binds the code.
func TestRowAPKCEOfConfidentialClients(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		b := s.Browser()
		b.SignIn()
		free, held := exempt(s, "free", false), exempt(s, "held", true)

		// A nonce does what PKCE does, in an OpenID request of a client that authenticates.
		code := b.Code(s.Web, noPKCE()...)
		s.Redeem(s.Web, code).ExpectError(400, "invalid_grant") // a verifier where there was no challenge is a downgrade
		s.Redeem(s.Web, code, "code_verifier", "short").ExpectError(400, "invalid_grant")
		s.Redeem(s.Web, code, "code_verifier", "", "redirect_uri", "").ExpectError(400, "invalid_request")
		s.Redeem(s.Web, code, "code_verifier", "", "redirect_uri", servertest.Callback+"/").ExpectError(400, "invalid_grant")
		s.Redeem(s.Web, code, "code_verifier", "").Expect(200)

		for name, page := range map[string]*servertest.Page{
			"no nonce":             b.Authorize(s.Web, noPKCE("nonce", "")...),
			"no openid":            b.Authorize(s.Web, noPKCE("scope", "read")...),
			"public":               b.Authorize(s.Portal, noPKCE()...),
			"plain":                b.Authorize(s.Web, "code_challenge", servertest.Verifier, "code_challenge_method", "plain"),
			"plain by default":     b.Authorize(s.Web, "code_challenge", servertest.Verifier, "code_challenge_method", ""),
			"a method alone":       b.Authorize(s.Web, "code_challenge", ""),
			"plain of an exempt":   b.Authorize(free, "code_challenge", servertest.Verifier, "code_challenge_method", "plain"),
			"a broken challenge":   b.Authorize(free, "code_challenge", "short"),
			"the client's setting": b.Authorize(held, noPKCE()...),
		} {
			if got := page.Response(servertest.Callback).Get("error"); got != "invalid_request" {
				t.Errorf("%s: %q", name, got)
			}
		}

		// The operator's exemption: neither nonce nor openid is needed.
		code = b.Code(free, noPKCE("nonce", "", "scope", "read")...)
		s.Redeem(free, code, "code_verifier", "").Expect(200)
		code = b.Code(free, noPKCE("nonce", "", "scope", "read", "redirect_uri", "")...)
		s.Redeem(free, code, "code_verifier", "", "redirect_uri", "").Expect(200) // RFC 6749 §3.1.2.3: there is but one

		// A challenge that was sent counts for everybody.
		code = b.Code(free)
		missing := s.Redeem(free, code, "code_verifier", "").ExpectError(400, "invalid_grant")
		if !strings.Contains(missing.Body, "The parameter code_verifier is missing") {
			t.Errorf("without the verifier: %s", missing.Body)
		}
		s.Redeem(free, code, "code_verifier", servertest.Verifier+"x").ExpectError(400, "invalid_grant")
		s.Redeem(free, code).Expect(200)
	})
}

// Row A: with several redirect URIs the one of the request must be named again (RFC 6749 §4.1.3).
func TestRowARedirectURIBindsACodeWithoutPKCE(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	free := exempt(s, "free", false, servertest.Callback+"/two")
	code := b.Code(free, noPKCE("nonce", "", "scope", "read")...)
	s.Redeem(free, code, "code_verifier", "", "redirect_uri", "").ExpectError(400, "invalid_request")
	s.Redeem(free, code, "code_verifier", "", "redirect_uri", servertest.Callback+"/two").ExpectError(400, "invalid_grant")
	s.Redeem(free, code, "code_verifier", "").Expect(200)
}

// Row A: a client whose exemption or credentials are gone can't use a code from before.
func TestRowAACodeWithoutPKCEIsNotForAPublicClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	free := exempt(s, "free", false)
	code := b.Code(free, noPKCE()...)
	_, err := s.Clients().Update(t.Context(), "free", func(r *clients.Registration) error {
		r.TokenEndpointAuthMethod, r.RequirePKCE = clients.AuthNone, nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Redeem(servertest.Client{ID: "free", Redirect: free.Redirect}, code, "code_verifier", "").ExpectError(400, "invalid_request")
}

// Row A: --require-pkce all holds for every client, also for pushed requests.
func TestRowARequirePKCEAll(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.RequirePKCE = true }))
	b := s.Browser()
	b.SignIn()
	free := exempt(s, "free", false)
	refusal(t, s, b.Authorize(s.Web, noPKCE()...), "invalid_request")
	refusal(t, s, b.Authorize(free, noPKCE()...), "invalid_request")
	pushed := func(c servertest.Client, pairs ...string) *servertest.Answer {
		var all []string
		for name, values := range maps.All(c.AuthorizeParams(pairs...)) {
			all = append(all, name, values[0])
		}
		return s.PostAs(c, "/oauth2/par", all...)
	}
	pushed(free, noPKCE()...).ExpectError(400, "invalid_request")
	pushed(free).Expect(201)
	s.Redeem(free, b.Code(free)).Expect(200)
}

// Row A: a client that registered itself has no operator to exempt it. With credentials and an https redirect URI it may do without
// both in an OpenID request, unless the operator says otherwise.
func TestRowASelfRegisteredClients(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	withResource(t, s, "https://api.example/", "read")
	b := s.Browser()
	b.SignIn()
	register := func(more ...any) servertest.Client {
		a := s.PostJSON(registerPath, app(append([]any{"token_endpoint_auth_method", "client_secret_basic", "scope", "openid read"}, more...)...)).Expect(201)
		uris := a.JSON()["redirect_uris"].([]any)
		return servertest.Client{ID: a.String("client_id"), Secret: registeredSecret(a), Redirect: uris[0].(string)}
	}
	c := register()
	code := b.Code(c, noPKCE("nonce", "")...)
	s.Redeem(c, code, "code_verifier", "", "redirect_uri", "").ExpectError(400, "invalid_request")
	s.Redeem(c, code).ExpectError(400, "invalid_grant")
	s.Redeem(c, code, "code_verifier", "").Expect(200)
	refusal(t, s, b.Authorize(c, noPKCE("nonce", "", "scope", "read")...), "invalid_request")

	local := register("redirect_uris", []string{"http://127.0.0.1/callback"})
	if got := b.Authorize(local, noPKCE("nonce", "")...).Response(local.Redirect).Get("error"); got != "invalid_request" {
		t.Errorf("loopback: %q", got)
	}
	public := register("token_endpoint_auth_method", "none")
	refusal(t, s, b.Authorize(public, noPKCE()...), "invalid_request")

	// No metadata change the policy; an initial access token does.
	boast := register("client_name", "Boast", "require_pkce", false)
	refusal(t, s, b.Authorize(boast, noPKCE("scope", "read")...), "invalid_request")
	yes, no := true, false
	strict := initialToken(t, s, registry.InitialToken{Uses: 1, TTL: time.Hour, Policy: clients.Policy{RequirePKCE: &yes}})
	a := s.PostJSON(registerPath, app("client_name", "Strict", "token_endpoint_auth_method", "client_secret_basic"), bearer(strict)).Expect(201)
	held := servertest.Client{ID: a.String("client_id"), Secret: registeredSecret(a), Redirect: "https://app.example/callback"}
	refusal(t, s, b.Authorize(held, noPKCE("scope", "openid")...), "invalid_request")

	// An exemption that a public client can't have is dropped: the token must not be used up for nothing.
	lax := initialToken(t, s, registry.InitialToken{Uses: 1, TTL: time.Hour, Policy: clients.Policy{RequirePKCE: &no}})
	s.PostJSON(registerPath, app("client_name", "Lax"), bearer(lax)).Expect(201)
}

// Row A: who is refused learns which setting to change.
func TestRowAARefusalNamesTheSetting(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	got := b.Authorize(s.Web, noPKCE("nonce", "")...).Response(servertest.Callback).Get("error_description")
	for _, part := range []string{"code_challenge", "S256", "nonce", "--no-require-pkce"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is not in %q", part, got)
		}
	}
}
