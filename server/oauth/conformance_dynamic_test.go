package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/internal/safehttp"
	"latchkey/server/servertest"
)

// dynamicParty is the suite's client with private_key_jwt and its keys at its jwks_uri.
type dynamicParty struct {
	*party
	c servertest.Client
	b *servertest.Browser
}

func newDynamicParty(t *testing.T, pairs ...any) *dynamicParty {
	t.Helper()
	p := newParty(t, func(c *server.Config) {
		c.Registration = "open"
		trust := c.Outbound
		c.Outbound = func(o *safehttp.Config) {
			trust(o)
			o.TestAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} // as if the suite were on the internet
		}
	})
	host, err := p.Clients().Client(t.Context(), "signer")
	if err != nil {
		t.Fatal(err)
	}
	c := suiteClient(p.Server, append([]any{"token_endpoint_auth_method", "private_key_jwt", "jwks_uri", host.JWKSURI, "scope", "openid"}, pairs...)...)
	return &dynamicParty{p, c, p.Browser()}
}

// token authenticates at the token endpoint with an assertion for the audience.
func (p *dynamicParty) token(aud string, pairs ...string) *servertest.Answer {
	assertion := p.assert(jose.ES256, p.key, map[string]any{"iss": p.c.ID, "sub": p.c.ID, "aud": aud})
	return p.party.post("/oauth2/token", append([]string{"client_assertion", assertion}, pairs...)...)
}

func (p *dynamicParty) login(t *testing.T, aud string, pairs ...string) *servertest.Answer {
	t.Helper()
	params := append([]string{"scope", "openid"}, pairs...)
	code := p.b.Authorize(p.c, noPKCE(params...)...).Through().Response(p.c.Redirect).Get("code")
	return p.token(aud, "grant_type", "authorization_code", "code", code, "redirect_uri", p.c.Redirect).Expect(200)
}

// Dynamic OP, what it has for the response type code without request_uri.
func TestConformanceDynamic(t *testing.T) {
	t.Parallel()
	for name, module := range dynamicModules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			module(t)
		})
	}
}

