package scim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/admin"
	"latchkey/server/scim"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// bundle is a server with a client that provisions.
type bundle struct {
	*servertest.Server
	t         *testing.T
	directory servertest.Client
	token     string
}

func setup(t *testing.T, opts ...servertest.Option) *bundle {
	t.Helper()
	b := &bundle{Server: servertest.New(t, opts...), t: t}
	b.directory = b.client("directory", scim.Scope)
	b.token = b.Token(b.directory, "grant_type", "client_credentials").Expect(http.StatusOK).String("access_token")
	return b
}

func (b *bundle) client(id, scope string) servertest.Client {
	return b.AddClient(clients.Registration{ID: id, Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}, Scope: scope}})
}

// call sends a request with the token, unless an edit says otherwise.
func (b *bundle) call(method, path, body string, edits ...servertest.Edit) *servertest.Answer {
	b.t.Helper()
	all := []servertest.Edit{servertest.Header("Authorization", "Bearer "+b.token)}
	if body != "" {
		all = append(all, servertest.Header("Content-Type", "application/scim+json"))
	}
	return b.Do(method, b.Admin+scim.Prefix+path, body, append(all, edits...)...)
}

// refused checks a refusal (RFC 7644 §3.12).
func (b *bundle) refused(a *servertest.Answer, status int, scimType string) {
	b.t.Helper()
	body := a.Expect(status).JSON()
	kind, _ := body["scimType"].(string)
	if body["status"] != fmt.Sprint(status) || kind != scimType || body["detail"] == "" || a.Header.Get("Content-Type") != "application/scim+json" ||
		fmt.Sprint(body["schemas"]) != "[urn:ietf:params:scim:api:messages:2.0:Error]" {
		b.t.Errorf("want %d with %q: %s is %s", status, scimType, a.Header.Get("Content-Type"), a.Body)
	}
}

const (
	userSchema  = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
	groupSchema = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]`
	patchSchema = `"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]`
)

// add makes a user and returns the id.
func (b *bundle) add(name string) string {
	b.t.Helper()
	return b.call("POST", "/Users", `{`+userSchema+`,"userName":"`+name+`","externalId":"ext-`+name+`","emails":[{"value":"`+name+`@example.com","primary":true}]}`).
		Expect(http.StatusCreated).String("id")
}

// addGroup makes a group and returns the id.
func (b *bundle) addGroup(name string, members ...string) string {
	b.t.Helper()
	list := make([]string, 0, len(members))
	for _, m := range members {
		list = append(list, `{"value":"`+m+`"}`)
	}
	return b.call("POST", "/Groups", `{`+groupSchema+`,"displayName":"`+name+`","members":[`+strings.Join(list, ",")+`]}`).
		Expect(http.StatusCreated).String("id")
}

func (b *bundle) patch(path string, operations ...string) *servertest.Answer {
	b.t.Helper()
	return b.call("PATCH", path, `{`+patchSchema+`,"Operations":[`+strings.Join(operations, ",")+`]}`)
}

// list returns the resources of a list and how many there are in all.
func (b *bundle) list(path string) (found []map[string]any, total int) {
	b.t.Helper()
	var answer struct {
		Schemas      []string
		TotalResults int
		ItemsPerPage int
		StartIndex   int
		Resources    []map[string]any
	}
	if err := json.Unmarshal([]byte(b.call("GET", path, "").Expect(http.StatusOK).Body), &answer); err != nil {
		b.t.Fatal(err)
	}
	if answer.ItemsPerPage != len(answer.Resources) || len(answer.Schemas) != 1 || answer.StartIndex < 1 {
		b.t.Errorf("%s: %+v", path, answer)
	}
	return answer.Resources, answer.TotalResults
}

// names returns an attribute of all that a filter finds.
func (b *bundle) names(kind, filter, attribute string) string {
	b.t.Helper()
	found, total := b.list(kind + "?filter=" + escape(filter))
	if total != len(found) {
		b.t.Errorf("%s: %d of %d", filter, len(found), total)
	}
	var names []string
	for _, o := range found {
		names = append(names, fmt.Sprint(o[attribute]))
	}
	return strings.Join(names, " ")
}

