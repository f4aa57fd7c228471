package clients_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/clients"
)

// service is metadata that pass, for cases that change one thing.
func service() clients.Metadata {
	return clients.Metadata{GrantTypes: []string{"client_credentials"}}
}

func TestDefaultsOfRFC7591(t *testing.T) {
	t.Parallel()
	m, p, err := clients.Validate(clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}}, clients.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	want := clients.Metadata{
		ApplicationType: "web", RedirectURIs: []string{"https://a.example/cb"}, GrantTypes: []string{"authorization_code"},
		ResponseTypes: []string{"code"}, TokenEndpointAuthMethod: "client_secret_basic",
		IDTokenSignedResponseAlg: "RS256", // OpenID Connect Registration §2
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(clients.Policy{}, p); diff != "" {
		t.Errorf("a policy that nobody set: %s", diff)
	}
	m, _, err = clients.Validate(service(), clients.Policy{})
	if err != nil || len(m.ResponseTypes) != 0 {
		t.Errorf("response types %v of a client without the code grant, %v", m.ResponseTypes, err)
	}
}

func TestListsAndScopeAreNormalised(t *testing.T) {
	t.Parallel()
	in := clients.Metadata{
		GrantTypes: []string{"password", "", "refresh_token", "password"}, Scope: "  write read  write ",
		Contacts: []string{"a@example.com", "a@example.com"}, JWKS: json.RawMessage(` {"keys": [ {"kty":"OKP"} ], "more": 1} `),
	}
	given := append([]string(nil), in.GrantTypes...)
	m, p, err := clients.Validate(in, clients.Policy{Resources: []string{"https://api.example/", "https://api.example/"}})
	if err != nil {
		t.Fatal(err)
	}
	if m.Scope != "write read" || len(m.GrantTypes) != 2 || len(m.Contacts) != 1 || len(p.Resources) != 1 || string(m.JWKS) != `{"keys":[{"kty":"OKP"}]}` {
		t.Errorf("%+v, %+v", m, p)
	}
	if diff := cmp.Diff(given, in.GrantTypes); diff != "" {
		t.Errorf("what went in was changed: %s", diff)
	}
}

