package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"latchkey/clients"
	"latchkey/server/admin"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
)

// A person may use the API while they are in the group of operators, through a client that the operator has registered for its scopes.
func TestPeople(t *testing.T) {
	t.Parallel()
	b := setup(t)
	console := b.AddClient(clients.Registration{ID: "console", Metadata: clients.Metadata{
		GrantTypes: []string{"password", "refresh_token"}, Scope: "latchkey:users:read latchkey:sessions:write",
	}})
	login := func() string {
		return b.Token(console, "grant_type", "password", "username", servertest.Username, "password", servertest.Password,
			"scope", "latchkey:users:read", "resource", admin.Resource(b.URL)).Expect(http.StatusOK).String("access_token")
	}
	token := servertest.Header("Authorization", "Bearer "+login())
	b.problem(b.call("GET", "/users", "", token), http.StatusForbidden)
	groups := []string{"operators"}
	if _, err := b.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Groups: &groups}); err != nil {
		t.Fatal(err)
	}
	b.call("GET", "/users", "", token).Expect(http.StatusOK)
	b.problem(b.call("POST", "/users", `{"username":"bob"}`, token), http.StatusForbidden)
	if err := b.Users().EndSessions(t.Context(), servertest.UserID); err != nil {
		t.Fatal(err)
	}
	b.problem(b.call("GET", "/users", "", token), http.StatusUnauthorized)
	token = servertest.Header("Authorization", "Bearer "+login())
	b.call("GET", "/users", "", token).Expect(http.StatusOK)
	if _, err := b.Clients().Update(t.Context(), "console", func(r *clients.Registration) error {
		r.Scope = "latchkey:sessions:write"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b.problem(b.call("GET", "/users", "", token), http.StatusForbidden)
}

// Clients that register themselves never get scopes of the API, nor its audience, and no resource can have its scopes.
func TestOnlyOperatorsOpenIt(t *testing.T) {
	t.Parallel()
	b := setup(t, configuredBy("open"))
	body := `{"redirect_uris":["https://app.example/cb"],"scope":"latchkey:users:write"}`
	b.PostForm("/oauth2/register", nil, servertest.Header("Content-Type", "application/json"), bodyOf(body)).Expect(http.StatusBadRequest)
	if _, err := b.Clients().AddResource(t.Context(), storage.Resource{Identifier: "https://api.example", Scopes: []string{"latchkey:users:write"}}); err == nil {
		t.Error("a resource has a scope of the API")
	}
	b.Token(b.Backend, "grant_type", "client_credentials", "resource", admin.Resource(b.URL)).ExpectError(http.StatusBadRequest, "invalid_target")
	b.Token(b.Backend, "grant_type", "client_credentials", "scope", "latchkey:users:read").ExpectError(http.StatusBadRequest, "invalid_scope")
	b.Token(b.root, "grant_type", "client_credentials", "resource", admin.Resource(b.URL), "resource", "https://api.example").
		ExpectError(http.StatusBadRequest, "invalid_target")
}

// The same creation with the same key creates one user, whose answer is repeated; another one with the key is refused.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := servertest.Header("Idempotency-Key", "k-1")
	first := b.call("POST", "/users", `{"username":"bob"}`, key).Expect(http.StatusCreated)
	again := b.call("POST", "/users", `{"username":"bob"}`, key).Expect(http.StatusCreated)
	if again.Body != first.Body || again.Header.Get("Location") != first.Header.Get("Location") || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the answer is %s, it was %s", again.Body, first.Body)
	}
	b.problem(b.call("POST", "/users", `{"username":"eve"}`, key), http.StatusUnprocessableEntity)
	b.problem(b.call("POST", "/users", `{"username":"bob"}`), http.StatusConflict)
	b.problem(b.call("POST", "/users", `{"username":"bob"}`, servertest.Header("Idempotency-Key", "k-2")), http.StatusConflict)
	// What failed can be tried again with its key.
	if err := b.Users().Remove(t.Context(), userID(t, b, "bob")); err != nil {
		t.Fatal(err)
	}
	b.call("POST", "/users", `{"username":"bob"}`, servertest.Header("Idempotency-Key", "k-2")).Expect(http.StatusCreated)
	b.problem(b.call("POST", "/users", `{"username":"bob"}`, key), http.StatusConflict)
}

