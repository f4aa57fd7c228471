package oauth_test

import (
	"testing"

	"latchkey/server/servertest"
	"latchkey/storage"
)

func withResources(t *testing.T, uris ...string) *servertest.Server {
	t.Helper()
	s := servertest.New(t)
	for _, uri := range uris {
		if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: uri}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Row F: one access token for an API and for the profile.
func TestRowFUserInfoTakesATokenForAnAPI(t *testing.T) {
	t.Parallel()
	s := withResources(t, "https://api.example")
	userInfo := func(a *servertest.Answer) *servertest.Answer {
		return s.Get("/oauth2/userinfo", bearer(a.Expect(200).String("access_token")))
	}
	got := s.Redeem(s.Web, s.Browser().Code(s.Web, "scope", "openid email read", "resource", "https://api.example"))
	userInfo(got).Expect(200).ExpectBody(`{"sub": "1"}`)
	narrowed := s.Token(s.Web, "grant_type", "refresh_token", "refresh_token", got.String("refresh_token"), "scope", "read")
	userInfo(narrowed).ExpectError(401, "invalid_token") // for the API, and without openid

	// For this server, and without openid by itself: the session has it.
	own := s.Redeem(s.Web, s.Browser().Code(s.Web, "scope", "openid email read"))
	narrowed = s.Token(s.Web, "grant_type", "refresh_token", "refresh_token", own.String("refresh_token"), "scope", "read")
	userInfo(narrowed).Expect(200).ExpectBody(`{"sub": "1"}`)

	// A session without openid has no profile to read.
	userInfo(s.Redeem(s.Web, s.Browser().Code(s.Web, "scope", "read"))).ExpectError(403, "insufficient_scope")
	userInfo(s.Redeem(s.Web, s.Browser().Code(s.Web, "scope", "read", "resource", "https://api.example"))).ExpectError(401, "invalid_token")
	s.Revoke(s.Web, got.String("refresh_token")).Expect(200)
	userInfo(got).ExpectError(401, "invalid_token")
}

// RFC 6749 §3.1, §3.2: a parameter without a value counts as omitted, at each endpoint.
func TestAnEmptyResourceIsNone(t *testing.T) {
	t.Parallel()
	const a = "https://a.example"
	s := withResources(t, a)
	b := s.Browser()
	aud := func(code string, pairs ...string) any {
		return servertest.Claims(t, s.Redeem(s.Portal, code, pairs...).Expect(200).String("access_token"))["aud"]
	}
	open := func(path string) any { return aud(b.Follow(path).Through().Response(servertest.Callback).Get("code")) }
	none := open(s.Portal.AuthorizePath())
	if got := open(s.Portal.AuthorizePath() + "&resource="); got != none {
		t.Errorf("resource= at the authorization endpoint: aud is %v, want %v", got, none)
	}
	if got := open(s.Portal.AuthorizePath("resource", a) + "&resource="); got != a {
		t.Errorf("an empty one beside another: aud is %v", got)
	}
	if got := aud(b.Code(s.Portal), "resource", ""); got != none {
		t.Errorf("resource= at the token endpoint: aud is %v, want %v", got, none)
	}
	params := s.Portal.AuthorizeParams()
	params.Set("resource", "")
	pushed := s.PostForm("/oauth2/par", params).Expect(201).String("request_uri")
	if got := open("/oauth2/authorize?" + servertest.Form("client_id", s.Portal.ID, "request_uri", pushed).Encode()); got != none {
		t.Errorf("resource= pushed: aud is %v, want %v", got, none)
	}
	// Twice is twice, with or without a value.
	refusal(t, s, b.Follow(s.Portal.AuthorizePath()+"&nonce="), "invalid_request")
}

// Row F: Auth0's parameter.
func TestRowFAudienceMeansResource(t *testing.T) {
	t.Parallel()
	const a, b = "https://a.example", "https://b.example"
	s := withResources(t, a, b)
	browser := s.Browser()
	aud := func(answer *servertest.Answer) any {
		return servertest.Claims(t, answer.Expect(200).String("access_token"))["aud"]
	}
	got := s.Redeem(s.Portal, browser.Code(s.Portal, "audience", a))
	if aud(got) != a {
		t.Errorf("aud is %v", aud(got))
	}
	if both := s.Redeem(s.Portal, browser.Code(s.Portal, "audience", a+"/", "resource", a)); aud(both) != a {
		t.Errorf("the same twice: aud is %v", aud(both))
	}
	refusal(t, s, browser.Authorize(s.Portal, "audience", a, "resource", b), "invalid_target")
	refusal(t, s, browser.Authorize(s.Portal, "audience", a+" "+b, "resource", b), "invalid_target")
	refusal(t, s, browser.Authorize(s.Portal, "audience", "https://unknown.example"), "invalid_target")
	refusal(t, s, browser.Follow(s.Portal.AuthorizePath("audience", a)+"&audience=x"), "invalid_request")

	s.PostForm("/oauth2/par", s.Web.AuthorizeParams("audience", a, "resource", b), s.Web.Basic()).ExpectError(400, "invalid_target")
	refresh := func(pairs ...string) *servertest.Answer {
		return s.Token(s.Portal, append([]string{"grant_type", "refresh_token", "refresh_token", got.String("refresh_token")}, pairs...)...)
	}
	refresh("audience", b).ExpectError(400, "invalid_target") // not of this session
	refresh("audience", a, "resource", b).ExpectError(400, "invalid_target")
	if aud(s.Token(s.Backend, "grant_type", "client_credentials", "audience", b)) != b {
		t.Error("client_credentials")
	}
}