func TestRefusedMetadata(t *testing.T) {
	t.Parallel()
	const minute = clients.Duration(time.Minute)
	seconds := func(n float64) clients.Duration { return clients.Duration(n * float64(time.Second)) }
	overlap := func(d time.Duration) *clients.Duration { return (*clients.Duration)(&d) }
	many := strings.Split(strings.TrimSuffix(strings.Repeat("a,", 101), ","), ",")
	cases := []struct {
		field string
		do    func(*clients.Metadata, *clients.Policy)
	}{
		{"redirect_uris", func(m *clients.Metadata, _ *clients.Policy) { m.GrantTypes = nil }},
		{"redirect_uris", func(m *clients.Metadata, _ *clients.Policy) { m.RedirectURIs = many }},
		{"grant_types", func(m *clients.Metadata, _ *clients.Policy) { m.GrantTypes = []string{"implicit"} }},
		{"grant_types", func(m *clients.Metadata, _ *clients.Policy) { m.GrantTypes = []string{"Password"} }},
		{"grant_types", func(m *clients.Metadata, _ *clients.Policy) { m.GrantTypes = many }},
		// RFC 6749 §4.4: client_credentials is for clients that authenticate.
		{"grant_types", func(m *clients.Metadata, _ *clients.Policy) { m.TokenEndpointAuthMethod = "none" }},
		{"response_types", func(m *clients.Metadata, _ *clients.Policy) { m.ResponseTypes = []string{"code"} }},
		{"response_types", func(m *clients.Metadata, _ *clients.Policy) { m.ResponseTypes = []string{"token"} }},
		{"response_types", func(m *clients.Metadata, _ *clients.Policy) { m.ResponseTypes = []string{"code", "id_token"} }},
		{"token_endpoint_auth_method", func(m *clients.Metadata, _ *clients.Policy) { m.TokenEndpointAuthMethod = "private_key_jwt" }},
		{"token_endpoint_auth_method", func(m *clients.Metadata, _ *clients.Policy) { m.TokenEndpointAuthMethod = "tls_client_auth" }},
		{"token_endpoint_auth_method", func(m *clients.Metadata, _ *clients.Policy) {
			m.TokenEndpointAuthMethod, m.JWKSURI = "client_secret_jwt", "https://a.example/jwks"
		}},
		{"token_endpoint_auth_signing_alg", func(m *clients.Metadata, _ *clients.Policy) { m.TokenEndpointAuthSigningAlg = "HS256" }},
		{"id_token_signed_response_alg", func(m *clients.Metadata, _ *clients.Policy) { m.IDTokenSignedResponseAlg = "none" }},
		{"id_token_signed_response_alg", func(m *clients.Metadata, _ *clients.Policy) { m.IDTokenSignedResponseAlg = "PS256" }},
		{"userinfo_signed_response_alg", func(m *clients.Metadata, _ *clients.Policy) { m.UserinfoSignedResponseAlg = "HS256" }},
		{"default_max_age", func(m *clients.Metadata, _ *clients.Policy) { m.DefaultMaxAge = new(int64); *m.DefaultMaxAge = -1 }},
		{"default_max_age", func(m *clients.Metadata, _ *clients.Policy) { m.DefaultMaxAge = new(int64); *m.DefaultMaxAge = 1 << 40 }},
		{"backchannel_logout_uri", func(m *clients.Metadata, _ *clients.Policy) { m.BackchannelLogoutURI = "ftp://a.example/" }},
		{"backchannel_logout_uri", func(m *clients.Metadata, _ *clients.Policy) { m.BackchannelLogoutURI = "https://a.example/#x" }},
		{"backchannel_logout_uri", func(m *clients.Metadata, _ *clients.Policy) {
			m.GrantTypes, m.TokenEndpointAuthMethod, m.BackchannelLogoutURI = []string{"password"}, "none", "http://a.example/"
		}},
		{"backchannel_logout_session_required", func(m *clients.Metadata, _ *clients.Policy) { m.BackchannelLogoutSessionRequired = true }},
		{"application_type", func(m *clients.Metadata, _ *clients.Policy) { m.ApplicationType = "desktop" }},
		{"scope", func(m *clients.Metadata, _ *clients.Policy) { m.Scope = `read "write"` }},
		{"scope", func(m *clients.Metadata, _ *clients.Policy) { m.Scope = `re\ad` }},
		{"scope", func(m *clients.Metadata, _ *clients.Policy) { m.Scope = "read\twrite" }},
		{"scope", func(m *clients.Metadata, _ *clients.Policy) { m.Scope = "läsen" }},
		{"scope", func(m *clients.Metadata, _ *clients.Policy) { m.Scope = strings.Repeat("a", 4097) }},
		{"client_name", func(m *clients.Metadata, _ *clients.Policy) { m.ClientName = "a\x00b" }},
		{"client_name", func(m *clients.Metadata, _ *clients.Policy) { m.ClientName = "a\nb" }},
		{"client_name", func(m *clients.Metadata, _ *clients.Policy) { m.ClientName = "a\u202eb" }},
		{"client_name", func(m *clients.Metadata, _ *clients.Policy) { m.ClientName = "a\xffb" }},
		{"client_name", func(m *clients.Metadata, _ *clients.Policy) { m.ClientName = strings.Repeat("a", 256) }},
		{"software_id", func(m *clients.Metadata, _ *clients.Policy) { m.SoftwareID = "\x7f" }},
		{"contacts", func(m *clients.Metadata, _ *clients.Policy) { m.Contacts = []string{"a\r\nb"} }},
		{"client_uri", func(m *clients.Metadata, _ *clients.Policy) { m.ClientURI = "javascript:alert(1)" }},
		{"logo_uri", func(m *clients.Metadata, _ *clients.Policy) { m.LogoURI = "data:image/png,x" }},
		{"policy_uri", func(m *clients.Metadata, _ *clients.Policy) { m.PolicyURI = "/policy" }},
		{"tos_uri", func(m *clients.Metadata, _ *clients.Policy) { m.TosURI = "https://user@a.example/" }},
		{"jwks_uri", func(m *clients.Metadata, _ *clients.Policy) { m.JWKSURI = "http://a.example/jwks" }},
		{"jwks", func(m *clients.Metadata, _ *clients.Policy) {
			m.JWKSURI, m.JWKS = "https://a.example/jwks", json.RawMessage(`{"keys":[]}`)
		}},
		{"jwks", func(m *clients.Metadata, _ *clients.Policy) {
			m.JWKS = json.RawMessage(`{"keys":[{"kty":"EC","d":"x"}]}`)
		}},
		{"jwks", func(m *clients.Metadata, _ *clients.Policy) {
			m.JWKS = json.RawMessage(`{"keys":[{"kty":"oct","k":"x"}]}`)
		}},
		{"jwks", func(m *clients.Metadata, _ *clients.Policy) { m.JWKS = json.RawMessage(`{"keys":[{}]}`) }},
		{"jwks", func(m *clients.Metadata, _ *clients.Policy) { m.JWKS = json.RawMessage(`[]`) }},
		{"jwks", func(m *clients.Metadata, _ *clients.Policy) { m.JWKS = json.RawMessage(`{"keys":[{"kty":"\u0000"}]}`) }},
		{"jwks", func(m *clients.Metadata, _ *clients.Policy) {
			m.JWKS = json.RawMessage(`{"keys":[{"kty":"` + strings.Repeat("a", 17<<10) + `"}]}`)
		}},
		{"rotation", func(_ *clients.Metadata, p *clients.Policy) { p.Rotation = "lenient" }},
		{"on_reuse", func(_ *clients.Metadata, p *clients.Policy) { p.OnReuse = "ignore" }},
		{"rotation_overlap", func(_ *clients.Metadata, p *clients.Policy) { p.RotationOverlap = overlap(-time.Second) }},
		{"rotation_overlap", func(_ *clients.Metadata, p *clients.Policy) { p.RotationOverlap = overlap(5*time.Minute + 1) }},
		{"access_token_ttl", func(_ *clients.Metadata, p *clients.Policy) { p.AccessTokenTTL = -minute }},
		{"access_token_ttl", func(_ *clients.Metadata, p *clients.Policy) { p.AccessTokenTTL = seconds(0.5) }},
		{"access_token_ttl", func(_ *clients.Metadata, p *clients.Policy) { p.AccessTokenTTL = seconds(1.5) }},
		{"access_token_ttl", func(_ *clients.Metadata, p *clients.Policy) { p.AccessTokenTTL = seconds(24*3600 + 1) }},
		{"refresh_token_ttl", func(_ *clients.Metadata, p *clients.Policy) { p.RefreshTokenTTL = -minute }},
		{"refresh_token_ttl", func(_ *clients.Metadata, p *clients.Policy) { p.RefreshTokenTTL = clients.MaxDuration }},
		{"refresh_token_idle_ttl", func(_ *clients.Metadata, p *clients.Policy) {
			p.RefreshTokenTTL, p.RefreshTokenIdleTTL = minute, 2*minute
		}},
		{"access_token_format", func(_ *clients.Metadata, p *clients.Policy) { p.AccessTokenFormat = "jwe" }},
		{"access_token_signed_response_alg", func(_ *clients.Metadata, p *clients.Policy) { p.AccessTokenSigningAlg = "none" }},
		{"access_token_signed_response_alg", func(_ *clients.Metadata, p *clients.Policy) { p.AccessTokenSigningAlg = "HS256" }},
		{"access_token_signed_response_alg", func(_ *clients.Metadata, p *clients.Policy) {
			p.AccessTokenSigningAlg, p.AccessTokenFormat = "ES256", clients.FormatOpaque
		}},
		{"introspect_all", func(m *clients.Metadata, p *clients.Policy) {
			m.GrantTypes, m.TokenEndpointAuthMethod, p.IntrospectAll = []string{"password"}, "none", true
		}},
		{"require_pkce", func(m *clients.Metadata, p *clients.Policy) {
			m.GrantTypes, m.TokenEndpointAuthMethod, p.RequirePKCE = []string{"password"}, "none", new(bool)
		}},
		{"resources", func(_ *clients.Metadata, p *clients.Policy) { p.Resources = []string{"api"} }},
		{"resources", func(_ *clients.Metadata, p *clients.Policy) { p.Resources = []string{"https://api.example/#x"} }},
		{"resources", func(_ *clients.Metadata, p *clients.Policy) { p.Resources = []string{"https:///x"} }},
	}
	for i, c := range cases {
		m, p := service(), clients.Policy{}
		c.do(&m, &p)
		_, _, err := clients.Validate(m, p)
		var wrong *clients.MetadataError
		if !errors.As(err, &wrong) || wrong.Field != c.field || wrong.Description == "" {
			t.Errorf("case %d: %v, want a fault of %s", i, err, c.field)
			continue
		}
		if want := map[bool]string{true: "invalid_redirect_uri", false: "invalid_client_metadata"}[c.field == "redirect_uris"]; wrong.Code != want {
			t.Errorf("case %d: code %s", i, wrong.Code)
		}
	}
}