func userID(t *testing.T, b *bundle, name string) int64 {
	t.Helper()
	u, err := b.Users().Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// A merge patch removes attributes by null (RFC 7396 §2); an ordinary body has no null.
func TestAttributesAreRemovedByNull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call("PATCH", "/users/1", `{"attributes":{"team":7}}`, anyway).Expect(http.StatusOK)
	b.problem(b.call("PATCH", "/users/1", `{"attributes":null}`, anyway), http.StatusBadRequest)
	if a := b.call("GET", "/users/1", ""); !strings.Contains(a.Body, "team") {
		t.Errorf("after a refused change: %s", a.Body)
	}
	b.call("PATCH", "/users/1", `{"attributes":null}`, anyway, mergePatch).Expect(http.StatusOK)
	if a := b.call("GET", "/users/1", ""); strings.Contains(a.Body, "team") {
		t.Errorf("after null: %s", a.Body)
	}
	b.call("POST", "/users", `{"username":"bob","attributes":null}`, mergePatch).Expect(http.StatusCreated)
}

// What has an entity tag is not sent again to a client whose copy is current (RFC 9110 §13.1.2), and the description says so.
func TestCopiesThatAreCurrent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call("POST", "/resources", `{"resource":"https://api.example/"}`).Expect(http.StatusCreated)
	webhook := b.call("POST", "/webhooks", `{"url":"https://siem.example/"}`).Expect(http.StatusCreated).Header.Get("Location")
	for _, path := range []string{"/users/1", "/clients/automation", "/resources/https:%2F%2Fapi.example%2F", strings.TrimPrefix(webhook, admin.Prefix)} {
		tag := b.call("GET", path, "").Expect(http.StatusOK).Header.Get("ETag")
		for _, method := range []string{"GET", "HEAD"} {
			for _, header := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
				a := b.call(method, path, "", servertest.Header("If-None-Match", header)).Expect(http.StatusNotModified)
				if a.Body != "" || a.Header.Get("ETag") != tag || a.Header.Get("Content-Type") != "" {
					t.Errorf("%s %s: %q with %v", method, path, a.Body, a.Header)
				}
			}
			for _, header := range []string{`"x"`, `W/"x"`, strings.Trim(tag, `"`)} {
				b.call(method, path, "", servertest.Header("If-None-Match", header)).Expect(http.StatusOK)
			}
		}
	}
	b.problem(b.call("GET", "/users/4711", "", servertest.Header("If-None-Match", "*")), http.StatusNotFound)
	tagged := 0
	for _, o := range b.operations() {
		success, _ := o.Responses["200"].(map[string]any)
		headers, _ := success["headers"].(map[string]any)
		has := o.method == "GET" && headers["ETag"] != nil
		if has != (o.Responses["304"] != nil) {
			t.Errorf("%s %s: an ETag without a 304, or the other way round", o.method, o.path)
		}
		if has {
			tagged++
		}
	}
	if tagged < 4 {
		t.Errorf("%d operations read something with an ETag", tagged)
	}
}

