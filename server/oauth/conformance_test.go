package oauth_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/server/servertest"
)

// The subtests are named as the modules of the OpenID Foundation's conformance suite whose checks they have. The requests are the suite's: without
// PKCE, with state, and with a nonce unless a module says otherwise.

// Basic OP and Form Post Basic OP, each with a client of the operator and with one that registered itself.
func TestConformanceBasic(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "form_post"} {
		s, parties := newParties(t)
		for kind, c := range parties {
			for name, module := range basicModules {
				t.Run(strings.Trim(mode+" "+kind, " ")+"/"+name, func(t *testing.T) { module(t, &relyingParty{s, c, mode, s.Browser()}) })
			}
		}
	}
}

var basicModules = map[string]func(*testing.T, *relyingParty){
	"oidcc-server": func(t *testing.T, p *relyingParty) {
		got, claims := p.login(t)
		if claims["nonce"] != servertest.Nonce || claims["at_hash"] != hashOf("RS256", got.String("access_token")) || got.JSON()["expires_in"] == nil {
			t.Errorf("%v\n%s", claims, got.Body)
		}
		p.userinfo(got.String("access_token")).Expect(200)
	},
	"oidcc-server-client-secret-post": func(t *testing.T, p *relyingParty) {
		c := suiteClient(p.Server, "token_endpoint_auth_method", "client_secret_post")
		post := &relyingParty{p.Server, c, p.mode, p.b}
		p.PostForm("/oauth2/token", servertest.Form("grant_type", "authorization_code", "code", post.answer(t).Get("code"), "redirect_uri", c.Redirect,
			"client_id", c.ID, "client_secret", c.Secret.Reveal())).Expect(200)
	},
	"oidcc-response-type-missing": func(t *testing.T, p *relyingParty) {
		page := p.authorize("response_type", "")
		if p.ID != "static" { // an error page is right too: see docs/decisions/0013
			if page.Left != "" || page.Status != 400 || !strings.Contains(page.Body, "response_type is missing") {
				t.Errorf("%d %s", page.Status, page.Body)
			}
			return
		}
		if got := p.answered(t, page).Get("error"); got != "invalid_request" && got != "unsupported_response_type" {
			t.Errorf("the error is %q", got)
		}
	},
	"oidcc-userinfo-get": func(t *testing.T, p *relyingParty) {
		got, claims := p.login(t)
		if sub := p.userinfo(got.String("access_token")).Expect(200).String("sub"); sub == "" || sub != claims["sub"] {
			t.Errorf("sub %q, in the ID token %v", sub, claims["sub"])
		}
	},
	"oidcc-userinfo-post-header": func(t *testing.T, p *relyingParty) {
		got, _ := p.login(t)
		p.Do("POST", "/oauth2/userinfo", "", bearer(got.String("access_token"))).Expect(200)
	},
	"oidcc-userinfo-post-body": func(t *testing.T, p *relyingParty) {
		got, _ := p.login(t)
		p.PostForm("/oauth2/userinfo", servertest.Form("access_token", got.String("access_token"))).Expect(200)
	},
	"oidcc-ensure-request-without-nonce-succeeds-for-code-flow": func(t *testing.T, p *relyingParty) {
		if _, claims := p.login(t, "nonce", ""); claims["nonce"] != nil {
			t.Errorf("nonce %v", claims["nonce"])
		}
	},
	"oidcc-scope-profile": func(t *testing.T, p *relyingParty) {
		p.scope(t, "openid profile", "name", "given_name", "family_name", "nickname", "preferred_username", "website", "picture", "locale", "zoneinfo", "updated_at")
	},
	"oidcc-scope-email":   func(t *testing.T, p *relyingParty) { p.scope(t, "openid email", "email", "email_verified") },
	"oidcc-scope-address": func(t *testing.T, p *relyingParty) { p.scope(t, "openid address", "address") },
	"oidcc-scope-phone": func(t *testing.T, p *relyingParty) {
		p.scope(t, "openid phone", "phone_number", "phone_number_verified")
	},
	"oidcc-scope-all": func(t *testing.T, p *relyingParty) {
		p.scope(t, "openid profile email address phone", "name", "email", "address", "phone_number")
	},
	"oidcc-ensure-other-scope-order-succeeds": func(t *testing.T, p *relyingParty) { p.scope(t, "email openid", "email") },
	"oidcc-display-page":                      succeeds("display", "page"),
	"oidcc-display-popup":                     succeeds("display", "popup"),
	"oidcc-prompt-login":                      asksAgain("prompt", "login"),
	"oidcc-max-age-1":                         asksAgain("max_age", "1"),
	"oidcc-prompt-none-not-logged-in": func(t *testing.T, p *relyingParty) {
		if got := p.answer(t, "prompt", "none").Get("error"); got != "login_required" {
			t.Errorf("the error is %q", got)
		}
	},
	"oidcc-prompt-none-logged-in": silent("prompt", "none"),
	"oidcc-max-age-10000":         silent("max_age", "10000"),
	"oidcc-id-token-hint": func(t *testing.T, p *relyingParty) {
		got, first := p.login(t)
		if _, second := p.login(t, "prompt", "none", "id_token_hint", got.String("id_token")); second["sub"] != first["sub"] {
			t.Errorf("%v, before %v", second["sub"], first["sub"])
		}
	},
	"oidcc-ensure-request-with-unknown-parameter-succeeds": succeeds("extra", "foobar"),
	"oidcc-login-hint":     succeeds("login_hint", "buffy@example.com"),
	"oidcc-ui-locales":     succeeds("ui_locales", "se"),
	"oidcc-claims-locales": succeeds("claims_locales", "se"),
	"oidcc-ensure-request-with-acr-values-succeeds": func(t *testing.T, p *relyingParty) {
		if _, claims := p.login(t, "acr_values", "1 2"); claims["acr"] == nil {
			t.Error("no acr")
		}
	},
	"oidcc-codereuse": func(t *testing.T, p *relyingParty) { p.reuse(t, 0) },
	"oidcc-codereuse-30seconds": func(t *testing.T, p *relyingParty) {
		p.userinfo(p.reuse(t, 30*time.Second)).Expect(401)
	},
	"oidcc-ensure-registered-redirect-uri": func(t *testing.T, p *relyingParty) {
		if page := p.authorize("redirect_uri", p.Redirect+"/unregistered"); page.Left != "" || page.Status != 400 {
			t.Errorf("%d, left for %q", page.Status, page.Left)
		}
	},
	"oidcc-ensure-post-request-succeeds": func(t *testing.T, p *relyingParty) {
		var pairs []string
		for name, values := range p.AuthorizeParams(noPKCE("scope", "openid", "response_mode", p.mode)...) {
			pairs = append(pairs, name, values[0])
		}
		p.redeem(p.answered(t, p.b.PostForeign("/oauth2/authorize", pairs...).Through()).Get("code")).Expect(200)
	},
	"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": unsupported("request_uri", "https://suite.example/request.jwt", "request_uri_not_supported"),
	"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": unsupported(
		"request", encode(`{"alg":"none"}`)+"."+encode(`{"scope":"openid"}`)+".", "request_not_supported"),
	"oidcc-ensure-request-object-with-redirect-uri": unsupported(
		"request", encode(`{"alg":"none"}`)+"."+encode(`{"redirect_uri":"https://other.example/"}`)+".", "request_not_supported"),
	"oidcc-claims-essential": func(t *testing.T, p *relyingParty) {
		got, _ := p.login(t, "claims", `{"userinfo":{"name":{"essential":true}}}`)
		if name := p.userinfo(got.String("access_token")).Expect(200).String("name"); name != "Alice Ångström" {
			t.Errorf("name %q", name)
		}
	},
	"oidcc-refresh-token": func(t *testing.T, p *relyingParty) {
		got, first := p.login(t, "scope", suiteScope, "prompt", "consent")
		next := p.Refresh(p.Client, got.String("refresh_token")).Expect(200)
		claims := verified(t, p.Server, next.String("id_token"), "RS256")
		for _, name := range []string{"iss", "sub", "aud", "auth_time"} { // Core §12.2
			if claims[name] != first[name] {
				t.Errorf("%s: %v, before %v", name, claims[name], first[name])
			}
		}
		p.userinfo(next.String("access_token")).Expect(200)
		other := suiteClient(p.Server, "client_name", "Second client")
		p.Refresh(other, next.String("refresh_token")).ExpectError(400, "invalid_grant")
	},
	"oidcc-ensure-request-with-valid-pkce-succeeds": func(t *testing.T, p *relyingParty) {
		code := p.answer(t, "code_challenge", servertest.Challenge(), "code_challenge_method", "S256").Get("code")
		p.Server.Redeem(p.Client, code).Expect(200)
	},
}
