package oauth_test

import (
	"testing"
	"time"

	"latchkey/clients/registry"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// selfRegistered returns a client that registered itself with these redirect URIs.
func selfRegistered(t *testing.T, s *servertest.Server, uris ...string) (servertest.Client, *servertest.Answer) {
	t.Helper()
	made := s.PostJSON(registerPath, app("redirect_uris", uris, "scope", "openid read write")).Expect(201)
	return servertest.Client{ID: made.String("client_id"), Redirect: uris[0]}, made
}

// An https redirect URI identifies a client: what was allowed to it is remembered, for the client, the host, the scope and the resource.
func TestConsentOfAnUnverifiedWebClientIsRemembered(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := registering(t, "open", servertest.Store(open(t)))
		withResource(t, s, "https://api.example", "read", "write")
		c, _ := selfRegistered(t, s, "https://app.example/callback", "https://other.example/callback")
		b := s.Browser()
		b.SignIn()
		allow := func(pairs ...string) string {
			t.Helper()
			return b.Authorize(c, pairs...).Form("/consent").Press("decision", "allow").Response(c.Redirect).Get("code")
		}
		refusal(t, s, b.Authorize(c, "scope", "openid", "prompt", "none"), "consent_required")
		tokens := s.Redeem(c, allow("scope", "openid read")).Expect(200)

		silent := func(pairs ...string) {
			t.Helper()
			if b.Authorize(c, pairs...).Response(c.Redirect).Get("code") == "" {
				t.Errorf("%q: asked again", pairs)
			}
		}
		silent("scope", "openid read")
		silent("scope", "openid", "prompt", "none")
		silent("scope", "openid", "prompt", "none", "id_token_hint", tokens.String("id_token"))

		asked := func(pairs ...string) {
			t.Helper()
			if page := b.Authorize(c, pairs...); !page.Has("/consent") {
				t.Errorf("%q: not asked, led to %s", pairs, page.Left)
			}
		}
		asked("scope", "openid write")
		asked("scope", "read", "resource", "https://api.example")
		asked("scope", "openid read", "prompt", "consent")
		asked("scope", "openid read", "redirect_uri", "https://other.example/callback")
		c.Redirect = "https://other.example/callback"
		allow("scope", "openid read")
		silent("scope", "openid read")
		c.Redirect = "https://app.example/callback"
		silent("scope", "openid read")

		b.Post("/account/applications/end", "client_id", c.ID)
		asked("scope", "openid read")
	})
}

// RFC 8252 §8.6: on the user's device another program can take the client's place.
func TestConsentOfOtherUnverifiedClientsIsAskedEachTime(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	b := s.Browser()
	b.SignIn()
	for _, uris := range [][]string{
		{"http://127.0.0.1/callback"},
		{"com.example.app:/callback"},
		{"https://app.example/callback", "http://127.0.0.1/callback"},
		{"https://app.example/callback", "com.example.app:/callback"},
		{"https://localhost/callback"},
		{"https://127.0.0.2:8443/callback"},
		{"https://dev.localhost/callback"},
		{"https://[::1]/callback"},
	} {
		made := s.PostJSON(registerPath, app("redirect_uris", uris, "application_type", "native"))
		if made.Status != 201 {
			continue // what can't be registered can't be asked for
		}
		c := servertest.Client{ID: made.String("client_id"), Redirect: uris[0]}
		for range 2 {
			if b.Authorize(c, "scope", "openid").Form("/consent").Press("decision", "allow").Response(c.Redirect).Get("code") == "" {
				t.Errorf("%q: no code", uris)
			}
		}
		if b.Authorize(c, "scope", "openid", "prompt", "none").Response(c.Redirect).Get("error") != "consent_required" {
			t.Errorf("%q: no consent was required", uris)
		}
	}
}

// A2: what users allowed is void when the client describes itself anew.
func TestA2RememberedConsentEndsWithTheDescription(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"client_name": "Bank", "redirect_uris": []string{"https://app.example/callback", "https://evil.example/"}} {
		s := registering(t, "token")
		made := s.PostJSON(registerPath, app("scope", "openid read"),
			bearer(initialToken(t, s, registry.InitialToken{Uses: 1, TTL: time.Hour}))).Expect(201)
		c := servertest.Client{ID: made.String("client_id"), Redirect: "https://app.example/callback"}
		b := s.Browser()
		b.SignIn()
		b.Authorize(c, "scope", "openid").Form("/consent").Press("decision", "allow").Response(c.Redirect)
		if b.Authorize(c, "scope", "openid").Response(c.Redirect).Get("code") == "" {
			t.Error("asked twice")
		}
		put(s, made.String("registration_client_uri"), made.String("registration_access_token"),
			app("scope", "openid read", "client_id", c.ID, name, value)).Expect(200)
		if !b.Authorize(c, "scope", "openid").Has("/consent") {
			t.Errorf("not asked after a change of %s", name)
		}
	}
}