func TestAcceptedMetadata(t *testing.T) {
	t.Parallel()
	const day = clients.Duration(24 * time.Hour)
	m := clients.Metadata{
		ClientName: "Zoë's \u200dCafé 日本 <b>", ClientURI: "https://a.example", LogoURI: "http://a.example/logo.png",
		GrantTypes:              []string{"password", "refresh_token", "client_credentials", "authorization_code"},
		RedirectURIs:            []string{"https://a.example/cb"},
		TokenEndpointAuthMethod: "client_secret_post", Scope: "read write:all urn:x !#[]~",
		JWKSURI: "https://a.example/jwks", SoftwareID: "4NRB1-0XZABZI9E6-5SM3R", SoftwareVersion: "1.2",
	}
	overlap := clients.Duration(5 * time.Minute)
	p := clients.Policy{
		Rotation: clients.RotationReissue, RotationOverlap: &overlap, OnReuse: clients.OnReuseReject,
		AccessTokenTTL: day, RefreshTokenTTL: 365 * day, RefreshTokenIdleTTL: 365 * day, AccessTokenSigningAlg: "EdDSA",
		Resources: []string{"https://api.example/v1?x=1", "urn:example:api", "http://intern:8080"}, IntrospectAll: true, FirstParty: true,
	}
	if _, _, err := clients.Validate(m, p); err != nil {
		t.Error(err)
	}
}

