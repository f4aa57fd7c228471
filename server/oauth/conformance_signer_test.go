package oauth_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"testing"

	"latchkey/clients"
	"latchkey/server/servertest"
)

// push pushes the usual request, changed by names and values.
func (s *signer) push(edits []servertest.Edit, pairs ...string) *servertest.Answer {
	return s.post("/oauth2/par", edits, s.AuthorizeParams(pairs...))
}

// authorize goes through the pages with a pushed request.
func (s *signer) authorize(b *servertest.Browser, pushed string) *servertest.Page {
	return b.Follow("/oauth2/authorize?" + url.Values{"client_id": {s.ID}, "request_uri": {pushed}}.Encode())
}

func (s *signer) code(pairs ...string) string {
	pushed := s.push(nil, pairs...).Expect(201).String("request_uri")
	return s.authorize(s.Browser(), pushed).Through().Response(servertest.Callback).Get("code")
}

func (s *signer) redeem(code string, edits []servertest.Edit, pairs ...string) *servertest.Answer {
	form := servertest.Form("grant_type", "authorization_code", "code", code, "redirect_uri", s.Redirect, "code_verifier", servertest.Verifier)
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return s.post("/oauth2/token", edits, form)
}

// proof is a good proof for the token endpoint.
func (s *signer) proof(changes ...servertest.Members) []servertest.Edit {
	return []servertest.Edit{s.key.DPoP(s.Server, changes...)}
}

// userinfo asks with a token and a proof, whose claims are changed.
func (s *signer) userinfo(scheme, access string, changes servertest.Members) *servertest.Answer {
	sum := sha256.Sum256([]byte(access))
	claims := servertest.Members{"ath": base64.RawURLEncoding.EncodeToString(sum[:])}
	for name, value := range changes {
		claims[name] = value
	}
	return s.Get("/oauth2/userinfo", servertest.Header("Authorization", scheme+" "+access),
		servertest.Header("DPoP", s.key.Proof(s.Server, "GET", "/oauth2/userinfo", nil, claims)))
}

// assertWith authenticates a push with an assertion whose header or claims are changed.
func (s *signer) assertWith(header, changes servertest.Members) *servertest.Answer {
	now := s.Clock.Now().Unix()
	claims := servertest.Members{"iss": s.ID, "sub": s.ID, "aud": s.URL, "jti": rand.Text(), "iat": now, "exp": now + 60}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	form := s.AuthorizeParams()
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", s.key.Sign(header, claims))
	return s.PostForm("/oauth2/par", form)
}

// another is another client of the profile, which the user is asked about.
func (s *signer) another(keys json.RawMessage) servertest.Client {
	return s.AddClient(clients.Registration{Policy: clients.Policy{Profile: clients.ProfileFAPI2}, Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read", RedirectURIs: []string{servertest.Callback}, JWKS: keys,
	}})
}

// asking acts for another client with the same key.
func (s *signer) asking() *signer {
	second := *s
	second.Client = s.another(s.key.Set())
	return &second
}

// access gets an access token.
func (s *signer) access(t *testing.T) string {
	t.Helper()
	return s.redeem(s.code(), s.proof()).Expect(200).String("access_token")
}

// works goes the whole way with a changed request.
func works(pairs ...string) fapiModule {
	return func(t *testing.T, s *signer) {
		got := s.redeem(s.code(pairs...), s.proof()).Expect(200)
		verified(t, s.Server, got.String("id_token"), "ES256")
		s.userinfo("DPoP", got.String("access_token"), nil).Expect(200)
	}
}

// from turns whole numbers into times that far from now.
func (s *signer) from(changes servertest.Members) servertest.Members {
	at := servertest.Members{}
	for name, value := range changes {
		if seconds, ok := value.(int64); ok {
			value = s.Clock.Now().Unix() + seconds
		}
		at[name] = value
	}
	return at
}

// proofs: proofs with other times are accepted.
func proofs(changes servertest.Members) fapiModule {
	return func(t *testing.T, s *signer) {
		access := s.redeem(s.code(), s.proof(s.from(changes))).Expect(200).String("access_token")
		s.userinfo("DPoP", access, s.from(changes)).Expect(200)
	}
}

// assertions: a push with such an assertion is answered with the status.
func assertions(status int, header, changes servertest.Members) fapiModule {
	return func(t *testing.T, s *signer) { s.assertWith(header, s.from(changes)).Expect(status) }
}

// audience: an assertion for the endpoint is refused.
func audience(path string, list bool) fapiModule {
	return func(t *testing.T, s *signer) {
		var aud any = s.URL + path
		if list {
			aud = []string{s.URL + path}
		}
		s.assertWith(nil, servertest.Members{"aud": aud}).ExpectError(401, "invalid_client")
	}
}
