package scim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"latchkey/server"
	"latchkey/server/admin"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// groupsOf returns the groups of a user, as tokens and policies see them.
func (b *bundle) groupsOf(username string) string {
	b.t.Helper()
	u, err := b.Store.UserByUsername(b.t.Context(), username)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(u.Groups, " ")
}

// Members join and leave by the forms of PATCH that Entra ID and Okta send.
func TestMembersOfAGroup(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada, bob, carol := b.add("ada"), b.add("bob"), b.add("carol")
	id := b.addGroup("staff", ada)
	for _, c := range []struct{ operation, want string }{
		{`{"op":"Add","path":"members","value":[{"value":"BOB"},{"value":"CAROL"}]}`, "ada bob carol"},
		{`{"op":"add","path":"members","value":[{"value":"BOB"}]}`, "ada bob carol"},
		{`{"op":"Remove","path":"members","value":[{"value":"BOB"}]}`, "ada carol"},
		{`{"op":"remove","path":"members[value eq \"CAROL\"]"}`, "ada"},
		{`{"op":"remove","path":"members[value eq \"4711\"]"}`, "ada"},
		{`{"op":"add","value":{"members":[{"value":"BOB","display":"anything"}]}}`, "ada bob"},
		{`{"op":"replace","path":"members","value":[{"value":"CAROL"}]}`, "carol"},
		{`{"op":"replace","value":{"id":"anything","displayName":"staff"}}`, "carol"},
		{`{"op":"remove","path":"members"}`, ""},
		{`{"op":"replace","path":"members","value":[{"value":"ADA"}]},{"op":"add","path":"members","value":{"value":"BOB"}},{"op":"remove","path":"members[value eq \"ADA\"]"}`, "bob"},
		{`{"op":"replace","path":"members","value":[]}`, ""},
	} {
		operation := strings.NewReplacer("ADA", ada, "BOB", bob, "CAROL", carol).Replace(c.operation)
		a := b.patch("/Groups/"+id, operation).Expect(http.StatusOK)
		var members []string
		for _, name := range []string{"ada", "bob", "carol"} {
			in := b.groupsOf(name) == "staff"
			if in {
				members = append(members, name)
			}
			if in != strings.Contains(a.Body, `"display":"`+name+`"`) {
				t.Errorf("%s: %s is in the group: %v, and the answer is %s", operation, name, in, a.Body)
			}
		}
		if got := strings.Join(members, " "); got != c.want {
			t.Errorf("%s: %q, want %q", operation, got, c.want)
		}
	}
	for operation, scimType := range map[string]string{
		`{"op":"add","path":"members","value":[{"value":"4711"}]}`:                                    "invalidValue",
		`{"op":"add","path":"members","value":[{"value":"` + id + `"}]}`:                              "invalidValue",
		`{"op":"add","path":"members","value":7}`:                                                     "invalidValue",
		`{"op":"replace","path":"members[value eq \"` + ada + `\"].value","value":"` + bob + `"}`:     "mutability",
		`{"op":"replace","path":"displayName","value":""}`:                                            "invalidValue",
		`{"op":"replace","path":"displayName","value":"` + strings.Repeat("x", 300) + `"}`:            "invalidValue",
		`{"op":"replace","path":"displayName","value":"a\u001bb"}`:                                    "invalidValue",
		`{"op":"add","path":"members","value":[{"value":"` + bob + `"}]},{"op":"remove","path":"id"}`: "mutability",
	} {
		b.refused(b.patch("/Groups/"+id, operation), http.StatusBadRequest, scimType)
	}
	if got := b.groupsOf("bob"); got != "" {
		t.Errorf("a refused request put bob into %q", got)
	}
	events, err := b.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "group_updated"})
	if err != nil || len(events) == 0 || events[0].ActorID != "client:directory" || !strings.Contains(string(events[0].Details), "staff") {
		t.Errorf("%d events: %v", len(events), err)
	}
}