func escape(text string) string {
	return strings.NewReplacer(" ", "%20", `"`, "%22", "[", "%5B", "]", "%5D", "(", "%28", ")", "%29", "+", "%2B", "&", "%26", "#", "%23").Replace(text)
}

// A user is created, found, replaced, changed and removed; each by the operations that operators have.
func TestAUserIsProvisioned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.call("POST", "/Users", `{`+userSchema+`,"userName":"bob","externalId":"00u1","displayName":"Bob B.","title":"Dr.",
		"name":{"givenName":"Bob","familyName":"B."},"emails":[{"value":"private@example.com"},{"value":"bob@example.com","type":"work","primary":true}],
		"locale":"de-AT","timezone":"Europe/Vienna","password":"a long password","groups":[],"active":true,
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"x"}}`).Expect(http.StatusCreated)
	id := a.String("id")
	if strings.Contains(a.Body, "password") {
		t.Errorf("a password is shown: %s", a.Body)
	}
	location := b.Admin + scim.Prefix + "/Users/" + id
	if a.Header.Get("Location") != location || a.Header.Get("ETag") == "" {
		t.Errorf("Location %s, ETag %s", a.Header.Get("Location"), a.Header.Get("ETag"))
	}
	var got struct {
		ExternalID, UserName, DisplayName, Locale, Timezone string
		Name                                                struct{ Formatted, GivenName, FamilyName string }
		Emails                                              []struct {
			Value, Type string
			Primary     bool
		}
		Active bool
		Meta   struct{ ResourceType, Location, Version, Created, LastModified string }
	}
	read := b.call("GET", "/Users/"+id, "").Expect(http.StatusOK)
	if read.Body != a.Body {
		t.Errorf("read %s, created %s", read.Body, a.Body)
	}
	if err := json.Unmarshal([]byte(read.Body), &got); err != nil {
		t.Fatal(err)
	}
	if got.ExternalID != "00u1" || got.UserName != "bob" || got.DisplayName != "Bob B." || got.Name.Formatted != "Bob B." || got.Name.GivenName != "Bob" ||
		got.Locale != "de-AT" || got.Timezone != "Europe/Vienna" || len(got.Emails) != 1 || got.Emails[0].Value != "bob@example.com" || !got.Emails[0].Primary ||
		!got.Active || got.Meta.Location != location || got.Meta.Version != a.Header.Get("ETag") || got.Meta.ResourceType != "User" {
		t.Errorf("%+v", got)
	}
	login := func() *servertest.Answer {
		return b.Token(b.Backend, "grant_type", "password", "username", "bob", "password", "a long password")
	}
	login().Expect(http.StatusOK)

	replaced := b.call("PUT", "/Users/"+id, `{`+userSchema+`,"id":"`+id+`","userName":"bob","displayName":"Robert","emails":[]}`).Expect(http.StatusOK)
	if replaced.String("displayName") != "Robert" || strings.Contains(replaced.Body, "emails") || strings.Contains(replaced.Body, "givenName") ||
		replaced.String("externalId") != "00u1" || replaced.JSON()["active"] != true {
		t.Errorf("replaced: %s", replaced.Body)
	}
	b.call("DELETE", "/Users/"+id, "").Expect(http.StatusNoContent)
	b.refused(b.call("GET", "/Users/"+id, ""), http.StatusNotFound, "")
	b.refused(b.call("DELETE", "/Users/"+id, ""), http.StatusNotFound, "")
	login().ExpectError(http.StatusBadRequest, "invalid_grant")
	for action, n := range map[string]int{"user_created": 1, "user_updated": 1, "user_removed": 1} {
		events, err := b.Store.ListAudit(t.Context(), storage.AuditFilter{Action: action})
		own := 0
		for _, e := range events {
			if e.ActorID == "client:directory" && e.Actor == "operator" {
				own++
			}
		}
		if err != nil || own != n {
			t.Errorf("%s: %d events, %v", action, own, err)
		}
	}
}

