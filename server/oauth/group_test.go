package oauth_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"latchkey/clients"
	"latchkey/latchkeytest/eventually"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// inGroups puts alice into groups.
func inGroups(t *testing.T, s *servertest.Server, groups ...string) {
	t.Helper()
	if _, err := s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Groups: &groups}); err != nil {
		t.Fatal(err)
	}
}

const grafana = "https://grafana.example/cb"

// restricted adds a client for people in the groups ops and admins.
func restricted(s *servertest.Server, change ...func(*clients.Registration)) servertest.Client {
	r := clients.Registration{ID: "grafana", Policy: clients.Policy{RequireGroups: []string{"ops", "admins"}, FirstParty: true}, Metadata: clients.Metadata{
		ClientName: "Grafana", GrantTypes: []string{"authorization_code", "refresh_token", "password", clients.GrantDeviceCode},
		Scope: "openid profile groups read", RedirectURIs: []string{grafana},
	}}
	for _, c := range change {
		c(&r)
	}
	return s.AddClient(r)
}

// require_groups at the authorization endpoint: a page says so, and its button takes access_denied to the application.
func TestRequireGroupAtTheAuthorizationEndpoint(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		for _, ask := range []bool{false, true} { // whether there is a consent page, too
			c := restricted(s, func(r *clients.Registration) { r.ID, r.FirstParty = "", !ask })
			inGroups(t, s, "Ops", "ops ", "guests") // compared byte for byte
			b := s.Browser()
			if got := b.Authorize(c, "prompt", "none").Response(grafana).Get("error"); got != "login_required" {
				t.Errorf("not signed in: %q", got)
			}
			page := b.Authorize(c).Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
			if page.Status != 403 || page.Left != "" || !strings.Contains(page.Body, "<bdi>Grafana</bdi>") || !strings.Contains(page.Body, "in a group") {
				t.Fatalf("%d %q %s", page.Status, page.Left, page.Body)
			}
			refused(t, s, c.ID, "user_not_in_required_group")

			// A form that was made up gets no further, and stores no consent.
			again := b.Post("/consent", "request", page.Form("/consent").Fields.Get("request"), "decision", "allow")
			if again.Left != "" || again.Status != 403 {
				t.Errorf("forged: %d %q", again.Status, again.Left)
			}
			answer := again.Form("/consent").Press("decision", "deny").Response(grafana)
			if answer.Get("error") != "access_denied" || answer.Get("state") != servertest.State || answer.Get("iss") != s.URL || answer.Has("code") {
				t.Errorf("%v", answer)
			}
			if got := b.Authorize(c, "prompt", "none").Response(grafana); got.Get("error") != "access_denied" || got.Get("state") != servertest.State {
				t.Errorf("prompt=none: %v", got)
			}
			refused(t, s, c.ID, "user_not_in_required_group")
			if list, err := s.Store.ListConsents(t.Context(), servertest.UserID, 10); err != nil || slices.ContainsFunc(list, func(k *storage.Consent) bool { return k.ClientID == c.ID }) {
				t.Errorf("a consent was stored: %v %v", list, err)
			}

			inGroups(t, s, "guests", "admins")
			tokens := s.Redeem(c, b.Code(c)).Expect(200)
			code := b.Code(c)
			inGroups(t, s)
			s.Redeem(c, code).ExpectError(400, "invalid_grant")
			s.Refresh(c, tokens.String("refresh_token")).ExpectError(400, "invalid_grant")
			inGroups(t, s, "ops") // the code and the session are as they were
			s.Redeem(c, code).Expect(200)
			s.Refresh(c, tokens.String("refresh_token")).Expect(200)
		}
	})
}