// A group keeps its id when its name changes, for all who are in it; one without members is there too, and one that an operator has given.
func TestGroupsAreThoseOfUsers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.add("ada")
	groups := []string{"by hand", "staff"}
	number := int64(0)
	fmt.Sscan(ada, &number)
	if _, err := b.Users().Update(t.Context(), number, storage.UserChange{Groups: &groups}); err != nil {
		t.Fatal(err)
	}
	empty := b.addGroup("empty")
	if got := b.names("/Groups", `displayName eq "empty"`, "id"); got != empty {
		t.Errorf("the group without members: %s", got)
	}
	byHand := b.names("/Groups", `displayName eq "by hand"`, "id")
	if _, total := b.list("/Groups"); total != 3 {
		t.Errorf("%d groups", total)
	}
	b.refused(b.call("POST", "/Groups", `{`+groupSchema+`,"displayName":"staff","members":[]}`), http.StatusConflict, "uniqueness")
	b.refused(b.patch("/Groups/"+empty, `{"op":"replace","path":"displayName","value":"staff"}`), http.StatusConflict, "uniqueness")
	renamed := b.patch("/Groups/"+byHand, `{"op":"replace","path":"displayName","value":"By hand"}`).Expect(http.StatusOK)
	if renamed.String("id") != byHand || b.groupsOf("ada") != "By hand staff" {
		t.Errorf("%s; the groups are %s", renamed.Body, b.groupsOf("ada"))
	}
	if a := b.call("GET", "/Users/"+ada, "").Expect(http.StatusOK); !strings.Contains(a.Body, `"value":"`+byHand+`"`) {
		t.Errorf("the user has %s", a.Body)
	}
	if a := b.call("GET", "/Groups/"+byHand+"?excludedAttributes=members", "").Expect(http.StatusOK); strings.Contains(a.Body, "members") || a.Header.Get("ETag") != "" {
		t.Errorf("without members: %s", a.Body)
	}
	put := b.call("PUT", "/Groups/"+byHand, `{`+groupSchema+`,"displayName":"team","externalId":"g-1","members":[]}`).Expect(http.StatusOK)
	if put.String("externalId") != "g-1" || b.groupsOf("ada") != "staff" {
		t.Errorf("%s; the groups are %s", put.Body, b.groupsOf("ada"))
	}
	if got := b.names("/Groups", `externalId eq "g-1"`, "displayName"); got != "team" {
		t.Errorf("by its external id: %s", got)
	}
	staff := b.names("/Groups", `displayName eq "staff"`, "id")
	b.call("DELETE", "/Groups/"+staff, "").Expect(http.StatusNoContent)
	for _, action := range []string{"group_added", "group_removed"} {
		events, err := b.Store.ListAudit(t.Context(), storage.AuditFilter{Action: action})
		if err != nil || len(events) == 0 || events[0].ActorID != "client:directory" {
			t.Errorf("%s: %d events, %v", action, len(events), err)
		}
	}
	if b.groupsOf("ada") != "" {
		t.Errorf("after the removal: %s", b.groupsOf("ada"))
	}
	for _, id := range []string{staff, "1", "x", "00000000-0000-0000-0000-000000000000", strings.ToUpper(byHand), "..%2f", "%00", "%ff"} {
		b.refused(b.call("GET", "/Groups/"+id, ""), http.StatusNotFound, "")
	}
}

// What a directory holds makes nobody an operator, and opens no operator's account, unless the token could do that at the API as well.
func TestSCIMMakesNoOperator(t *testing.T) {
	t.Parallel()
	b := setup(t, servertest.Configure(func(c *server.Config) { c.AdminGroup = "operators" }))
	ada, bob := b.add("ada"), b.add("bob")
	groups := []string{"operators"}
	number := int64(0)
	fmt.Sscan(ada, &number)
	if _, err := b.Users().Update(t.Context(), number, storage.UserChange{Groups: &groups}); err != nil {
		t.Fatal(err)
	}
	operators := b.names("/Groups", `displayName eq "operators"`, "id")
	staff := b.addGroup("staff")
	forbidden := func(a *servertest.Answer) {
		t.Helper()
		b.refused(a, http.StatusForbidden, "")
	}
	join := `{"op":"add","path":"members","value":[{"value":"` + bob + `"}]}`
	forbidden(b.patch("/Groups/"+operators, join))
	forbidden(b.patch("/Groups/"+operators, `{"op":"remove","path":"members"}`))
	forbidden(b.patch("/Groups/"+operators, `{"op":"replace","path":"displayName","value":"others"}`))
	forbidden(b.call("DELETE", "/Groups/"+operators, ""))
	for _, operation := range []string{
		`{"op":"replace","path":"password","value":"a password of mine"}`, `{"op":"replace","path":"userName","value":"mallory"}`,
		`{"op":"replace","path":"emails[type eq \"work\"].value","value":"mallory@example.com"}`, `{"op":"remove","path":"emails"}`,
	} {
		forbidden(b.patch("/Users/"+ada, operation))
	}
	b.patch("/Users/"+ada, `{"op":"replace","path":"displayName","value":"Ada"}`).Expect(http.StatusOK)
	b.patch("/Users/"+ada, `{"op":"replace","path":"active","value":false}`).Expect(http.StatusOK) // who leaves, leaves

	b.call("DELETE", "/Users/"+ada, "").Expect(http.StatusNoContent)
	b.call("DELETE", "/Groups/"+operators, "", servertest.Header("Authorization", "Bearer "+b.withUsers())).Expect(http.StatusNoContent)
	forbidden(b.call("POST", "/Groups", `{`+groupSchema+`,"displayName":"operators","members":[{"value":"`+bob+`"}]}`))
	forbidden(b.patch("/Groups/"+staff, `{"op":"replace","path":"displayName","value":"operators"}`))
	if got := b.groupsOf("bob"); got != "" {
		t.Errorf("bob is in %s", got)
	}
}

// withUsers returns a token that may change users at the API for operators as well.
func (b *bundle) withUsers() string {
	b.t.Helper()
	c := b.client("both", "latchkey:users:write latchkey:scim")
	return b.Token(c, "grant_type", "client_credentials", "resource", admin.Resource(b.URL)).Expect(http.StatusOK).String("access_token")
}