// active: false disables the user and ends their sessions, as `user disable` does; Entra ID writes it as "False".
func TestDeactivationEndsSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	me := b.names("/Users", `userName eq "`+servertest.Username+`"`, "id")
	for _, off := range []string{
		`{"op":"Replace","path":"active","value":"False"}`, `{"op":"replace","value":{"active":false}}`, `{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:active","value":false}`,
	} {
		tokens := b.Login(b.Backend)
		if got := b.patch("/Users/"+me, off).Expect(http.StatusOK).JSON()["active"]; got != false {
			t.Errorf("%s: active is %v", off, got)
		}
		b.Refresh(b.Backend, tokens.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant")
		b.Token(b.Backend, "grant_type", "password", "username", servertest.Username, "password", servertest.Password).
			ExpectError(http.StatusBadRequest, "invalid_grant")
		if on := b.patch("/Users/"+me, `{"op":"Add","path":"active","value":"True"}`).Expect(http.StatusOK).JSON()["active"]; on != true {
			t.Errorf("active is %v", on)
		}
		b.Refresh(b.Backend, tokens.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant") // what has ended stays ended
	}
	tokens := b.Login(b.Backend)
	b.patch("/Users/"+me, `{"op":"replace","path":"displayName","value":"Somebody"}`).Expect(http.StatusOK)
	tokens.Refresh = b.Refresh(b.Backend, tokens.Refresh).Expect(http.StatusOK).String("refresh_token")
	b.patch("/Users/"+me, `{"op":"replace","path":"password","value":"quite another one"}`).Expect(http.StatusOK)
	b.Refresh(b.Backend, tokens.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant")
	b.Token(b.Backend, "grant_type", "password", "username", servertest.Username, "password", "quite another one").Expect(http.StatusOK)
}

// PATCH as RFC 7644 §3.5.2 and its clients write it.
func TestPatchOfAUser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("carol")
	for _, c := range []struct{ operation, want string }{
		{`{"op":"add","path":"name.givenName","value":"Carol"}`, `"givenName":"Carol"`},
		{`{"op":"Replace","path":"NAME","value":{"familyName":"C."}}`, `"familyName":"C."`},
		{`{"op":"replace","path":"emails[type eq \"work\"].value","value":"new@example.com"}`, `"value":"new@example.com"`},
		{`{"op":"replace","path":"emails[type eq \"work\" and primary eq true].value","value":"newer@example.com"}`, `"value":"newer@example.com"`},
		{`{"op":"remove","path":"emails[value eq \"newer@example.com\"]"}`, `!emails`},
		{`{"op":"Add","path":"emails[type eq \"work\"].value","value":"again@example.com"}`, `"value":"again@example.com"`},
		{`{"op":"add","path":"emails","value":[{"value":"primary@example.com","primary":true}]}`, `"value":"primary@example.com"`},
		{`{"op":"add","value":{"displayName":"Carol C.","name.givenName":"C","urn:ietf:params:scim:schemas:core:2.0:User:locale":"en"}}`, `"locale":"en"`},
		{`{"op":"replace","path":"name.formatted","value":"Carola"}`, `"displayName":"Carola"`},
		{`{"op":"remove","path":"displayName"}`, `!displayName`},
		{`{"op":"add","path":"emails.display","value":"Carol"}`, `!display"`},
		{`{"op":"replace","path":"externalId","value":"other"}`, `"externalId":"other"`},
		{`{"op":"remove","path":"externalId"}`, `!externalId`},
		{`{"op":"replace","value":{"id":"4711","schemas":[],"meta":{"created":"x"},"userName":"caro"}}`, `"userName":"caro"`},
	} {
		a := b.patch("/Users/"+id, c.operation).Expect(http.StatusOK)
		if want, not := strings.CutPrefix(c.want, "!"); strings.Contains(a.Body, want) == not {
			t.Errorf("%s: %s", c.operation, a.Body)
		}
		if got := b.call("GET", "/Users/"+id, "").Body; got != a.Body {
			t.Errorf("%s: answered %s, stored %s", c.operation, a.Body, got)
		}
	}
	before := b.call("GET", "/Users/"+id, "").Body
	for _, c := range []struct{ operation, scimType string }{
		{`{"op":"replace","path":"id","value":"1"}`, "mutability"},
		{`{"op":"add","path":"groups","value":[{"value":"1"}]}`, "mutability"},
		{`{"op":"replace","path":"meta.created","value":"x"}`, "mutability"},
		{`{"op":"replace","path":"emails[type eq \"home\"].value","value":"x@example.com"}`, "noTarget"},
		{`{"op":"remove"}`, "noTarget"},
		{`{"op":"remove","path":"userName"}`, "mutability"},
		{`{"op":"remove","path":"active"}`, "mutability"},
		{`{"op":"replace","path":"userName","value":""}`, "invalidValue"},
		{`{"op":"replace","path":"userName","value":["x"]}`, "invalidValue"},
		{`{"op":"replace","path":"active","value":"perhaps"}`, "invalidValue"},
		{`{"op":"replace","path":"active","value":1}`, "invalidValue"},
		{`{"op":"replace","path":"locale","value":"no language"}`, "invalidValue"},
		{`{"op":"replace","path":"nothing","value":"x"}`, "invalidPath"},
		{`{"op":"replace","path":"urn:other:userName","value":"x"}`, "invalidPath"},
		{`{"op":"replace","path":"name.nothing","value":"x"}`, "invalidPath"},
		{`{"op":"replace","path":"emails[type eq","value":"x"}`, "invalidFilter"},
		{`{"op":"replace","path":"emails[type eq \"work\"","value":"x"}`, "invalidPath"},
		{`{"op":"replace","path":"emails[type eq \"work\"]x","value":"x"}`, "invalidPath"},
		{`{"op":"replace","path":"userName[value eq \"x\"]","value":"x"}`, "invalidPath"},
		{`{"op":"replace","path":7,"value":"x"}`, "invalidPath"},
		{`{"op":"replace","path":"emails` + strings.Repeat("[", 10_000) + `","value":"x"}`, "invalidPath"},
		{`{"op":"move","path":"userName","value":"x"}`, "invalidSyntax"},
		{`{"op":"add","path":"displayName"}`, "invalidValue"},
		{`{"op":"replace","value":"x"}`, "invalidValue"},
		{`7`, "invalidSyntax"},
	} {
		// The first operation must not count without the second: RFC 7644 §3.5.2.
		b.refused(b.patch("/Users/"+id, `{"op":"replace","path":"displayName","value":"Half"}`, c.operation), http.StatusBadRequest, c.scimType)
	}
	if after := b.call("GET", "/Users/"+id, "").Body; after != before {
		t.Errorf("a refused request changed %s to %s", before, after)
	}
}

// A userName is one user's, whatever its case (RFC 7643 §4.1.1), also of two requests at once.
func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("dora")
	create := func(name string) *servertest.Answer {
		return b.call("POST", "/Users", `{`+userSchema+`,"userName":"`+name+`"}`)
	}
	b.refused(create("dora"), http.StatusConflict, "uniqueness")
	b.refused(create("DORA"), http.StatusConflict, "uniqueness")
	b.refused(b.patch("/Users/"+id, `{"op":"replace","path":"userName","value":"`+strings.ToUpper(servertest.Username)+`"}`), http.StatusConflict, "uniqueness")
	b.patch("/Users/"+id, `{"op":"replace","path":"userName","value":"Dora"}`).Expect(http.StatusOK)
	b.addGroup("staff")
	b.refused(b.call("POST", "/Groups", `{`+groupSchema+`,"displayName":"staff"}`), http.StatusConflict, "uniqueness")
	statuses := make(chan int, 8)
	for range cap(statuses) {
		go func() { statuses <- create("race").Status }()
	}
	made := 0
	for range cap(statuses) {
		switch status := <-statuses; status {
		case http.StatusCreated:
			made++
		case http.StatusConflict:
		default:
			t.Errorf("status %d", status)
		}
	}
	if made != 1 {
		t.Errorf("%d users were made", made)
	}
}