// What OpenID Connect, pushed requests and logout have metadata for.
func TestAcceptedMetadataOfOpenID(t *testing.T) {
	t.Parallel()
	age := int64(0)
	m := clients.Metadata{
		RedirectURIs: []string{"https://a.example/cb"}, TokenEndpointAuthMethod: clients.AuthPrivateKeyJWT, TokenEndpointAuthSigningAlg: "PS256",
		JWKS: json.RawMessage(`{"keys":[{"kty":"OKP"}]}`), IDTokenSignedResponseAlg: "EdDSA", UserinfoSignedResponseAlg: "ES256", DefaultMaxAge: &age,
		RequireAuthTime: true, RequirePushedAuthorizationRequests: true, BackchannelLogoutURI: "http://intern.example/logout",
		BackchannelLogoutSessionRequired: true,
	}
	out, _, err := clients.Validate(m, clients.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	age = 5
	if *out.DefaultMaxAge != 0 {
		t.Error("default_max_age is the caller's own")
	}
	m.ApplicationType, m.GrantTypes, m.ResponseTypes, *m.DefaultMaxAge = "web", []string{"authorization_code"}, []string{"code"}, 0
	if diff := cmp.Diff(m, out); diff != "" {
		t.Error(diff)
	}
}

func TestEveryFaultIsNamed(t *testing.T) {
	t.Parallel()
	_, _, err := clients.Validate(clients.Metadata{
		ClientName: "\x00", GrantTypes: []string{"x"}, IDTokenSignedResponseAlg: "none", ApplicationType: "desktop",
	}, clients.Policy{Rotation: "x", AccessTokenTTL: -1})
	var fields []string
	for _, fault := range clients.Faults(fmt.Errorf("add: %w", err)) {
		fields = append(fields, fault.Field)
	}
	want := []string{"client_name", "application_type", "grant_types", "id_token_signed_response_alg", "rotation", "access_token_ttl"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
	if clients.Faults(nil) != nil || clients.Faults(errors.New("x")) != nil {
		t.Error("faults of nothing")
	}
}

func TestClientIDSyntax(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"web": true, "s6BhdRkqt3": true, "https://app.example/client.json": true, "a b:c%": true, strings.Repeat("a", 255): true,
		"https://a.example/" + strings.Repeat("a", 2030): true, "https://a.example/" + strings.Repeat("a", 2031): false,
		"": false, strings.Repeat("a", 256): false, "a\nb": false, "a\x00": false, "ä": false, "a\x7f": false, "\xff": false,
	} {
		if got := clients.ValidID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

// Whatever JSON comes in: no panic; what passes passes again unchanged, also after a journey through JSON.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"redirect_uris":["https://a/cb"],"scope":"a b a","jwks":{"keys":[]},"rotation_overlap":"0s"}`))
	f.Add([]byte(`{"grant_types":["client_credentials"],"access_token_ttl":"15m","resources":["urn:x:y"]}`))
	f.Add([]byte(`{"grant_types":["password"],"token_endpoint_auth_method":"none","client_name":"\u202e","jwks":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		type both struct {
			clients.Metadata
			clients.Policy
		}
		var in both
		if json.Unmarshal(body, &in) != nil {
			return
		}
		m, p, err := clients.Validate(in.Metadata, in.Policy)
		if err != nil {
			var wrong *clients.MetadataError
			if !errors.As(err, &wrong) || wrong.Field == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		raw, err := json.Marshal(both{m, p})
		if err != nil {
			t.Fatal(err)
		}
		var back both
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		again, policy, err := clients.Validate(back.Metadata, back.Policy)
		if err != nil {
			t.Fatalf("%s passed and does not pass again: %v", raw, err)
		}
		if diff := cmp.Diff(both{m, p}, both{again, policy}); diff != "" {
			t.Fatal(diff)
		}
	})
}
