package oauth_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// Row N against A5: what a client names at the token endpoint alone is what the user has seen on the page.
func TestRowNTheTokenEndpointKnowsWhatTheUserHasSeen(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		const mail, files, pay, old = "https://mail.example/", "https://files.example/mcp", "https://pay.example/", "https://old.example/"
		withResource(t, s, mail, "read", "send")
		withResource(t, s, files, "read")
		withResource(t, s, pay, "pay")
		withResource(t, s, old) // takes any scope
		b := s.Browser()
		b.SignIn()
		shown := func(page *servertest.Page) string {
			var list []string
			for _, r := range []string{mail, files, pay, old} {
				if strings.Contains(page.Body, r) {
					list = append(list, r)
				}
			}
			return fmt.Sprint(list)
		}
		page := b.Authorize(s.Web)
		if got := shown(page); got != fmt.Sprint([]string{mail, files, old}) {
			t.Errorf("the page shows %s", got)
		}
		code := func() string {
			t.Helper()
			return b.Authorize(s.Web).Response(servertest.Callback).Get("code")
		}
		allowed := page.Form("/consent").Press("decision", "allow").Response(servertest.Callback)
		audience := func(a *servertest.Answer) string {
			t.Helper()
			aud, _ := s.Introspect(s.Inspector, a.Expect(200).String("access_token")).JSON()["aud"].([]any)
			return strings.Trim(fmt.Sprint(aud), "[]")
		}
		if aud := audience(s.Redeem(s.Web, allowed.Get("code"), "resource", "HTTPS://Mail.example:443")); aud != mail {
			t.Errorf("aud is %s", aud)
		}
		s.Redeem(s.Web, code(), "resource", pay).ExpectError(400, "invalid_target")
		s.Redeem(s.Web, code(), "resource", "https://evil.example/").ExpectError(400, "invalid_target")
		both := s.Redeem(s.Web, code(), "resource", mail) // one that was seen, and one that was not
		s.Token(s.Web, "grant_type", "refresh_token", "refresh_token", both.String("refresh_token"), "resource", files).ExpectError(400, "invalid_target")

		// The first one may be named at the refresh.
		session := s.Redeem(s.Web, code()).Expect(200)
		refresh := func(resource string) *servertest.Answer {
			return s.Token(s.Web, "grant_type", "refresh_token", "refresh_token", session.String("refresh_token"), "resource", resource)
		}
		refresh(pay).ExpectError(400, "invalid_target")
		if aud := audience(refresh(files)); aud != files {
			t.Errorf("refreshed: aud is %s", aud)
		}

		// A resource that the operator adds later was not seen. One that has a scope of the request is asked about; one that takes any scope is not.
		s.Clock.Advance(time.Second)
		const late, lateToo = "https://late.example/", "https://later.example/"
		withResource(t, s, lateToo)
		s.Redeem(s.Web, code(), "resource", lateToo).ExpectError(400, "invalid_target")
		withResource(t, s, late, "read")
		refresh(late).ExpectError(400, "invalid_target")
		if got := b.Authorize(s.Web, "prompt", "none").Response(servertest.Callback).Get("error"); got != "consent_required" {
			t.Errorf("prompt=none: %q", got)
		}
		page = b.Authorize(s.Web)
		if !page.Has("/consent") || !strings.Contains(page.Body, late) {
			t.Fatalf("not asked: %s", page.Left)
		}
		again := page.Form("/consent").Press("decision", "allow").Response(servertest.Callback).Get("code")
		if aud := audience(s.Redeem(s.Web, again, "resource", late)); aud != late {
			t.Errorf("aud is %s", aud)
		}
		// A5: what was allowed without a resource is asked again at one.
		if !b.Authorize(s.Web, "resource", mail).Has("/consent") || !b.Authorize(s.Web, "resource", pay).Has("/consent") {
			t.Error("consent is not per resource")
		}
		if err := s.Clients().RemoveResource(t.Context(), files); err != nil {
			t.Fatal(err)
		}
		s.Redeem(s.Web, code(), "resource", files).ExpectError(400, "invalid_target")
	})
}

// A resource that is added between the page and its button was not seen.
func TestRowNAResourceThatThePageDidNotShow(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	withResource(t, s, "https://mail.example/", "read")
	b := s.Browser()
	b.SignIn()
	page := b.Authorize(s.Web)
	withResource(t, s, "https://files.example/", "read")
	page = page.Form("/consent").Press("decision", "allow")
	if !page.Has("/consent") || !strings.Contains(page.Body, "https://files.example/") {
		t.Fatalf("the page is not shown again: %d %s", page.Status, page.Left)
	}
	code := page.Form("/consent").Press("decision", "allow").Response(servertest.Callback).Get("code")
	s.Redeem(s.Web, code, "resource", "https://files.example/").Expect(200)
}

// Row N: an agent that registered itself, without scopes, and names the resource at the token endpoint alone.
func TestRowNAnAgentNamesTheResourceLate(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Registration = "open" }))
	withResource(t, s, "https://tools.example.com/mcp", "tools:read")
	made := s.PostJSON("/oauth2/register", map[string]any{
		"client_name": "Agent", "redirect_uris": []string{"http://127.0.0.1/callback"}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"},
	}).Expect(http.StatusCreated)
	c := servertest.Client{ID: made.String("client_id"), Redirect: "http://127.0.0.1:7777/callback"}
	for _, scope := range []string{"", "tools:read", "openid tools:read offline_access"} {
		b := s.Browser()
		page := b.Authorize(c, "scope", scope).Through()
		answer := s.Redeem(c, page.Response(c.Redirect).Get("code"), "resource", "https://tools.example.com/mcp").Expect(200)
		if answer.String("refresh_token") == "" {
			t.Errorf("scope %q: no refresh token", scope)
			continue
		}
		s.Token(c, "grant_type", "refresh_token", "refresh_token", answer.String("refresh_token"), "resource", "https://tools.example.com/mcp").Expect(200)
	}
	// The client's list says which there are for it.
	other := s.AddClient(clients.Registration{ID: "shop", Policy: clients.Policy{Resources: []string{"https://shop.example/"}}, Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code"}, Scope: "tools:read", RedirectURIs: []string{"https://shop.example/cb"}, TokenEndpointAuthMethod: "none",
	}})
	page := s.Browser()
	page.SignIn()
	asked := page.Authorize(other, "scope", "tools:read")
	if !strings.Contains(asked.Body, "https://shop.example/") || strings.Contains(asked.Body, "tools.example.com") {
		t.Errorf("the page: %s", asked.Body)
	}
	s.Redeem(other, asked.Through().Response(other.Redirect).Get("code"), "resource", "https://tools.example.com/mcp").ExpectError(400, "invalid_target")
}

// A grant of the release before has no list of what was seen: nothing can be named.
func TestRowNACodeOfThePreviousRelease(t *testing.T) {
	t.Parallel()
	k := &forgetful{Store: sqlitetest.SQLite(t)}
	s := servertest.New(t, servertest.Store(k))
	withResource(t, s, "https://mail.example/", "read")
	s.Redeem(s.Web, s.Browser().Code(s.Web), "resource", "https://mail.example/").ExpectError(400, "invalid_target")
}

// forgetful stores codes as the release before does.
type forgetful struct{ storage.Store }

func (f *forgetful) CreateAuthorizationCode(ctx context.Context, c *storage.AuthorizationCode, events ...*storage.AuditEvent) error {
	c.Offered = nil
	return f.Store.CreateAuthorizationCode(ctx, c, events...)
}