// Filters find what RFC 7644 §3.4.2.2 says, whether the database or this server looks.
func TestFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada, bob := b.add("Ada"), b.add(`bob`)
	b.add("carol")
	b.patch("/Users/"+bob, `{"op":"replace","path":"active","value":false}`, `{"op":"add","path":"name.familyName","value":"Böll \"B\""}`).Expect(http.StatusOK)
	b.addGroup("staff", ada, bob)
	for filter, want := range map[string]string{
		`userName eq "ada"`:                 "Ada",
		`USERNAME Eq "ADA"`:                 "Ada",
		`userName eq "nobody"`:              "",
		`userName eq ""`:                    "",
		`id eq "` + bob + `"`:               "bob",
		`id eq "0"`:                         "",
		`id eq "x"`:                         "",
		`externalId eq "ext-bob"`:           "bob",
		`externalId eq "EXT-bob"`:           "",
		`emails.value eq "BOB@example.com"`: "bob",
		`emails eq "bob@example.com"`:       "bob",
		`emails[type eq "work" and value eq "bob@example.com"]`:         "bob",
		`emails[type eq "home"]`:                                        "",
		`active eq false`:                                               "bob",
		`active eq "False"`:                                             "bob",
		`not (active eq true)`:                                          "bob",
		`active eq false and userName eq "ada"`:                         "",
		`userName eq "ada" or userName eq "bob"`:                        "Ada bob",
		`userName sw "a" and externalId pr`:                             "Ada",
		`userName eq "carol" or userName eq "bob" and active eq true`:   "carol",
		`(userName eq "carol" or userName eq "bob") and active eq true`: "carol",
		`userName co "aro" and userName ew "l"`:                         "carol",
		`name.familyName eq "Böll \"B\""`:                               "bob",
		`name.familyName eq "B\u00f6ll \"B\""`:                          "bob",
		`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "bob"`:  "bob",
		`meta.created gt "2000-01-01T00:00:00Z" and externalId pr`:      "Ada bob carol",
		`meta.created lt "2000-01-01T00:00:00Z"`:                        "",
		`title pr`:                                                      "",
		`title eq "x"`:                                                  "",
		`phoneNumbers[type eq "x"]`:                                     "",
		`groups.display eq "staff"`:                                     "Ada bob",
		`externalId ne "ext-bob" and externalId pr`:                     "Ada carol",
		`externalId eq null and active eq false`:                        "",
	} {
		if got := b.names("/Users", filter, "userName"); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
	for filter, want := range map[string]string{
		`displayName eq "staff"`:                                  "staff",
		`displayName eq "Staff"`:                                  "",
		`members eq "` + ada + `"`:                                "staff",
		`members[value eq "` + ada + `"] and displayName sw "st"`: "staff",
		`members.value eq "4711"`:                                 "",
		`externalId eq "x"`:                                       "",
	} {
		if got := b.names("/Groups", filter, "displayName"); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
	for _, filter := range []string{
		``, ` `, `userName`, `userName eq`, `userName eq ada`, `userName eq 'ada'`, `userName is "ada"`, `userName eq "ada`, `userName eq "a" and`,
		`and userName eq "a"`, `(userName eq "a"`, `userName eq "a")`, `not userName eq "a"`, `nothing eq "a"`, `userName eq "a" userName eq "b"`,
		`emails[type eq "work"`, `emails[]`, `emails[type eq "work"]]`, `urn:other:userName eq "a"`, `userName eq "\x"`, `userName eq {"a":1}`,
		strings.Repeat("(", 2_000) + `userName eq "a"` + strings.Repeat(")", 2_000), strings.Repeat("not(", 1_000) + `userName eq "a"` + strings.Repeat(")", 1_000),
		`userName eq "` + strings.Repeat("x", 10_000) + `"`,
	} {
		b.refused(b.call("GET", "/Users?filter="+escape(filter), ""), http.StatusBadRequest, "invalidFilter")
	}
	deep := strings.Repeat("(", 10_000) + `userName eq "a"` + strings.Repeat(")", 10_000)
	b.refused(b.call("POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":`+mustJSON(deep)+`}`), http.StatusBadRequest, "invalidFilter")
	found := b.call("POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"ada\"","attributes":["userName"],"count":1}`).Expect(http.StatusOK)
	if !strings.Contains(found.Body, `"userName":"Ada"`) || strings.Contains(found.Body, "emails") || !strings.Contains(found.Body, `"totalResults":1`) {
		t.Errorf("searched: %s", found.Body)
	}
}

func mustJSON(text string) string {
	raw, _ := json.Marshal(text)
	return string(raw)
}

// Lists have pages, and of resources what the client wants.
func TestPagesAndProjections(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 5 {
		b.add(fmt.Sprint("user", i))
	}
	_, all := b.list("/Users")
	page, total := b.list(fmt.Sprintf("/Users?startIndex=%d&count=2", all-4))
	if total != all || len(page) != 2 || page[0]["userName"] != "user0" || page[1]["userName"] != "user1" {
		t.Errorf("%d of %d: %v", len(page), total, page)
	}
	for query, want := range map[string]int{"count=0": 0, "count=-3": 0, "startIndex=-1&count=1": 1, "startIndex=1000": 0, "count=99999": all, "startIndex=2147483647": 0} {
		if page, total := b.list("/Users?" + query); len(page) != want || total != all {
			t.Errorf("%s: %d of %d", query, len(page), total)
		}
	}
	if page, total := b.list(`/Users?startIndex=2&count=2&filter=` + escape(`userName sw "user"`)); total != 5 || len(page) != 2 || page[0]["userName"] != "user1" {
		t.Errorf("%d of %d: %v", len(page), total, page)
	}
	for query, scimType := range map[string]string{
		"count=x": "invalidValue", "startIndex=1.5": "invalidValue", "count=1&count=2": "invalidValue", "count=99999999999999999999": "invalidValue",
		"filter=userName%20eq%20%22a%00%22": "invalidValue", "filter=%ff": "invalidValue", "cursor=forged": "invalidCursor", "cursor=": "invalidCursor",
		"attributes=userName&excludedAttributes=emails": "invalidValue",
	} {
		b.refused(b.call("GET", "/Users?"+query, ""), http.StatusBadRequest, scimType)
	}
	b.refused(b.call("GET", "/Users?sortBy=userName", ""), http.StatusNotImplemented, "")

	id := b.names("/Users", `userName eq "user0"`, "id")
	for query, want := range map[string]string{
		"?attributes=userName":                                                     `{"id":"ID","schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user0"}`,
		"?attributes=emails.value,nothing":                                         `{"emails":[{"value":"user0@example.com"}],"id":"ID","schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}`,
		"?attributes=urn:ietf:params:scim:schemas:core:2.0:User:USERNAME":          `{"id":"ID","schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user0"}`,
		"?excludedAttributes=emails.type,emails.primary,meta,externalId,active,id": `{"emails":[{"value":"user0@example.com"}],"id":"ID","schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user0"}`,
	} {
		if got := strings.TrimSpace(b.call("GET", "/Users/"+id+query, "").Expect(http.StatusOK).Body); got != strings.ReplaceAll(want, "ID", id) {
			t.Errorf("%s: %s", query, got)
		}
	}
}

// Versions keep a change from undoing another one, and spare what a client has already (RFC 7644 §3.14).
func TestVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/Users/" + b.add("eve"), "/Groups/" + b.addGroup("crew")} {
		tag := b.call("GET", path, "").Header.Get("ETag")
		if a := b.call("GET", path, "", servertest.Header("If-None-Match", tag)); a.Status != http.StatusNotModified || a.Body != "" {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
		changed := func(tag string) *servertest.Answer {
			return b.call("PATCH", path, `{`+patchSchema+`,"Operations":[{"op":"replace","path":"displayName","value":"Changed"}]}`, servertest.Header("If-Match", tag))
		}
		b.refused(changed(`W/"forged"`), http.StatusPreconditionFailed, "")
		if a := changed(tag).Expect(http.StatusOK); a.Header.Get("ETag") == tag {
			t.Errorf("%s: the version is the same", path)
		}
		b.refused(changed(tag), http.StatusPreconditionFailed, "")
		b.refused(b.call("DELETE", path, "", servertest.Header("If-Match", tag)), http.StatusPreconditionFailed, "")
		b.call("DELETE", path, "", servertest.Header("If-Match", "*")).Expect(http.StatusNoContent)
	}
}

