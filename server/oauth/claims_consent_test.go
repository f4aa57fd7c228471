package oauth_test

import (
	"strings"
	"testing"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

const asksForEmail = `{"userinfo":{"email":null,"name":null},"id_token":{"email":null}}`

// What the claims parameter asks for beyond the scopes, the user is asked about as if the scopes asked for it (OpenID Connect Core §3.1.2.4).
func TestTheClaimsParameterNeedsConsent(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		p := newPerson(t, everyScope, servertest.Store(open(t)))
		c := p.AddClient(clients.Registration{ID: "third", Metadata: clients.Metadata{
			GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{servertest.Callback}, Scope: everyScope,
		}})
		b := p.Browser()
		b.SignIn()
		page := b.Authorize(c, "scope", "openid")
		if strings.Contains(page.Body, "your e-mail address") || strings.Contains(page.Body, "your name") {
			t.Errorf("openid alone: %s", page.Body)
		}
		page.Form("/consent").Press("decision", "allow").Response(servertest.Callback)

		silent := []string{"scope", "openid", "prompt", "none", "claims", asksForEmail}
		refusal(t, p.Server, b.Authorize(c, silent...), "consent_required")
		pushed := p.PostForm("/oauth2/par", c.AuthorizeParams(silent...), c.Basic()).Expect(201).String("request_uri")
		refusal(t, p.Server, b.Follow("/oauth2/authorize?client_id=third&request_uri="+pushed), "consent_required")
		page = b.Authorize(c, "scope", "openid", "claims", asksForEmail)
		if !strings.Contains(page.Body, "your e-mail address") || !strings.Contains(page.Body, "your name") {
			t.Errorf("the page does not say what the client gets: %s", page.Body)
		}
		tokens := p.Redeem(c, page.Form("/consent").Press("decision", "allow").Response(servertest.Callback).Get("code")).Expect(200)
		if tokens.String("scope") != "openid" {
			t.Errorf("scope %q", tokens.String("scope"))
		}
		if idToken, _, userinfo := p.told(t, tokens); asJSON(idToken) != `{"email":"alice@example.com","sub":"1"}` || userinfo["name"] != "Alice Ångström" {
			t.Errorf("ID token %v, userinfo %v", asJSON(idToken), asJSON(userinfo))
		}
		if b.Authorize(c, silent...).Response(servertest.Callback).Get("code") == "" {
			t.Error("what was allowed is asked again")
		}
		if page := b.Get("/account"); !strings.Contains(page.Body, "your e-mail address") {
			t.Errorf("the account page does not show it: %s", page.Body)
		}
	})
}

// A scope that the operator has taken from a client brings nothing any more, whether it was asked for itself or by the claims parameter.
func TestTheClaimsParameterFollowsTheClient(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope)
	_, _, userinfo, tokens := p.tell(t, "openid", "claims", asksForEmail)
	if userinfo["email"] == nil || userinfo["name"] == nil {
		t.Fatalf("%v", userinfo)
	}
	if _, err := p.Clients().Update(t.Context(), "app", func(r *clients.Registration) error {
		r.Scope = "openid profile"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	idToken, _, userinfo := p.told(t, p.Refresh(p.app, tokens.String("refresh_token")).Expect(200))
	if asJSON(idToken) != `{"sub":"1"}` || asJSON(userinfo) != `{"name":"Alice Ångström","sub":"1"}` {
		t.Errorf("ID token %v, userinfo %v", asJSON(idToken), asJSON(userinfo))
	}
}

// A token that was narrowed to be handed on tells no more than its scopes.
func TestANarrowedTokenTellsNoClaims(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope+" read")
	_, _, _, tokens := p.tell(t, "openid email read", "claims", asksForEmail)
	narrowed := p.Token(p.app, "grant_type", "refresh_token", "refresh_token", tokens.String("refresh_token"), "scope", "read").Expect(200)
	p.Get("/oauth2/userinfo", bearer(narrowed.String("access_token"))).Expect(200).ExpectBody(`{"sub": "1"}`)
}