// A person who left the group: refreshes are invalid_grant, what was issued lives to its end, and no token is used up or reused by it.
func TestRequireGroupAtRefresh(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		for _, rotation := range []clients.Rotation{clients.RotationConfirmed, clients.RotationStrict, clients.RotationOff, clients.RotationReissue} {
			c := restricted(s, func(r *clients.Registration) { r.ID, r.Rotation = "", rotation })
			inGroups(t, s, "ops")
			got := s.Redeem(c, s.Browser().Code(c)).Expect(200)
			token := got.String("refresh_token")
			if next := s.Refresh(c, token).Expect(200).String("refresh_token"); next != "" {
				token = next
			}
			inGroups(t, s, "guests")
			for range 3 {
				a := s.Refresh(c, token).ExpectError(400, "invalid_grant")
				if !strings.Contains(a.String("error_description"), "require_groups") {
					t.Errorf("%s: %s", rotation, a.Body)
				}
			}
			if s.Introspect(s.Inspector, got.String("access_token")).JSON()["active"] != true {
				t.Errorf("%s: the access token has ended", rotation)
			}
			s.Get("/oauth2/userinfo", bearer(got.String("access_token"))).Expect(200)
			inGroups(t, s, "ops")
			s.Refresh(c, token).Expect(200)
		}
		var refusals []*storage.AuditEvent
		eventually.True(t, "an event that names the user", func() bool {
			refusals, _ = s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "client_refused", Limit: 1})
			return len(refusals) == 1 && refusals[0].UserID == servertest.UserID && refusals[0].Reason == "user_not_in_required_group"
		})
	})
}

func TestRequireGroupAtThePasswordGrant(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		c := restricted(s)
		login := func(password string) *servertest.Answer {
			return s.Token(c, "grant_type", "password", "username", servertest.Username, "password", password)
		}
		for range 30 { // the right password costs no attempt
			a := login(servertest.Password).ExpectError(400, "invalid_grant")
			if !strings.Contains(a.String("error_description"), "require_groups") {
				t.Fatalf("%s", a.Body)
			}
		}
		if a := login("wrong").ExpectError(400, "invalid_grant"); strings.Contains(a.Body, "require_groups") {
			t.Errorf("a wrong password: %s", a.Body)
		}
		if list, err := s.Store.ListGrants(t.Context(), storage.GrantFilter{ClientID: c.ID, Limit: 10}); err != nil || len(list) > 0 {
			t.Errorf("sessions have begun: %v %v", list, err)
		}
		inGroups(t, s, "ops")
		login(servertest.Password).Expect(200)
	})
}

func TestRequireGroupOfDevices(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		c := restricted(s)
		b := s.Browser()
		b.SignIn()
		ask := func() *servertest.Answer {
			return s.PostAs(c, "/oauth2/device_authorization", "scope", "openid").Expect(200)
		}
		poll := func(a *servertest.Answer) *servertest.Answer {
			return s.Token(c, "grant_type", clients.GrantDeviceCode, "device_code", a.String("device_code"))
		}
		device := ask()
		page := b.Post("/device", "user_code", device.String("user_code"))
		if page.Status != 403 || !strings.Contains(page.Body, "in a group") || strings.Contains(page.Body, `value="allow"`) {
			t.Fatalf("%d %s", page.Status, page.Body)
		}
		refused(t, s, c.ID, "user_not_in_required_group")
		if again := b.Post("/device", "request", page.Form("/device").Fields.Get("request"), "decision", "allow"); again.Status != 403 {
			t.Errorf("forged: %d %s", again.Status, again.Body)
		}
		poll(device).ExpectError(400, "authorization_pending")
		page.Form("/device").Press("decision", "deny").Expect(200)
		poll(device).ExpectError(400, "access_denied")

		inGroups(t, s, "ops")
		device = ask()
		b.Post("/device", "user_code", device.String("user_code")).Form("/device").Press("decision", "allow").Expect(200)
		inGroups(t, s)
		poll(device).ExpectError(400, "invalid_grant")
		inGroups(t, s, "ops")
		poll(device).Expect(200)
	})
}

