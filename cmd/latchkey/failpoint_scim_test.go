package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// resource is what SCIM shows of a user or a group.
type resource struct {
	ID          string
	Active      bool
	DisplayName string
	ExternalID  string
	Members     []struct{ Value string }
}

// scimClient is a client that provisions users.
type scimClient struct {
	*killed
	id, secret string
	drawn      int
}

func (d *scimClient) call(method, path, body string) reply {
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.Issuer+"/scim/v2"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.SetBasicAuth(d.id, d.secret)
	req.Header.Set("Content-Type", "application/scim+json")
	return d.send(nil, req)
}

// made returns the id of what a request made, which must succeed.
func (d *scimClient) made(method, path, body string) string {
	d.t.Helper()
	r := d.call(method, path, body)
	if !r.ok() {
		d.t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
	}
	return d.read(r).ID
}

func (d *scimClient) read(r reply) (o resource) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(r.body), &o); err != nil {
		d.t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	return o
}

// find returns the resources that a filter selects.
func (d *scimClient) find(kind, filter string) []resource {
	d.t.Helper()
	var list struct{ Resources []resource }
	r := d.call(http.MethodGet, "/"+kind+"?filter="+url.QueryEscape(filter), "")
	if err := json.Unmarshal([]byte(r.body), &list); err != nil || !r.ok() {
		d.t.Fatalf("%s: %d %s", filter, r.status, r.body)
	}
	return list.Resources
}

func (d *scimClient) next(prefix string) string {
	d.drawn++
	return fmt.Sprint(prefix, "-", d.drawn)
}

const directoryPassword = "the password of a directory"

func userBody(name string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + name + `","externalId":"ext-` + name + `","password":"` + directoryPassword + `"}`
}

func (d *scimClient) newUser() (id, name string) {
	name = d.next("user")
	return d.made(http.MethodPost, "/Users", userBody(name)), name
}

func groupBody(name string, members ...string) string {
	var list []string
	for _, m := range members {
		list = append(list, `{"value":"`+m+`"}`)
	}
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"` + name + `","externalId":"ext-` + name + `","members":[` + strings.Join(list, ",") + `]}`
}

func patchBody(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`
}

// judgeFlow judges the two answers to a request; see flow.
type judgeFlow = func(first, again reply, committed bool)

// created is a flow that creates something: repeated after the commit, it is told that it is there, once and with all that it has.
func (d *scimClient) created(kind string, body func() (name, text string), whole func(o resource) bool) func(*killed) (func() reply, judgeFlow) {
	return func(*killed) (func() reply, judgeFlow) {
		name, text := body()
		return func() reply { return d.call(http.MethodPost, "/"+kind, text) }, func(_, again reply, committed bool) {
			found := d.find(kind, map[string]string{"Users": "userName", "Groups": "displayName"}[kind]+` eq "`+name+`"`)
			if committed != (again.status == http.StatusConflict) || !committed && again.status != http.StatusCreated || len(found) != 1 || !whole(found[0]) {
				d.t.Errorf("%s %s, committed: %v; repeated: %d %s; found: %+v", kind, name, committed, again.status, again.body, found)
			}
		}
	}
}

// removed is a flow that removes something: repeated after the commit, it is told that it is gone.
func (d *scimClient) removed(prepare func() (path string)) func(*killed) (func() reply, judgeFlow) {
	return func(*killed) (func() reply, judgeFlow) {
		path := prepare()
		return func() reply { return d.call(http.MethodDelete, path, "") }, func(_, again reply, committed bool) {
			want := http.StatusNoContent
			if committed {
				want = http.StatusNotFound
			}
			if r := d.call(http.MethodGet, path, ""); again.status != want || r.status != http.StatusNotFound {
				d.t.Errorf("%s, committed: %v; repeated: %d %s; then: %d", path, committed, again.status, again.body, r.status)
			}
		}
	}
}

