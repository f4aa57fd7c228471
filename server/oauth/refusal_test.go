package oauth_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"latchkey/clients"
	"latchkey/latchkeytest/eventually"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// refused waits for the newest event about a refusal of a client.
func refused(t *testing.T, s *servertest.Server, client, reason string) map[string]any {
	t.Helper()
	details := map[string]any{}
	eventually.True(t, "the event "+reason+" of "+client, func() bool {
		events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{ClientID: client, Action: "client_refused", Limit: 1})
		return err == nil && len(events) == 1 && events[0].Reason == reason && events[0].Outcome == "denied" &&
			events[0].RequestID != "" && json.Unmarshal(events[0].Details, &details) == nil
	})
	s.Clock.Advance(time.Second) // events of one moment have no order
	return details
}

// Row H: an operator learns from the log and the audit trail which client was refused, and why.
func TestRowHRefusalsNameTheirClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	last := func(route string) servertest.Event {
		t.Helper()
		events := s.Log.Requests(t, route, 1)
		return events[len(events)-1]
	}

	wrong := s.Web
	wrong.Secret = "wrong"
	s.Token(wrong, "grant_type", "client_credentials").ExpectError(401, "invalid_client")
	refused(t, s, "web", "client_authentication_failed")
	if e := last("/oauth2/token"); e["client_id"] != "web" || e["refused"] != "invalid_client" {
		t.Errorf("token: %v", e)
	}
	s.Introspect(wrong, "x").ExpectError(401, "invalid_client")
	if e := last("/oauth2/introspect"); e["client_id"] != "web" {
		t.Errorf("introspection: %v", e)
	}

	s.Browser().Authorize(s.Portal, "redirect_uri", servertest.Callback+"/")
	if d := refused(t, s, "portal", "redirect_uri_not_registered"); d["redirect_uri"] != servertest.Callback+"/" || d["nearest_registered"] != servertest.Callback {
		t.Errorf("authorize: %v", d)
	}
	if e := last("/oauth2/authorize"); e["client_id"] != "portal" || e["redirect_uri"] != servertest.Callback+"/" || e["nearest_redirect_uri"] != servertest.Callback {
		t.Errorf("authorize: %v", e)
	}
	s.PostForm("/oauth2/par", s.Web.AuthorizeParams("redirect_uri", "https://evil.example/"), s.Web.Basic()).ExpectError(400, "invalid_request")
	refused(t, s, "web", "redirect_uri_not_registered")

	// A token that the client may not see stays "inactive" for the client.
	resource := s.AddClient(clients.Registration{ID: "rs", Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}}})
	s.Introspect(resource, s.Login(s.Backend).Access).Expect(200).ExpectBody(`{"active": false}`)
	if d := refused(t, s, "rs", "token_not_visible"); d["audience"] == nil {
		t.Errorf("introspection: %v", d)
	}

	code := s.Browser().Code(s.Portal)
	s.Redeem(s.Portal, code, "redirect_uri", servertest.Callback+"?x").ExpectError(400, "invalid_grant")
	if d := refused(t, s, "portal", "bad_request"); d["nearest_registered"] != servertest.Callback {
		t.Errorf("redemption: %v", d)
	}

	b := s.Browser()
	hint := s.Redeem(s.Portal, b.Code(s.Portal)).Expect(200).String("id_token")
	b.Follow(logoutPath("id_token_hint", hint, "post_logout_redirect_uri", "https://app.example/bye"))
	if d := refused(t, s, "portal", "post_logout_redirect_uri_not_registered"); d["nearest_registered"] != "https://app.example/goodbye" {
		t.Errorf("logout: %v", d)
	}

	// An unknown client is in the log alone.
	s.Token(servertest.Client{ID: "ghost", Secret: "x"}, "grant_type", "client_credentials").ExpectError(401, "invalid_client")
	if e := last("/oauth2/token"); e["client_id"] != "ghost" {
		t.Errorf("unknown: %v", e)
	}
	if strings.Contains(s.Log.String(), "wrong") {
		t.Error("the log has the secret")
	}
}

// Row H: others choose how often requests are refused, and must not choose how many rows stay.
func TestRowHEventsAreLimited(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for range 60 {
		s.Token(servertest.Client{ID: "web", Secret: "wrong"}, "grant_type", "client_credentials").ExpectError(401, "invalid_client")
	}
	var events []*storage.AuditEvent
	eventually.True(t, "events", func() bool {
		events, _ = s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "client_refused", Limit: 100})
		return len(events) >= 20
	})
	if len(events) > 20 {
		t.Errorf("%d events", len(events))
	}
}

// Row H: the page shows what arrived, and what to do about it.
func TestRowHTheErrorPageShowsWhatArrived(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	arrived := "https://app.example/<script>alert(1)</script>?x=" + strings.Repeat("y", 2000)
	for lang, advice := range map[string]string{"en": "Register exactly this one", "de": "Registrieren Sie genau diese"} {
		a := s.Get(s.Web.AuthorizePath("redirect_uri", arrived, "ui_locales", ""), servertest.Header("Accept-Language", lang)).Expect(400)
		if !strings.Contains(a.Body, advice) || !strings.Contains(a.Body, html.EscapeString(arrived[:200])) || strings.Contains(a.Body, arrived[:60]) {
			t.Errorf("%s: %s", lang, a.Body)
		}
		if strings.Contains(a.Body, strings.Repeat("y", 400)) || !strings.Contains(a.Body, "<bdi>web</bdi>") {
			t.Errorf("%s: %s", lang, a.Body)
		}
	}
	a := s.Get(servertest.Client{ID: "ghost", Redirect: "https://x.example/"}.AuthorizePath()).Expect(400)
	if !strings.Contains(a.Body, "no application with the client ID") || !strings.Contains(a.Body, "<bdi>ghost</bdi>") {
		t.Errorf("%s", a.Body)
	}
}

// docs/decisions/0013: the user decides whether to go to a client that is not verified.
func TestTheErrorPageLeadsBack(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	made := s.PostJSON("/oauth2/register", map[string]any{"redirect_uris": []string{"https://dynamic.example/cb"}, "token_endpoint_auth_method": "none"}).Expect(201)
	c := servertest.Client{ID: made.String("client_id"), Redirect: "https://dynamic.example/cb"}
	page := s.Browser().Authorize(c, "response_type", "token")
	if page.Left != "" || !strings.Contains(page.Body, `href="https://dynamic.example/cb?error=unsupported_response_type`) ||
		!strings.Contains(page.Body, "dynamic.example</bdi>") {
		t.Errorf("%s", page.Body)
	}
	if page := s.Browser().Authorize(c, "redirect_uri", "https://evil.example/"); strings.Contains(page.Body, `href="https://evil.example`) {
		t.Error("a link to an address that is not the client's")
	}
}
