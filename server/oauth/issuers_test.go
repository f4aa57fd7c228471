package oauth_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/server/servertest"
	"latchkey/server/session"
)

// Statement 71, RFC 9700 §4.4: two issuers in one process, of one root secret and with the same clients and users, are strangers to each
// other. What one has issued is worth nothing at the other.
func TestStatement71TwoIssuersAreStrangers(t *testing.T) {
	t.Parallel()
	a, b := servertest.New(t), servertest.New(t)
	agent := a.Browser()
	code := agent.Code(a.Portal)
	tokens := a.Redeem(a.Portal, agent.Code(a.Portal)).Expect(200)
	access, refresh, hint := tokens.String("access_token"), tokens.String("refresh_token"), tokens.String("id_token")
	legacy := a.LoginSimpleJWT()
	own := b.Browser()
	own.Code(b.Portal) // so that the first session, code and grant of both are alike

	b.Redeem(b.Portal, code).ExpectError(400, "invalid_grant")
	b.Refresh(b.Portal, refresh).ExpectError(400, "invalid_grant")
	b.Get("/oauth2/userinfo", bearer(access)).ExpectError(401, "invalid_token")
	for name, token := range map[string]string{"access": access, "refresh": refresh, "ID": hint, "simplejwt's access": legacy.Access, "simplejwt's refresh": legacy.Refresh} {
		if got := b.Introspect(b.Inspector, token).Expect(200); strings.TrimSpace(got.Body) != `{"active":false}` {
			t.Errorf("the %s token of the other issuer: %s", name, got.Body)
		}
	}
	if e := own.Authorize(b.Portal, "id_token_hint", hint).Response(servertest.Callback).Get("error"); e != "invalid_request" {
		t.Errorf("an ID token of the other issuer is a hint here: %q", e)
	}
	if page := own.Follow("/oauth2/logout?" + servertest.Form("id_token_hint", hint).Encode()); !page.Has("/oauth2/logout") {
		t.Errorf("an ID token of the other issuer signs out here: %s", page.URL)
	}
	stranger := b.Browser()
	stranger.SetCookie(session.CookieName, agent.Cookie(session.CookieName))
	if page := stranger.Get("/account"); !page.Has("/login") {
		t.Errorf("a session of the other issuer is one here: %s", page.URL)
	}
	var all []string
	for name, values := range a.Portal.AuthorizeParams() {
		all = append(all, name, values[0])
	}
	pushed := a.PostAs(a.Portal, "/oauth2/par", all...).Expect(201).String("request_uri")
	if page := own.Follow("/oauth2/authorize?" + servertest.Form("client_id", b.Portal.ID, "request_uri", pushed).Encode()); page.Status != 400 || page.Left != "" {
		t.Errorf("a request that was pushed to the other issuer: %d %s", page.Status, page.Left)
	}
	// By their name too: on the same database, with the same keys, what another issuer has signed is refused (RFC 9068 §4, RFC 9207 §2.4).
	moved := a.Replica(t)
	moved.Get("/oauth2/userinfo", bearer(access)).ExpectError(401, "invalid_token")
	for name, token := range map[string]string{"access": access, "ID": hint} {
		if got := moved.Introspect(a.Inspector, token).Expect(200); strings.TrimSpace(got.Body) != `{"active":false}` {
			t.Errorf("the %s token of the issuer's former name: %s", name, got.Body)
		}
	}
	if e := moved.Browser().Authorize(a.Portal, "id_token_hint", hint).Response(servertest.Callback).Get("error"); e != "invalid_request" {
		t.Errorf("an ID token of the issuer's former name is a hint: %q", e)
	}
	// Nothing of that has ended anything there.
	a.Clock.Advance(time.Second)
	a.Redeem(a.Portal, code).Expect(200)
	a.Refresh(a.Portal, refresh).Expect(200)
}