// A dry run answers as the change would, and changes nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Login(b.Backend)
	before := b.call("GET", "/users", "").Body
	b.call("POST", "/users?dry_run=true", `{"username":"bob","password":"a long password"}`).Expect(http.StatusCreated)
	b.problem(b.call("POST", "/users?dry_run=true", `{"username":"alice"}`), http.StatusConflict)
	b.call("PATCH", "/users/1?dry_run=true", `{"name":"Other"}`, anyway).Expect(http.StatusOK)
	b.call("PUT", "/users/1/password?dry_run=true", `{"password":"another password"}`, anyway).Expect(http.StatusOK)
	b.call("POST", "/users/1/disable?dry_run=true", "", anyway).Expect(http.StatusOK)
	b.call("DELETE", "/users/1?dry_run=true", "", anyway).Expect(http.StatusOK)
	b.call("POST", "/sessions/end?dry_run=true", `{"user_id":1}`).Expect(http.StatusOK).ExpectBody(`{"sessions":1}`)
	if after := b.call("GET", "/users", "").Body; after != before {
		t.Errorf("the users are %s, they were %s", after, before)
	}
	if n := len(items(t, b.call("GET", "/sessions?user_id=1", ""))); n != 1 {
		t.Errorf("%d sessions", n)
	}
	b.Login(b.Backend)
}

// A client gets tokens that live as soon as its sessions have ended: the server that has ended them knows the new epoch at once.
func TestTokensLiveAfterTheEndOfOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, body := range []string{`{"client_id":"automation"}`, `{"all":true}`} {
		old := b.token
		b.call("POST", "/sessions/end", body).Expect(http.StatusOK)
		b.problem(b.call("GET", "/users", "", servertest.Header("Authorization", "Bearer "+old)), http.StatusUnauthorized)
		b.token = b.issue(b.root, allScopes())
		b.call("GET", "/users", "").Expect(http.StatusOK)
	}
}

// What ends more than one session is refused with their number until the request confirms it.
func TestEndingManySessionsIsConfirmed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 3 {
		b.Login(b.Backend)
	}
	b.AddUser(users.NewUser{Username: "bob", Active: true}, "a long password")
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/sessions/end", `{"user_id":1}`},
		{"POST", "/sessions/end", `{"client_id":"backend"}`},
		{"POST", "/sessions/end", `{"user_id":1,"client_id":"backend"}`},
		{"POST", "/sessions/end", `{"all":true}`},
		{"POST", "/users/1/disable", ""},
		{"PUT", "/users/1/password", `{"password":"another password"}`},
		{"DELETE", "/users/1", ""},
	} {
		for _, query := range []string{"", "?confirm_count=2"} {
			p := b.problem(b.call(c.method, c.path+query, c.body, anyway), http.StatusConflict)
			if p["type"] != "urn:latchkey:problem:confirm" || !strings.Contains(fmt.Sprint(p["errors"]), "value:3") {
				t.Errorf("%s %s: %v", c.method, c.path, p)
			}
		}
	}
	if n := len(items(t, b.call("GET", "/sessions", ""))); n != 3 {
		t.Fatalf("%d sessions", n)
	}
	one := items(t, b.call("GET", "/sessions?limit=1", ""))[0]["id"].(string)
	b.call("DELETE", "/sessions/"+one, "").Expect(http.StatusOK).ExpectBody(`{"sessions":1}`)
	b.call("DELETE", "/sessions/"+one, "").Expect(http.StatusOK).ExpectBody(`{"sessions":0}`)
	b.audited("session_revoked", "client:automation")
	b.problem(b.call("POST", "/sessions/end", `{}`), http.StatusUnprocessableEntity)
	b.problem(b.call("POST", "/sessions/end", `{"all":true,"user_id":1}`), http.StatusUnprocessableEntity)
	b.problem(b.call("POST", "/sessions/end", `{"client_id":"nothing"}`), http.StatusNotFound)
	b.call("POST", "/sessions/end?confirm_count=2&dry_run=true", `{"user_id":1,"client_id":"backend"}`).Expect(http.StatusOK).ExpectBody(`{"sessions":2}`)
	b.Login(b.AddClient(ignoring("other")))
	b.call("POST", "/sessions/end", `{"user_id":1,"client_id":"other"}`).Expect(http.StatusOK).ExpectBody(`{"sessions":1}`)
	b.audited("sessions_revoked", "client:automation")
	b.call("POST", "/sessions/end?confirm_count=5", `{"user_id":1}`).Expect(http.StatusOK).ExpectBody(`{"sessions":2}`)
	if n := len(items(t, b.call("GET", "/sessions", ""))); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
