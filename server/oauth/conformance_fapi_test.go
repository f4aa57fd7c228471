package oauth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"latchkey/server/servertest"
)

// FAPI 2.0 Security Profile Final with private_key_jwt, DPoP, plain requests and plain responses.
func TestConformanceFAPI2(t *testing.T) {
	t.Parallel()
	s := newProfile(t)
	for name, module := range fapiModules {
		t.Run(name, func(t *testing.T) { module(t, s) })
	}
}

type fapiModule = func(*testing.T, *signer)

var fapiModules = map[string]fapiModule{
	"discovery-end-point-verification": func(t *testing.T, s *signer) {
		doc := s.Get("/.well-known/openid-configuration").Expect(200).JSON()
		if doc["authorization_response_iss_parameter_supported"] != true || doc["pushed_authorization_request_endpoint"] != s.URL+"/oauth2/par" {
			t.Errorf("%v", doc)
		}
		for name, value := range map[string]string{
			"response_types_supported": "code", "code_challenge_methods_supported": "S256", "dpop_signing_alg_values_supported": "ES256",
			"token_endpoint_auth_methods_supported": "private_key_jwt", "token_endpoint_auth_signing_alg_values_supported": "PS256",
			"scopes_supported": "openid", "subject_types_supported": "public", "grant_types_supported": "authorization_code",
		} {
			if !strings.Contains(asJSON(doc[name]), `"`+value+`"`) {
				t.Errorf("%s: %v", name, doc[name])
			}
		}
	},
	"user-rejects-authentication": func(t *testing.T, s *signer) {
		asked := s.asking()
		b := s.Browser()
		b.SignIn()
		page := asked.authorize(b, asked.push(nil).Expect(201).String("request_uri"))
		answer := page.Form("/consent").Press("decision", "deny").Response(servertest.Callback)
		if answer.Get("error") != "access_denied" || answer.Get("state") != servertest.State || answer.Get("iss") != s.URL {
			t.Errorf("%v", answer)
		}
	},
	"happy-flow": works(),
	"ensure-authorization-request-without-state-success":   works("state", ""),
	"ensure-authorization-request-without-nonce-success":   works("nonce", ""),
	"ensure-authorization-request-with-64-char-nonce":      works("nonce", strings.Repeat("n", 64)),
	"ensure-authorization-request-with-long-nonce":         works("nonce", strings.Repeat("n", 384)),
	"ensure-authorization-request-with-long-state":         works("state", strings.Repeat("s", 1000)),
	"ensure-other-scope-order-succeeds":                    works("scope", "read openid"),
	"test-claims-parameter-identity-claims":                works("claims", `{"id_token":{"given_name":{"essential":true}},"userinfo":{"family_name":null}}`),
	"access-token-type-header-case-sensitivity":            func(t *testing.T, s *signer) { s.userinfo("dPoP", s.access(t), nil).Expect(200) },
	"check-dpop-proof-nbf-exp":                             proofs(servertest.Members{"nbf": int64(0), "exp": int64(300)}),
	"ensure-dpop-proof-with-iat-10seconds-before-succeeds": proofs(servertest.Members{"iat": int64(-10)}),
	"ensure-dpop-proof-with-iat-10seconds-after-succeeds":  proofs(servertest.Members{"iat": int64(10)}),
	"ensure-mismatched-dpop-jkt-fails": func(t *testing.T, s *signer) {
		proof := servertest.Header("DPoP", s.key.Proof(s.Server, "POST", "/oauth2/par", nil, nil))
		s.push([]servertest.Edit{proof}, "dpop_jkt", s.other.Thumbprint).ExpectError(400, "invalid_dpop_proof")
	},
	"ensure-token-endpoint-fails-with-mismatched-dpop-jkt": func(t *testing.T, s *signer) {
		s.redeem(s.code("dpop_jkt", s.other.Thumbprint), s.proof()).ExpectError(400, "invalid_grant")
	},
	"ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt, ensure-dpop-proof-at-par-endpoint-binding-success": func(t *testing.T, s *signer) {
		proof := servertest.Header("DPoP", s.key.Proof(s.Server, "POST", "/oauth2/par", nil, nil))
		pushed := s.push([]servertest.Edit{proof}).Expect(201).String("request_uri")
		code := s.authorize(s.Browser(), pushed).Through().Response(servertest.Callback).Get("code")
		s.redeem(code, []servertest.Edit{s.other.DPoP(s.Server)}).ExpectError(400, "invalid_grant")
		s.redeem(code, s.proof()).Expect(200)
	},
	"ensure-unsigned-authorization-request-without-using-par-fails": func(t *testing.T, s *signer) {
		if got := s.Browser().Authorize(s.Client).Through().Response(servertest.Callback).Get("error"); got != "invalid_request" {
			t.Errorf("the error is %q", got)
		}
	},
	"ensure-redirect-uri-in-authorization-request": func(t *testing.T, s *signer) { s.push(nil, "redirect_uri", "").ExpectError(400, "invalid_request") },
	"ensure-response-type-code-idtoken-fails": func(t *testing.T, s *signer) {
		s.push(nil, "response_type", "code id_token").ExpectError(400, "unsupported_response_type")
	},
	"ensure-response-type-token-fails": func(t *testing.T, s *signer) {
		s.push(nil, "response_type", "token").ExpectError(400, "unsupported_response_type")
	},
	"ensure-client-id-in-token-endpoint": func(t *testing.T, s *signer) {
		code := s.code()
		form := servertest.Form(append(s.key.Assertion(s.Server, s.ID), "grant_type", "authorization_code", "code", code, "redirect_uri", s.Redirect,
			"code_verifier", servertest.Verifier)...)
		form.Set("client_id", s.Web.ID)
		s.PostForm("/oauth2/token", form, s.proof()...).ExpectError(401, "invalid_client")
	},
	"ensure-holder-of-key-required": func(t *testing.T, s *signer) { s.redeem(s.code(), nil).ExpectError(400, "invalid_dpop_proof") },
	"ensure-authorization-code-is-bound-to-client": func(t *testing.T, s *signer) {
		code := s.code()
		s.asking().redeem(code, s.proof()).ExpectError(400, "invalid_grant")
	},
	"attempt-reuse-authorization-code-after-one-second": func(t *testing.T, s *signer) {
		code := s.code()
		access := s.redeem(code, s.proof()).Expect(200).String("access_token")
		s.Clock.Advance(time.Second)
		s.redeem(code, s.proof()).ExpectError(400, "invalid_grant")
		s.userinfo("DPoP", access, nil).Expect(401)
	},
	"attempt-to-use-expired-auth-code": func(t *testing.T, s *signer) {
		code := s.code()
		s.Clock.Advance(61 * time.Second) // FAPI 2.0 §5.3.2.1: a minute at most
		s.redeem(code, s.proof()).ExpectError(400, "invalid_grant")
	},
	"ensure-client-assertion-in-token-endpoint": func(t *testing.T, s *signer) {
		s.PostForm("/oauth2/token", servertest.Form("grant_type", "authorization_code", "code", s.code(), "redirect_uri", s.Redirect,
			"code_verifier", servertest.Verifier, "client_id", s.ID), s.proof()...).ExpectError(401, "invalid_client")
	},
	"ensure-signed-client-assertion-with-RS256-fails": func(t *testing.T, s *signer) {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		set, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public()}}})
		c := s.another(set)
		for alg, status := range map[jose.SignatureAlgorithm]int{jose.RS256: 401, jose.PS256: 201} {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: private}, nil)
			if err != nil {
				t.Fatal(err)
			}
			assertion, err := jwt.Signed(signer).Claims(map[string]any{
				"iss": c.ID, "sub": c.ID, "aud": s.URL, "jti": rand.Text(), "exp": s.Clock.Now().Add(time.Minute).Unix(),
			}).Serialize()
			if err != nil {
				t.Fatal(err)
			}
			form := c.AuthorizeParams("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", assertion)
			s.PostForm("/oauth2/par", form).Expect(status)
		}
	},
	"ensure-client-assertion-with-exp-is-5-minutes-in-past":                           assertions(401, nil, servertest.Members{"iat": int64(-360), "exp": int64(-300)}),
	"ensure-client-assertion-with-wrong-aud-fails":                                    assertions(401, nil, servertest.Members{"aud": "https://other.example"}),
	"ensure-client-assertion-with-no-sub-fails":                                       assertions(401, nil, servertest.Members{"sub": nil}),
	"par-endpoint-as-audience-fails":                                                  audience("/oauth2/par", false),
	"par-endpoint-as-array-audience-fails":                                            audience("/oauth2/par", true),
	"par-token-endpoint-as-audience-fails":                                            audience("/oauth2/token", false),
	"par-ensure-jwt-client-assertion-iat-nbf-8-seconds-in-the-future-is-accepted":     assertions(201, nil, servertest.Members{"iat": int64(8), "nbf": int64(8)}),
	"par-ensure-jwt-client-assertion-iat-nbf-over-60-seconds-in-the-future-fails-iat": assertions(401, nil, servertest.Members{"iat": int64(65), "exp": int64(120)}),
	"par-ensure-jwt-client-assertion-iat-nbf-over-60-seconds-in-the-future-fails-nbf": assertions(401, nil, servertest.Members{"nbf": int64(65), "exp": int64(120)}),
	"refresh-token": func(t *testing.T, s *signer) {
		got := s.redeem(s.code(), s.proof()).Expect(200)
		next := s.post("/oauth2/token", s.proof(), servertest.Form("grant_type", "refresh_token", "refresh_token", got.String("refresh_token"))).Expect(200)
		s.userinfo("DPoP", next.String("access_token"), nil).Expect(200)
		s.asking().post("/oauth2/token", s.proof(), servertest.Form("grant_type", "refresh_token", "refresh_token", got.String("refresh_token"))).
			ExpectError(400, "invalid_grant")
	},
	"dpop-negative-tests": func(t *testing.T, s *signer) {
		access := s.access(t)
		for name, refused := range map[string]servertest.Members{
			"htm": {"htm": "PUT"}, "htu": {"htu": s.URL + "/other"}, "ath": {"ath": "x"}, "no ath": {"ath": nil}, "no jti": {"jti": nil},
			"future": {"iat": s.Clock.Now().Add(time.Hour).Unix()}, "past": {"iat": s.Clock.Now().Add(-time.Hour).Unix()},
		} {
			if a := s.userinfo("DPoP", access, refused); a.Status != 401 {
				t.Errorf("%s: %d", name, a.Status)
			}
		}
		for name, accepted := range map[string]servertest.Members{
			"query and fragment": {"htu": s.URL + "/oauth2/userinfo?x=y#z"}, "more claims": {"foo": "bar", "sub": "x"}, "case": {"htu": strings.Replace(s.URL, "http", "HTTP", 1) + "/oauth2/userinfo"},
		} {
			if a := s.userinfo("DPoP", access, accepted); a.Status != 200 {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
		}
		s.Get("/oauth2/userinfo", bearer(access)).Expect(401)
	},
	"par-ensure-server-accepts-reused-request-uri-before-authentication-completion, par-attempt-reuse-request_uri": func(t *testing.T, s *signer) {
		pushed := s.push(nil).Expect(201).String("request_uri")
		b := s.Browser()
		for range 2 {
			if page := s.authorize(b, pushed); !page.Has("/login") {
				t.Fatalf("no login page: %d", page.Status)
			}
		}
		s.authorize(b, pushed).Through().Response(servertest.Callback)
		if page := s.authorize(b, pushed); page.Left != "" || page.Status != 400 {
			t.Errorf("used twice: %d %q", page.Status, page.Left)
		}
	},
	"par-attempt-to-use-expired-request_uri": func(t *testing.T, s *signer) {
		a := s.push(nil).Expect(201)
		life, _ := a.JSON()["expires_in"].(float64)
		if life < 5 || life > 600 {
			t.Errorf("expires_in %v", life)
		}
		s.Clock.Advance(time.Duration(life+1) * time.Second)
		if page := s.authorize(s.Browser(), a.String("request_uri")); page.Left != "" || page.Status != 400 {
			t.Errorf("%d %q", page.Status, page.Left)
		}
	},
	"par-ensure-request-uri-is-bound-to-client": func(t *testing.T, s *signer) {
		pushed := s.push(nil).Expect(201).String("request_uri")
		if page := s.asking().authorize(s.Browser(), pushed); page.Left != "" || page.Status != 400 {
			t.Errorf("%d %q", page.Status, page.Left)
		}
	},
	"par-reject-request_uri-in-par-authorization-form-params": func(t *testing.T, s *signer) {
		s.push(nil, "request_uri", s.push(nil).String("request_uri")).ExpectError(400, "invalid_request")
	},
	"par-attempt-invalid-http-method": func(t *testing.T, s *signer) {
		for _, method := range []string{"PUT", "GET", "DELETE"} {
			s.Do(method, "/oauth2/par", s.AuthorizeParams().Encode(), servertest.Header("Content-Type", "application/x-www-form-urlencoded")).
				Expect(http.StatusMethodNotAllowed)
		}
	},
	"par-ensure-pkce-required": func(t *testing.T, s *signer) { s.push(nil, noPKCE()...).ExpectError(400, "invalid_request") },
	"par-plain-pkce-rejected": func(t *testing.T, s *signer) {
		s.push(nil, "code_challenge_method", "plain").ExpectError(400, "invalid_request")
	},
	"par-pkce-code-verifier-required": func(t *testing.T, s *signer) {
		s.redeem(s.code(), s.proof(), "code_verifier", "").ExpectError(400, "invalid_grant")
	},
	"par-incorrect-pkce-code-verifier-rejected": func(t *testing.T, s *signer) {
		s.redeem(s.code(), s.proof(), "code_verifier", servertest.Verifier+"x").ExpectError(400, "invalid_grant")
	},
	"par-without-duplicate-parameters": func(t *testing.T, s *signer) { // what was pushed need not be in the query again
		s.redeem(s.code(), s.proof()).Expect(200)
	},
}