// An externalId is one of the client that gave it: RFC 7643 §3.1.
func TestExternalIDsAreThoseOfTheirClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("fay")
	other := b.client("other", scim.Scope)
	token := b.Token(other, "grant_type", "client_credentials").Expect(http.StatusOK).String("access_token")
	as := servertest.Header("Authorization", "Bearer "+token)
	if a := b.call("GET", "/Users/"+id, "", as).Expect(http.StatusOK); strings.Contains(a.Body, "externalId") {
		t.Errorf("another client sees %s", a.Body)
	}
	if a := b.call("GET", `/Users?filter=externalId%20eq%20%22ext-fay%22`, "", as).Expect(http.StatusOK); !strings.Contains(a.Body, `"totalResults":0`) {
		t.Errorf("another client finds %s", a.Body)
	}
}

// Where the users stay in Django's table, SCIM is off and says so.
func TestUsersInDjango(t *testing.T) {
	t.Parallel()
	b := setup(t, servertest.Bare(), servertest.Configure(func(c *server.Config) { c.Directory = elsewhere{}; c.AccountURL = "https://site.example/account" }))
	for _, path := range []string{"/Users", "/Groups", "/Users/1"} {
		a := b.call("GET", path, "")
		b.refused(a, http.StatusNotImplemented, "")
		if !strings.Contains(a.String("detail"), "--users-from django") || !strings.Contains(a.String("detail"), "https://site.example/account") {
			t.Errorf("%s", a.Body)
		}
	}
}

