package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/admin"
	"latchkey/server/servertest"
	"latchkey/server/users"
)

// setup starts a server with a client that may do everything through the API.
type bundle struct {
	*servertest.Server
	t    *testing.T
	root servertest.Client
	// token is one of root's with all scopes.
	token string
}

func allScopes() string {
	var scopes []string
	for scope := range admin.Scopes() {
		scopes = append(scopes, scope)
	}
	return strings.Join(scopes, " ")
}

func setup(t *testing.T, opts ...servertest.Option) *bundle {
	t.Helper()
	b := &bundle{Server: servertest.New(t, opts...), t: t}
	b.root = b.AddClient(clients.Registration{ID: "automation", Metadata: clients.Metadata{
		GrantTypes: []string{"client_credentials"}, Scope: allScopes(),
	}})
	b.token = b.issue(b.root, allScopes())
	return b
}

// issue gets an access token for the API.
func (b *bundle) issue(c servertest.Client, scope string) string {
	b.t.Helper()
	return b.Token(c, "grant_type", "client_credentials", "scope", scope, "resource", admin.Resource(b.URL)).Expect(http.StatusOK).String("access_token")
}

// call sends a request to the API with the token of root, unless an edit says otherwise.
func (b *bundle) call(method, path, body string, edits ...servertest.Edit) *servertest.Answer {
	b.t.Helper()
	all := []servertest.Edit{servertest.Header("Authorization", "Bearer "+b.token)}
	if body != "" {
		all = append(all, servertest.Header("Content-Type", "application/json"))
	}
	return b.Do(method, b.Admin+admin.Prefix+path, body, append(all, edits...)...)
}

// anyway is If-Match: *.
var anyway = servertest.Header("If-Match", "*")

// problem checks the status and the form of a refusal (RFC 9457).
func (b *bundle) problem(a *servertest.Answer, status int) map[string]any {
	b.t.Helper()
	a.Expect(status)
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		b.t.Errorf("the content type is %q; the body is %s", got, a.Body)
	}
	p := a.JSON()
	if p["status"] != float64(status) || p["title"] != http.StatusText(status) || p["detail"] == nil {
		b.t.Errorf("the problem is %s", a.Body)
	}
	return p
}

func items(t *testing.T, a *servertest.Answer) []map[string]any {
	t.Helper()
	var page struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(a.Expect(http.StatusOK).Body), &page); err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// A user is added, found, changed, disabled, and removed; each change is recorded with who made it.