// changed is a flow that changes something. Before the request is repeated, all of the change is there, or nothing.
func (d *scimClient) changed(prepare func() (path, operations string, done func(o resource) bool, after func())) func(*killed) (func() reply, judgeFlow) {
	return func(*killed) (func() reply, judgeFlow) {
		path, operations, done, after := prepare()
		calls, between := 0, resource{}
		return func() reply {
				if calls++; calls == 2 {
					between = d.read(d.call(http.MethodGet, path, ""))
				}
				return d.call(http.MethodPatch, path, patchBody(operations))
			}, func(_, again reply, committed bool) {
				if done(between) != committed || !again.ok() || !done(d.read(again)) {
					d.t.Errorf("%s, committed: %v; before it was repeated: %+v; then: %d %s", path, committed, between, again.status, again.body)
				}
				after()
			}
	}
}

func (d *scimClient) flows() []flow {
	someone, _ := d.newUser()
	return []flow{
		{name: "creation of a user", decides: "create provisioned user", prepare: d.created("Users", func() (name, text string) {
			name = d.next("new")
			return name, userBody(name)
		}, func(o resource) bool { return strings.HasPrefix(o.ExternalID, "ext-new") && o.Active })},
		{name: "change of a user who is disabled", decides: "change provisioned user", prepare: d.changed(func() (string, string, func(resource) bool, func()) {
			id, name := d.newUser()
			tokens := d.post("/oauth2/token", url.Values{"grant_type": {"password"}, "client_id": {"confirmed"}, "username": {name}, "password": {directoryPassword}})
			return "/Users/" + id, `{"op":"replace","value":{"active":false,"displayName":"Other","externalId":"other"}}`,
				func(o resource) bool { return !o.Active && o.DisplayName == "Other" && o.ExternalID == "other" }, func() {
					if r := d.refresh("confirmed", refreshToken(tokens)); !tokens.ok() || r.ok() {
						d.t.Errorf("a session of a user who was disabled: %d, then %d", tokens.status, r.status)
					}
				}
		})},
		{name: "removal of a user", decides: "remove user", prepare: d.removed(func() string {
			id, _ := d.newUser()
			return "/Users/" + id
		})},
		{name: "creation of a group", decides: "create group", prepare: d.created("Groups", func() (name, text string) {
			name = d.next("crew")
			return name, groupBody(name, someone)
		}, func(o resource) bool { return strings.HasPrefix(o.ExternalID, "ext-crew") && len(o.Members) == 1 })},
		{name: "change of a group", decides: "change group", prepare: d.changed(func() (string, string, func(resource) bool, func()) {
			name := d.next("team")
			id := d.made(http.MethodPost, "/Groups", groupBody(name, someone))
			other, _ := d.newUser()
			operations := `{"op":"replace","path":"displayName","value":"` + name + ` renamed"},{"op":"add","path":"members","value":[{"value":"` + other + `"}]},
				{"op":"remove","path":"members[value eq \"` + someone + `\"]"}`
			return "/Groups/" + id, operations, func(o resource) bool {
				return o.DisplayName == name+" renamed" && len(o.Members) == 1 && o.Members[0].Value == other
			}, func() {}
		})},
		{name: "removal of a group", decides: "remove group", prepare: d.removed(func() string {
			return "/Groups/" + d.made(http.MethodPost, "/Groups", groupBody(d.next("gone"), someone))
		})},
	}
}

// A directory's request that is killed before its commit has done nothing, and after it everything; repeating it gives the right answer.
func TestKillNineOfSCIMAtFailpoints(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, onPostgres, long bool) {
		k := startKilled(t, onPostgres, "LATCHKEY_ADMIN_API=public")
		var added struct {
			ID     string `json:"client_id"`
			Secret string `json:"client_secret"`
		}
		if err := json.Unmarshal(k.Run("", "client", "add", "--client-id", "directory", "--grant-type", "client_credentials", "--scope", "latchkey:scim"), &added); err != nil {
			t.Fatal(err)
		}
		d := &scimClient{killed: k, id: added.ID, secret: added.Secret}
		bystander := k.login("confirmed")
		for _, f := range d.flows() {
			f.brief = true
			k.killAtEachPoint(f, long, &bystander)
		}
	})
}
