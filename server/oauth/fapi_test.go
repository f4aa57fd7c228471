package oauth_test

import (
	"net/http"
	"net/url"
	"testing"

	"latchkey/clients"
	"latchkey/server/servertest"
)

// profile is a client of the FAPI 2.0 Security Profile.
func newProfile(t *testing.T) *signer {
	t.Helper()
	s := &signer{Server: servertest.New(t), key: servertest.NewKey(t), other: servertest.NewKey(t)}
	s.Client = s.AddClient(clients.Registration{ID: "bank", Policy: clients.Policy{Profile: clients.ProfileFAPI2, FirstParty: true}, Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read", RedirectURIs: []string{servertest.Callback}, JWKS: s.key.Set(),
	}})
	return s
}

func (s *signer) post(path string, edits []servertest.Edit, form url.Values) *servertest.Answer {
	for i, pairs := 0, s.key.Assertion(s.Server, s.ID); i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return s.PostForm(path, form, edits...)
}

// FAPI 2.0 Security Profile: a login, a refresh and the claims of the user, and what the profile does not allow.
func TestProfileFAPI2(t *testing.T) {
	t.Parallel()
	s := newProfile(t)
	if got := s.Browser().Authorize(s.Client).Through().Response(servertest.Callback); got.Get("error") != "invalid_request" {
		t.Errorf("a request that was not pushed: %v", got)
	}
	s.post("/oauth2/par", nil, s.AuthorizeParams("code_challenge", "", "code_challenge_method", "")).ExpectError(400, "invalid_request")
	pushed := s.post("/oauth2/par", nil, s.AuthorizeParams("dpop_jkt", s.key.Thumbprint)).Expect(201).String("request_uri")
	query := url.Values{"client_id": {s.ID}, "request_uri": {pushed}}
	answer := s.Browser().Follow("/oauth2/authorize?" + query.Encode()).Through().Response(servertest.Callback)
	if answer.Get("iss") != s.URL {
		t.Errorf("the answer is %v", answer)
	}
	redeem := servertest.Form("grant_type", "authorization_code", "code", answer.Get("code"), "redirect_uri", s.Redirect, "code_verifier", servertest.Verifier)
	s.post("/oauth2/token", nil, redeem).ExpectError(400, "invalid_dpop_proof")
	tokens := s.post("/oauth2/token", []servertest.Edit{s.key.DPoP(s.Server)}, redeem).Expect(http.StatusOK)
	if tokens.String("token_type") != "DPoP" || tokens.String("id_token") == "" {
		t.Errorf("the tokens: %s", tokens.Body)
	}
	refresh := tokens.String("refresh_token")
	for range 2 { // no rotation
		next := s.post("/oauth2/token", []servertest.Edit{s.key.DPoP(s.Server)}, servertest.Form("grant_type", "refresh_token", "refresh_token", refresh))
		next.Expect(http.StatusOK)
	}

	now := s.Clock.Now().Unix()
	for name, aud := range map[string]any{"token endpoint": s.URL + "/oauth2/token", "list": []string{s.URL}} {
		form := servertest.Form("grant_type", "refresh_token", "refresh_token", refresh, "client_id", s.ID,
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
			"client_assertion", s.key.Sign(nil, servertest.Members{"iss": s.ID, "sub": s.ID, "aud": aud, "jti": name, "iat": now, "exp": now + 60}))
		if a := s.PostForm("/oauth2/token", form, s.key.DPoP(s.Server)); a.Status != 401 || a.String("error") != "invalid_client" {
			t.Errorf("an assertion for the audience %s: %d %s", name, a.Status, a.Body)
		}
	}
}

// What contradicts the profile can't be registered.
func TestProfileFAPI2Registration(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	no := false
	for _, grant := range []string{clients.GrantPassword, clients.GrantDeviceCode} {
		_, _, err := s.Clients().Add(t.Context(), clients.Registration{Policy: clients.Policy{Profile: clients.ProfileFAPI2}, Metadata: clients.Metadata{
			GrantTypes: []string{"authorization_code", grant}, RedirectURIs: []string{servertest.Callback}, JWKS: s.key.Set(),
		}})
		if wrong := clients.Faults(err); len(wrong) != 1 || wrong[0].Field != "grant_types" {
			t.Errorf("%s: %v", grant, err)
		}
	}
	for name, change := range map[string]func(*clients.Registration){
		"token_endpoint_auth_method":      func(r *clients.Registration) { r.TokenEndpointAuthMethod = "client_secret_basic" },
		"grant_types":                     func(r *clients.Registration) { r.GrantTypes = []string{"password"} },
		"token_endpoint_auth_signing_alg": func(r *clients.Registration) { r.TokenEndpointAuthSigningAlg = "RS256" },
		"id_token_signed_response_alg":    func(r *clients.Registration) { r.IDTokenSignedResponseAlg = "RS256" },
		"require_pkce":                    func(r *clients.Registration) { r.RequirePKCE = &no },
		"error_iss":                       func(r *clients.Registration) { r.ErrorISS = &no },
	} {
		r := clients.Registration{Policy: clients.Policy{Profile: clients.ProfileFAPI2}, Metadata: clients.Metadata{
			GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{servertest.Callback}, JWKS: s.key.Set(),
		}}
		change(&r)
		_, _, err := s.Clients().Add(t.Context(), r)
		if wrong := clients.Faults(err); len(wrong) != 1 || wrong[0].Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}