func TestUsers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Clock.Advance(time.Second) // the events of this test are the newest
	a := b.call("POST", "/users", `{"username":"bob","email":"bob@example.com","groups":["staff"],"password":"a long password"}`).Expect(http.StatusCreated)
	if strings.Contains(a.Body, "password") {
		t.Errorf("a password is shown: %s", a.Body)
	}
	path := strings.TrimPrefix(a.Header.Get("Location"), admin.Prefix)
	tag := a.Header.Get("ETag")
	got := b.call("GET", path, "").Expect(http.StatusOK)
	if got.Body != a.Body || got.Header.Get("ETag") != tag || tag == "" {
		t.Errorf("GET %s: %s with %s, want %s with %s", path, got.Body, got.Header.Get("ETag"), a.Body, tag)
	}
	if same := b.call("GET", path, "", servertest.Header("If-None-Match", `"x", W/`+tag)).Expect(http.StatusNotModified); same.Body != "" || same.Header.Get("ETag") != tag {
		t.Errorf("not modified: %v %q", same.Header, same.Body)
	}
	b.call("GET", path, "", servertest.Header("If-None-Match", `"x"`)).Expect(http.StatusOK)
	b.Token(b.Backend, "grant_type", "password", "username", "bob", "password", "a long password").Expect(http.StatusOK)

	b.problem(b.call("PATCH", path, `{"name":"Bob"}`), http.StatusPreconditionRequired)
	b.problem(b.call("PATCH", path, `{"name":"Bob"}`, servertest.Header("If-Match", `"other"`)), http.StatusPreconditionFailed)
	b.problem(b.call("PATCH", path, `{"name":"Bob"}`, servertest.Header("If-Match", "W/"+tag)), http.StatusPreconditionFailed)
	changed := b.call("PATCH", path, `{"name":"Bob","email":""}`, servertest.Header("If-Match", `"x", `+tag)).Expect(http.StatusOK)
	if changed.String("name") != "Bob" || changed.String("email") != "" || changed.Header.Get("ETag") == tag {
		t.Errorf("changed to %s", changed.Body)
	}
	b.problem(b.call("PATCH", path, `{"name":"Rob"}`, servertest.Header("If-Match", tag)), http.StatusPreconditionFailed)

	b.call("POST", path+"/disable", "", anyway).Expect(http.StatusOK)
	b.Token(b.Backend, "grant_type", "password", "username", "bob", "password", "a long password").ExpectError(http.StatusBadRequest, "invalid_grant")
	b.call("POST", path+"/enable", "", anyway).Expect(http.StatusOK)
	b.call("PUT", path+"/password", `{"password":"another password"}`, anyway).Expect(http.StatusOK)
	b.Token(b.Backend, "grant_type", "password", "username", "bob", "password", "another password").Expect(http.StatusOK)
	b.call("DELETE", path, "", anyway).Expect(http.StatusOK)
	b.problem(b.call("GET", path, ""), http.StatusNotFound)

	for _, action := range []string{"user_created", "user_updated", "user_disabled", "user_enabled", "password_changed", "user_removed"} {
		b.audited(action, "client:automation")
	}
}

// audited checks that the newest event of an action says who made the change.
func (b *bundle) audited(action, actor string) {
	b.t.Helper()
	list, err := b.Store.ListAudit(b.t.Context(), auditFilter(action))
	if err != nil || len(list) == 0 {
		b.t.Fatalf("%s: %d events, %v", action, len(list), err)
	}
	if e := list[0]; e.Actor != "operator" || e.ActorID != actor || e.RequestID == "" || e.Address == "" {
		b.t.Errorf("%s: by %s %q, request %q from %q", action, e.Actor, e.ActorID, e.RequestID, e.Address)
	}
}

// A page is as long as asked for; a forged cursor, or that of another list, is refused.
func TestPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"bob", "carol", "dave", "eve"} {
		b.AddUser(users.NewUser{Username: name, Active: name != "dave"}, "a long password")
	}
	var names []string
	next := ""
	for range 10 {
		a := b.call("GET", "/users?limit=2&active=true"+next, "")
		for _, u := range items(t, a) {
			names = append(names, u["username"].(string))
		}
		cursor := a.String("next_cursor")
		if cursor == "" {
			break
		}
		next = "&cursor=" + cursor
	}
	if got := strings.Join(names, " "); got != "alice bob carol eve" {
		t.Errorf("the list is %s", got)
	}
	cursor := b.call("GET", "/users?limit=2&active=true", "").String("next_cursor")
	for _, forged := range []string{cursor[1:], cursor + "A", "A" + cursor, strings.ToUpper(cursor), "AAAA", "eyJmIjoiIiwiYSI6MH0"} {
		b.problem(b.call("GET", "/users?limit=2&active=true&cursor="+forged, ""), http.StatusBadRequest)
	}
	b.problem(b.call("GET", "/users?limit=2&cursor="+cursor, ""), http.StatusBadRequest)
	b.problem(b.call("GET", "/groups?cursor="+cursor, ""), http.StatusBadRequest)
	b.problem(b.call("GET", "/sessions?cursor="+cursor, ""), http.StatusBadRequest)
	b.problem(b.call("GET", "/users?cursor=%21", ""), http.StatusUnprocessableEntity)
}
