package oauth_test

import (
	"testing"

	"latchkey/clients/document"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// The whole document: what is not written here is not advertised.
func TestMetadata(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: "https://api.example/", Scopes: []string{"write", "email", "read"}}); err != nil {
		t.Fatal(err)
	}
	a := s.Get("/.well-known/oauth-authorization-server").Expect(200)
	a.ExpectBody(`{
		"issuer": "` + s.URL + `",
		"authorization_endpoint": "` + s.URL + `/oauth2/authorize",
		"pushed_authorization_request_endpoint": "` + s.URL + `/oauth2/par",
		"device_authorization_endpoint": "` + s.URL + `/oauth2/device_authorization",
		"token_endpoint": "` + s.URL + `/oauth2/token",
		"userinfo_endpoint": "` + s.URL + `/oauth2/userinfo",
		"end_session_endpoint": "` + s.URL + `/oauth2/logout",
		"revocation_endpoint": "` + s.URL + `/oauth2/revoke",
		"introspection_endpoint": "` + s.URL + `/oauth2/introspect",
		"registration_endpoint": "` + s.URL + `/oauth2/register",
		"jwks_uri": "` + s.URL + `/oauth2/jwks",
		"scopes_supported": ["openid", "profile", "email", "groups", "offline_access", "read", "write"],
		"response_types_supported": ["code"],
		"response_modes_supported": ["query", "form_post"],
		"grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", "password", "urn:ietf:params:oauth:grant-type:device_code"],
		"code_challenge_methods_supported": ["S256"],
		"authorization_response_iss_parameter_supported": true,
		"require_pushed_authorization_requests": false,
		"prompt_values_supported": ["none", "login", "consent", "select_account"],
		"ui_locales_supported": ["en", "de"],
		"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
		"token_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"],
		"revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
		"revocation_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"],
		"introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
		"introspection_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"],
		"dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"],
		"subject_types_supported": ["public"],
		"id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
		"userinfo_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
		"claims_supported": ["iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "sub", "name", "given_name", "family_name", "middle_name",
			"nickname", "preferred_username", "profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at", "email",
			"email_verified", "groups"],
		"acr_values_supported": ["urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport", "http://schemas.openid.net/pape/policies/2007/06/multi-factor"],
		"claims_parameter_supported": true,
		"request_parameter_supported": true,
		"request_uri_parameter_supported": false,
		"request_object_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"],
		"backchannel_logout_supported": true,
		"backchannel_logout_session_supported": true
	}`)
	if b := s.Get("/.well-known/openid-configuration").Expect(200); b.Body != a.Body {
		t.Errorf("the OpenID configuration is %s", b.Body)
	}
}

// What the operator has switched off is not advertised.
func TestMetadataFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		registration string
		documents    document.Policy
		endpoint     bool
		byURL        bool
	}{
		{"off", document.Policy{}, false, false},
		{"token", document.Policy{Hosts: []string{"tools.example"}}, true, true},
		{"open", document.Policy{Open: true}, true, true},
	} {
		s := servertest.New(t, servertest.Bare(), servertest.Configure(func(cfg *server.Config) {
			cfg.Registration, cfg.ClientDocuments = c.registration, c.documents
		}))
		doc := s.Get("/.well-known/openid-configuration").Expect(200).JSON()
		if _, ok := doc["registration_endpoint"]; ok != c.endpoint {
			t.Errorf("%+v: registration_endpoint is %v", c, doc["registration_endpoint"])
		}
		if got, _ := doc["client_id_metadata_document_supported"].(bool); got != c.byURL {
			t.Errorf("%+v: client_id_metadata_document_supported is %v", c, got)
		}
	}
}

// RFC 9728: a registered protected resource has a ready document; its server only needs to point there.
func TestResourceMetadata(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const identifier = "https://tools.example/mcp?a=b&c"
	if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: identifier, Name: "Tools", Scopes: []string{"tools:read"}}); err != nil {
		t.Fatal(err)
	}
	const path = "/oauth2/resources?resource=https%3A%2F%2Ftools.example%2Fmcp%3Fa%3Db%26c"
	a := s.Get(path, servertest.Header("Origin", "https://anywhere.example")).Expect(200)
	a.ExpectBody(`{
		"resource": "` + identifier + `", "resource_name": "Tools", "authorization_servers": ["` + s.URL + `"],
		"scopes_supported": ["tools:read"], "bearer_methods_supported": ["header"]
	}`)
	if got := a.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("Access-Control-Allow-Origin is %q", got)
	}
	s.Get(path, servertest.Header("If-None-Match", a.Header.Get("ETag"))).Expect(304)
	for _, bad := range []string{
		"/oauth2/resources?resource=https%3A%2F%2Fother.example", "/oauth2/resources?resource=https%3A%2F%2Ftools.example%2Fmcp",
	} {
		if a := s.Get(bad).Expect(404); a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", bad, a.Header)
		}
	}
	for _, bad := range []string{"/oauth2/resources", path + "&resource=https%3A%2F%2Fother.example"} {
		s.Get(bad).ExpectError(400, "invalid_request")
	}
	if err := s.Clients().RemoveResource(t.Context(), identifier); err != nil {
		t.Fatal(err)
	}
	s.Get(path).Expect(404)
}