var dynamicModules = map[string]func(*testing.T){
	"oidcc-server, oidcc-registration-jwks-uri": func(t *testing.T) {
		p := newDynamicParty(t)
		got := p.login(t, p.URL+"/oauth2/token")
		p.Get("/oauth2/userinfo", bearer(got.String("access_token"))).Expect(200)
	},
	"oidcc-ensure-client-assertion-with-iss-aud-succeeds": func(t *testing.T) {
		p := newDynamicParty(t)
		p.login(t, p.URL)
	},
	"oidcc-idtoken-rs256": func(t *testing.T) {
		p := newDynamicParty(t, "id_token_signed_response_alg", "RS256")
		verified(t, p.Server, p.login(t, p.URL).String("id_token"), "RS256")
	},
	"oidcc-idtoken-unsigned": func(t *testing.T) { // skipped by the suite, since discovery does not have it
		s := registering(t, "open")
		s.PostJSON(registerPath, app("id_token_signed_response_alg", "none")).ExpectError(400, "invalid_client_metadata")
		algs, _ := s.Get("/.well-known/openid-configuration").JSON()["id_token_signing_alg_values_supported"].([]any)
		if !slices.Contains(algs, any("RS256")) || slices.Contains(algs, any("none")) {
			t.Errorf("algorithms %v", algs)
		}
	},
	"oidcc-userinfo-rs256": func(t *testing.T) {
		p := newDynamicParty(t, "userinfo_signed_response_alg", "RS256")
		a := p.Get("/oauth2/userinfo", bearer(p.login(t, p.URL).String("access_token"))).Expect(200)
		claims := verified(t, p.Server, a.Body, "RS256")
		if a.Header.Get("Content-Type") != "application/jwt" || claims["iss"] != p.URL || claims["aud"] != p.c.ID || claims["sub"] == nil {
			t.Errorf("%v %v", a.Header, claims)
		}
	},
	"oidcc-ensure-redirect-uri-in-authorization-request": func(t *testing.T) {
		p := newDynamicParty(t)
		p.staysHere(t, "redirect_uri", "")
	},
	"oidcc-redirect-uri-query-OK": func(t *testing.T) {
		p := newDynamicParty(t, "redirect_uris", []string{servertest.Callback + "?foo=bar"})
		answer := p.b.Authorize(p.c, noPKCE("scope", "openid")...).Through().Response(p.c.Redirect)
		if answer.Get("foo") != "bar" || answer.Get("code") == "" || answer.Get("state") != servertest.State {
			t.Errorf("%v", answer)
		}
		p.token(p.URL, "grant_type", "authorization_code", "code", answer.Get("code"), "redirect_uri", p.c.Redirect).Expect(200)
	},
	"oidcc-redirect-uri-query-mismatch": func(t *testing.T) {
		p := newDynamicParty(t, "redirect_uris", []string{servertest.Callback + "?foo=bar"})
		p.staysHere(t, "redirect_uri", servertest.Callback+"?bar=foo")
		p.staysHere(t, "redirect_uri", servertest.Callback)
	},
	"oidcc-redirect-uri-query-added": func(t *testing.T) {
		p := newDynamicParty(t)
		p.staysHere(t, "redirect_uri", servertest.Callback+"?foo=bar")
	},
	"oidcc-redirect-uri-regfrag": func(t *testing.T) {
		s := registering(t, "open")
		for _, uri := range []string{"#foobar", "#", "?a=b#foobar"} {
			s.PostJSON(registerPath, app("redirect_uris", []string{servertest.Callback + uri})).ExpectError(400, "invalid_redirect_uri")
		}
	},
	"oidcc-registration-logo-uri, -policy-uri, -tos-uri": func(t *testing.T) {
		p := newDynamicParty(t, "policy_uri", "https://app.example/policy", "tos_uri", "https://app.example/terms", "client_uri", "https://app.example/")
		shown := func() bool {
			page := p.b.Authorize(p.c, noPKCE("scope", "openid")...)
			page.Form("/consent")
			return strings.Contains(page.Body, "https://app.example/policy") && strings.Contains(page.Body, "https://app.example/terms")
		}
		p.b.SignIn()
		if shown() {
			t.Error("links of a client that nobody has verified")
		}
		_, err := p.Clients().Update(t.Context(), p.c.ID, func(r *clients.Registration) error {
			r.Verified = true
			return nil
		})
		if err != nil || !shown() {
			t.Errorf("no links of a verified client: %v", err)
		}
	},
	"oidcc-registration-sector-uri, oidcc-registration-sector-bad": func(t *testing.T) { // skipped by the suite: there are public subjects alone
		s := registering(t, "open")
		types, _ := s.Get("/.well-known/openid-configuration").JSON()["subject_types_supported"].([]any)
		if len(types) != 1 || types[0] != "public" {
			t.Errorf("subject types %v", types)
		}
		s.PostJSON(registerPath, app("subject_type", "public")).Expect(201)
		s.PostJSON(registerPath, app("subject_type", "pairwise", "sector_identifier_uri", "https://app.example/sector.json")).
			ExpectError(400, "invalid_client_metadata")
	},
	"oidcc-server-rotate-keys": func(t *testing.T) {
		s := servertest.New(t)
		old := s.Redeem(s.Portal, s.Browser().Code(s.Portal)).Expect(200).String("id_token") // the keys are there from their first use on
		before := keyIDs(t, s)
		if _, err := s.Keys().Rotate(t.Context(), "RS256", false); err != nil {
			t.Fatal(err)
		}
		after := keyIDs(t, s)
		for _, kid := range before {
			if !slices.Contains(after, kid) {
				t.Errorf("the key %s is gone", kid)
			}
		}
		if len(after) != len(before)+1 {
			t.Errorf("keys %v, before %v", after, before)
		}
		verified(t, s, old, "RS256")
	},
	"oidcc-refresh-token, oidcc-refresh-token-rp-key-rotation": func(t *testing.T) {
		p := newDynamicParty(t)
		refresh := p.login(t, p.URL, "prompt", "consent").String("refresh_token")
		refresh = p.token(p.URL, "grant_type", "refresh_token", "refresh_token", refresh).Expect(200).String("refresh_token")
		old := p.key
		var err error
		if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
		p.kid = "2"
		p.Clock.Advance(time.Minute) // keys are fetched again a minute after the last time
		p.token(p.URL, "grant_type", "refresh_token", "refresh_token", refresh).Expect(200)
		p.key, p.kid = old, "1"
		p.token(p.URL, "grant_type", "refresh_token", "refresh_token", refresh).ExpectError(401, "invalid_client")
	},
}

// staysHere: the request gets an error page, and the browser is sent nowhere.
func (p *dynamicParty) staysHere(t *testing.T, pairs ...string) {
	t.Helper()
	if page := p.b.Authorize(p.c, noPKCE(append([]string{"scope", "openid"}, pairs...)...)...); page.Left != "" || page.Status != 400 || page.Has("/login") {
		t.Errorf("%v: %d, left for %q", pairs, page.Status, page.Left)
	}
}

// keyIDs returns the key IDs of the key set: each key has one of its own, and nothing private.
func keyIDs(t *testing.T, s *servertest.Server) (ids []string) {
	t.Helper()
	list, _ := s.Get("/oauth2/jwks").Expect(200).JSON()["keys"].([]any)
	for _, k := range list {
		members := k.(map[string]any)
		id, _ := members["kid"].(string)
		if id == "" || slices.Contains(ids, id) || members["d"] != nil || members["k"] != nil || members["kty"] == "oct" {
			t.Errorf("the key %v", members)
		}
		ids = append(ids, id)
	}
	return ids
}