// The simplejwt routes: the words of simplejwt for an account that may not log in.
func TestRequireGroupOfSimpleJWT(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		inGroups(t, s, "staff")
		tokens := s.LoginSimpleJWT()
		_, err := s.Clients().Update(t.Context(), clients.SimpleJWTID, func(r *clients.Registration) error {
			r.RequireGroups = []string{"staff"}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		next := s.RefreshSimpleJWT(tokens.Refresh).Expect(200).String("refresh")
		inGroups(t, s, "guests")
		const password = `{"detail": "No active account found with the given credentials"}`
		s.PostJSON("/api/token/", map[string]string{"username": servertest.Username, "password": servertest.Password}).Expect(401).ExpectBody(password)
		s.PostJSON("/api/token/", map[string]string{"username": servertest.Username, "password": "wrong"}).Expect(401).ExpectBody(password)
		s.RefreshSimpleJWT(next).Expect(401)
		inGroups(t, s, "staff")
		s.RefreshSimpleJWT(next).Expect(200)
	})
}

// Only an operator restricts a client: metadata can't, and an initial access token can.
func TestRequireGroupIsTheOperators(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	a := s.PostJSON(registerPath, app("require_groups", []string{"x"}, "groups_claim", "roles", "groups_prefix", "y")).Expect(201)
	client, err := s.Clients().Client(t.Context(), a.String("client_id"))
	if err != nil || client.RequireGroups != nil || client.GroupsClaim != "" || client.GroupsPrefix != "" || strings.Contains(a.Body, "groups") {
		t.Errorf("%+v %v %s", client, err, a.Body)
	}
	for _, claim := range []string{"sub", "email", "iss", "a b", "x\"", "sid", "name", strings.Repeat("a", 300), "é"} {
		_, _, err := s.Clients().Add(t.Context(), clients.Registration{Policy: clients.Policy{GroupsClaim: claim}, Metadata: clients.Metadata{
			GrantTypes: []string{"client_credentials"},
		}})
		if faults := clients.Faults(err); len(faults) != 1 || faults[0].Field != "groups_claim" {
			t.Errorf("%q: %v", claim, err)
		}
	}
}

// groups_claim and groups_prefix: a client says how it wants groups.
func TestGroupsAsTheClientWantsThem(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope, mapped(t))
	inGroups(t, p.Server, "grafana-admins", "other", "grafana-viewers")
	p.app = restricted(p.Server, func(r *clients.Registration) {
		r.RequireGroups, r.GroupsClaim, r.GroupsPrefix = []string{"other"}, "https://grafana.example/roles", "grafana-"
	})
	const told = `["grafana-admins","grafana-viewers"]`
	idToken, access, userinfo, tokens := p.tell(t, "openid groups")
	for name, claims := range map[string]map[string]any{"ID token": idToken, "userinfo": userinfo} {
		if asJSON(claims["https://grafana.example/roles"]) != told || claims["groups"] != nil {
			t.Errorf("%s: %v", name, claims)
		}
	}
	// The operator's own claims made of groups are limited alike, wherever they are.
	seen := p.Introspect(p.Inspector, tokens.String("access_token")).JSON()
	for name, value := range map[string]any{"ID token": idToken["roles"], "access token": access["roles"], "introspection": seen["roles"]} {
		if asJSON(value) != told {
			t.Errorf("roles in the %s: %v", name, value)
		}
	}
	if idToken, _, userinfo, _ = p.tell(t, "openid", "claims", `{"id_token":{"groups":null}}`); asJSON(idToken["https://grafana.example/roles"]) != told {
		t.Errorf("by the claims parameter: %v, %v", idToken, userinfo)
	}
	inGroups(t, p.Server, "other")
	if _, _, userinfo, _ = p.tell(t, "openid groups"); asJSON(userinfo["https://grafana.example/roles"]) != "[]" {
		t.Errorf("without any: %v", userinfo)
	}
	raw, _ := json.Marshal(userinfo)
	if strings.Contains(string(raw), "other") {
		t.Errorf("a group without the prefix: %s", raw)
	}
}
