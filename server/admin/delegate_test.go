package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// With latchkey:clients:write a token makes clients, but none that may do what the token may not, and it takes over none: neither by another
// secret, nor by keys of its own, nor by switching one on.
func TestWritingClientsLeadsToNoOtherScope(t *testing.T) {
	t.Parallel()
	b := setup(t)
	limited := b.AddClient(clients.Registration{ID: "limited", Metadata: clients.Metadata{
		GrantTypes: []string{"client_credentials"}, Scope: "latchkey:clients:read latchkey:clients:write profile",
	}})
	b.call("POST", "/clients", `{"client_id":"plain","grant_types":["client_credentials"],"scope":"profile"}`).Expect(http.StatusCreated)
	b.token = b.issue(limited, "latchkey:clients:read latchkey:clients:write")

	for _, c := range []struct{ method, path, body string }{
		{"POST", "/clients", `{"client_id":"evil","grant_types":["client_credentials"],"scope":"profile latchkey:users:write"}`},
		{"POST", "/clients?dry_run=true", `{"client_id":"evil","grant_types":["client_credentials"],"scope":"latchkey:keys:write"}`},
		{"POST", "/clients", `{"client_id":"evil","grant_types":["client_credentials"],"scope":"latchkey:scim"}`},
		{"PATCH", "/clients/plain", `{"scope":"latchkey:audit:read"}`},
		{"PATCH", "/clients/limited", `{"scope":"latchkey:clients:write latchkey:sessions:write"}`},
		{"PATCH", "/clients/automation", `{"client_name":"Mine"}`},
		{"PATCH", "/clients/automation", `{"scope":"profile"}`},
		{"POST", "/clients/automation/secret", `{}`},
		{"POST", "/clients/automation/enable", ``},
	} {
		edits := []servertest.Edit{anyway}
		if c.method == "PATCH" {
			edits = append(edits, mergePatch)
		}
		a := b.call(c.method, c.path, c.body, edits...)
		p := b.problem(a, http.StatusForbidden)
		if p["type"] != "urn:latchkey:problem:insufficient_scope" || !strings.Contains(a.Header.Get("WWW-Authenticate"), `scope="latchkey:`) {
			t.Errorf("%s %s: %s, %s", c.method, c.path, a.Body, a.Header)
		}
	}
	if _, err := b.Store.Client(t.Context(), "evil"); err == nil {
		t.Error("there is a client that may do more than the token that has made it")
	}

	// What is within the token's own scopes, and what has none of these, goes on.
	b.call("POST", "/clients", `{"client_id":"same","grant_types":["client_credentials"],"scope":"latchkey:clients:write"}`).Expect(http.StatusCreated)
	b.call("POST", "/clients/same/secret", `{}`, anyway).Expect(http.StatusOK)
	b.call("PATCH", "/clients/plain", `{"scope":"openid profile"}`, anyway, mergePatch).Expect(http.StatusOK)
	// To end access needs no more.
	b.call("POST", "/clients/automation/disable?confirm_count=9", "", anyway).Expect(http.StatusOK)
	b.problem(b.call("POST", "/clients/automation/enable", "", anyway), http.StatusForbidden)
	b.problem(b.call("GET", "/users", ""), http.StatusForbidden)
}

// Who may write users may let a directory write them.
func TestWritingUsersIncludesSCIM(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.token = b.issue(b.root, "latchkey:clients:write latchkey:users:write")
	b.call("POST", "/clients", `{"client_id":"directory","grant_types":["client_credentials"],"scope":"latchkey:scim"}`).Expect(http.StatusCreated)
	if c, err := b.Store.Client(t.Context(), "directory"); err != nil || c.Origin != storage.OriginOperator {
		t.Errorf("%+v, %v", c, err)
	}
}