// elsewhere is a directory that nobody logs in at.
type elsewhere struct{}

func (elsewhere) Enter(context.Context, *storage.User, bool) error    { return nil }
func (elsewhere) Writable() bool                                      { return false }
func (elsewhere) SampleHashes(context.Context, int) ([]string, error) { return nil, nil }

// Every route refuses who may not use it.
func TestWhoMayProvision(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := func(c servertest.Client, form ...string) servertest.Edit {
		return servertest.Header("Authorization", "Bearer "+b.Token(c, append([]string{"grant_type", "client_credentials"}, form...)...).Expect(http.StatusOK).String("access_token"))
	}
	operators := b.client("operators", "latchkey:users:read latchkey:users:write")
	both := b.client("both", "latchkey:users:write "+scim.Scope)
	api := admin.Resource(b.URL)
	for _, path := range []string{"/Users", "/Users/1", "/Groups", "/Bulk", "/Me"} {
		method := "GET"
		if path == "/Bulk" {
			method = "POST"
		}
		for what, c := range map[string]struct {
			edit      servertest.Edit
			status    int
			challenge string
		}{
			"no token":                   {func(r *http.Request) { r.Header.Del("Authorization") }, http.StatusUnauthorized, `Bearer realm="latchkey"`},
			"another scope":              {token(operators, "resource", api), http.StatusForbidden, `scope="` + scim.Scope + `"`},
			"another audience":           {token(both), http.StatusUnauthorized, `error="invalid_token"`},
			"a user's token":             {servertest.Header("Authorization", "Bearer "+b.Login(b.Backend).Access), http.StatusUnauthorized, `error="invalid_token"`},
			"text":                       {servertest.Header("Authorization", "Bearer x"), http.StatusUnauthorized, `error="invalid_token"`},
			"a wrong secret":             {func(r *http.Request) { r.SetBasicAuth("directory", "wrong") }, http.StatusUnauthorized, "Basic"},
			"no such client":             {func(r *http.Request) { r.SetBasicAuth("nobody", "wrong") }, http.StatusUnauthorized, "Basic"},
			"a secret without the scope": {operators.Basic(), http.StatusForbidden, `scope="` + scim.Scope + `"`},
			"another grant type":         {b.Backend.Basic(), http.StatusForbidden, `error="insufficient_scope"`},
		} {
			a := b.call(method, path, "", c.edit)
			b.refused(a, c.status, "")
			if got := strings.Join(a.Header.Values("WWW-Authenticate"), " "); !strings.Contains(got, c.challenge) {
				t.Errorf("%s %s: the challenge is %q", path, what, got)
			}
		}
	}
	b.call("GET", "/Users", "", b.directory.Basic()).Expect(http.StatusOK)
	b.call("GET", "/Users", "", token(both, "resource", api, "scope", scim.Scope)).Expect(http.StatusOK)
	// The scope opens nothing of the API for operators.
	b.Get(b.Admin+admin.Prefix+"/users", servertest.Header("Authorization", "Bearer "+b.token)).Expect(http.StatusForbidden)
	if err := b.Clients().SetDisabled(t.Context(), "directory", true); err != nil {
		t.Fatal(err)
	}
	b.refused(b.call("GET", "/Users", ""), http.StatusUnauthorized, "")
	b.refused(b.call("GET", "/Users", "", b.directory.Basic()), http.StatusUnauthorized, "")
}
