package oauth_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// trusted registers a client with a token, which the operator then verifies and makes first-party.
func trusted(t *testing.T, s *servertest.Server) *servertest.Answer {
	t.Helper()
	made := s.PostJSON(registerPath, app("scope", "openid read", "contacts", []string{"ops@app.example"}),
		bearer(initialToken(t, s, registry.InitialToken{Uses: 1, TTL: time.Hour}))).Expect(201)
	trust(t, s, made.String("client_id"))
	return made
}

func trust(t *testing.T, s *servertest.Server, id string) {
	t.Helper()
	_, err := s.Clients().Update(t.Context(), id, func(r *clients.Registration) error {
		r.Verified, r.FirstParty = true, true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func clientNow(t *testing.T, s *servertest.Server, id string) *clients.Client {
	t.Helper()
	c, err := s.Clients().Client(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func withdrawals(t *testing.T, s *servertest.Server, id string) []*storage.AuditEvent {
	t.Helper()
	list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{ClientID: id, Action: "client_trust_withdrawn"})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Trust given to a description does not outlive it.
func TestA2WhatAClientChangesItselfEndsTrust(t *testing.T) {
	t.Parallel()
	s := registering(t, "token")
	withResource(t, s, "https://api.example/", "read", "write")
	changes := map[string]any{
		"client_name": "Bank", "redirect_uris": []string{"https://evil.example/cb"}, "logo_uri": "https://app.example/logo.png",
		"client_uri": "https://app.example/", "policy_uri": "https://app.example/p", "tos_uri": "https://app.example/t",
		"post_logout_redirect_uris": []string{"https://evil.example/bye"}, "jwks_uri": "https://app.example/keys", "scope": "openid read write",
		"jwks":                       map[string]any{"keys": []any{map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}},
		"token_endpoint_auth_method": "client_secret_basic",
	}
	for name, value := range changes {
		t.Run(name, func(t *testing.T) {
			made := trusted(t, s)
			id := made.String("client_id")
			body := app("client_id", id, "scope", "openid read", "contacts", []string{"ops@app.example"}, name, value)
			put(s, made.String("registration_client_uri"), made.String("registration_access_token"), body).Expect(200)
			if c := clientNow(t, s, id); c.Verified() || c.FirstParty || c.TrustWithdrawnAt != s.Clock.Now().Unix() {
				t.Errorf("verified %v, first-party %v, withdrawn at %d", c.Verified(), c.FirstParty, c.TrustWithdrawnAt)
			}
			events := withdrawals(t, s, id)
			if len(events) != 1 || !strings.Contains(string(events[0].Details), name) || !strings.Contains(string(events[0].Details), "first_party") {
				t.Errorf("the events are %+v", events)
			}
			trust(t, s, id)
			if c := clientNow(t, s, id); !c.Verified() || !c.FirstParty || c.TrustWithdrawnAt != 0 {
				t.Error("it can't be trusted anew")
			}
		})
	}
}

func TestA2WhatDoesNotChangeTheDescriptionKeepsTrust(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := registering(t, "token", servertest.Store(open(t)))
		jwks := map[string]any{"keys": []any{map[string]any{"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kty": "OKP", "crv": "Ed25519", "use": "sig"}}}
		uris := []string{"https://app.example/callback", "https://app.example/other"}
		body := app("redirect_uris", uris, "scope", "openid read", "jwks", jwks)
		made := s.PostJSON(registerPath, body, bearer(initialToken(t, s, registry.InitialToken{Uses: 1, TTL: time.Hour}))).Expect(201)
		id, token := made.String("client_id"), made.String("registration_access_token")
		trust(t, s, id)
		echoed := made.JSON()
		for _, name := range []string{"registration_access_token", "registration_client_uri", "client_id_issued_at", "client_secret_expires_at"} {
			delete(echoed, name)
		}
		reordered := maps.Clone(body)
		reordered["redirect_uris"], reordered["scope"] = []string{uris[1], uris[0]}, "read openid"
		contacts := maps.Clone(body)
		contacts["contacts"], contacts["software_version"] = []string{"new@app.example"}, "2"
		for _, same := range []map[string]any{body, echoed, reordered, contacts} {
			same["client_id"] = id
			token = put(s, made.String("registration_client_uri"), token, same).Expect(200).String("registration_access_token")
			if c := clientNow(t, s, id); !c.Verified() || !c.FirstParty || c.DescriptionChanges != 0 {
				t.Errorf("trust is gone after %v", same)
			}
		}
		_, err := s.Clients().Update(t.Context(), id, func(r *clients.Registration) error {
			r.ClientName = "Another name, by the operator"
			return nil
		})
		if c := clientNow(t, s, id); err != nil || !c.Verified() || !c.FirstParty || len(withdrawals(t, s, id)) != 0 {
			t.Errorf("the operator's own change ends trust (%v)", err)
		}
	})
}

// What users allowed is void, also when the client is again what it was.
func TestA2ConsentsAreDropped(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := registering(t, "token", servertest.Store(open(t)))
		made := s.PostJSON(registerPath, app("scope", "openid read", "token_endpoint_auth_method", "client_secret_basic"),
			bearer(initialToken(t, s, registry.InitialToken{Uses: 1, TTL: time.Hour}))).Expect(201)
		c := servertest.Client{ID: made.String("client_id"), Redirect: "https://app.example/callback"}
		verify := func() {
			_, err := s.Clients().Update(t.Context(), c.ID, func(r *clients.Registration) error { r.Verified = true; return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		verify()
		b := s.Browser()
		b.SignIn()
		waiting := b.Authorize(c)
		b.Authorize(c).Form("/consent").Press("decision", "allow").Response(c.Redirect)
		if b.Authorize(c).Has("/consent") {
			t.Fatal("asked twice")
		}
		token := made.String("registration_access_token")
		for _, name := range []string{"Bank", "App"} {
			body := app("scope", "openid read", "token_endpoint_auth_method", "client_secret_basic", "client_id", c.ID, "client_name", name)
			token = put(s, made.String("registration_client_uri"), token, body).Expect(200).String("registration_access_token")
		}
		if list, err := s.Store.ListConsents(t.Context(), servertest.UserID, 10); err != nil || len(list) != 0 {
			t.Errorf("the consents are %v (%v)", list, err)
		}
		verify()
		if !b.Authorize(c).Has("/consent") {
			t.Error("what was allowed before the change still counts")
		}
		// A page from before the change takes no answer: the user sees the client as it is now.
		page := waiting.Form("/consent").Press("decision", "allow")
		if page.Left != "" || !page.Has("/consent") {
			t.Errorf("the old page allows the new client: %d %s", page.Status, page.Left)
		}
		page.Form("/consent").Press("decision", "allow").Response(c.Redirect)
	})
}

// A metadata document that changes withdraws trust when it is fetched, and for good.
func TestA2AChangedDocumentEndsTrust(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		p := publish(t)
		s := servertest.New(t, servertest.Store(open(t)), accepting(p))
		c := servertest.Client{ID: p.id(), Redirect: "https://app.example/callback"}
		b := s.Browser()
		b.SignIn()
		b.Authorize(c, "scope", "openid").Through().Response(c.Redirect)
		trust(t, s, c.ID)
		s.Clock.Advance(2 * time.Hour)
		b = s.Browser()
		b.SignIn()
		if b.Authorize(c, "scope", "openid").Has("/consent") {
			t.Fatal("a first-party client asks")
		}
		p.set("client_name", "Bank")
		s.Clock.Advance(25 * time.Hour)
		b = s.Browser()
		b.SignIn()
		if page := b.Authorize(c, "scope", "openid"); !page.Has("/consent") || !strings.Contains(strings.ToLower(page.Body), "unverified") {
			t.Errorf("the changed client is still trusted: %d %s", page.Status, page.Left)
		}
		if got := clientNow(t, s, c.ID); got.Verified() || got.FirstParty || len(withdrawals(t, s, c.ID)) != 1 {
			t.Errorf("verified %v, first-party %v", got.Verified(), got.FirstParty)
		}
		p.set("client_name", "Agent")
		s.Clock.Advance(25 * time.Hour)
		b = s.Browser()
		b.SignIn()
		if !b.Authorize(c, "scope", "openid").Has("/consent") {
			t.Error("trust is back with the first description")
		}
	})
}
