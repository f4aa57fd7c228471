package scim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"latchkey/server/scim"
	"latchkey/storage"
)

// enterprise is the URI of the extension that directories send by default.
const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// everything is what directories send of a user by default, besides what has a field of the profile.
const everything = `"nickName":"Addy","profileUrl":"https://example.com/ada","title":"Dr.","userType":"Contractor","preferredLanguage":"de-AT, en;q=0.8",
	"phoneNumbers":[{"value":"+43 1 1","type":"work","display":"Desk","primary":true},{"value":"+43 1 1","type":"mobile"}],"ims":[{"value":"ada","type":"xmpp","display":"A","primary":false}],
	"photos":[{"value":"https://example.com/small.png","type":"thumbnail","display":"Small"},{"value":"https://example.com/ada.png","type":"photo","primary":true}],
	"addresses":[{"type":"work","streetAddress":"Ring 1","locality":"Wien","region":"W","postalCode":"1010","country":"AT","primary":true},{"type":"home","formatted":"Gasse 2\n1020 Wien"}],
	"entitlements":[{"value":"e","display":"E","type":"t","primary":true}],"roles":[{"value":"r","display":"Role","type":"t","primary":true}],
	"x509Certificates":[{"value":"MIIB","display":"C","type":"t","primary":true}],
	"` + enterprise + `":{"employeeNumber":"701984","costCenter":"4130","organization":"Universal Studios","division":"Theme Park","department":"Tour Operations",
		"manager":{"value":"4711","displayName":"John Smith"}}`

// subset reports whether all that a client sent is there as it was sent.
func subset(sent, there any) bool {
	switch sent := sent.(type) {
	case map[string]any:
		object, _ := there.(map[string]any)
		for name, v := range sent {
			if !subset(v, object[name]) {
				return false
			}
		}
		return object != nil
	case []any:
		list, _ := there.([]any)
		for i := range min(len(sent), len(list)) {
			if !subset(sent[i], list[i]) {
				return false
			}
		}
		return len(sent) == len(list)
	}
	return reflect.DeepEqual(sent, there)
}

// What a directory sends is returned as it was sent, also to another one, until it is replaced: else each run would find differences.
func TestWhatDirectoriesSendIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{` + userSchema + `,"userName":"ada","name":{"givenName":"Ada","middleName":"M.","honorificPrefix":"Dr.","honorificSuffix":"III"},` + everything + `}`
	var sent map[string]any
	if err := json.Unmarshal([]byte(body), &sent); err != nil {
		t.Fatal(err)
	}
	delete(sent, "schemas")
	created := b.call("POST", "/Users", body).Expect(http.StatusCreated)
	id := created.String("id")
	if got := created.JSON(); !subset(sent, got) || fmt.Sprint(got["schemas"]) != "[urn:ietf:params:scim:schemas:core:2.0:User "+enterprise+"]" {
		t.Errorf("created %s", created.Body)
	}
	manager := created.JSON()[enterprise].(map[string]any)["manager"].(map[string]any)
	if manager["$ref"] != b.Admin+scim.Prefix+"/Users/4711" {
		t.Errorf("the manager is %v", manager)
	}
	other := b.client("other", scim.Scope)
	if got := b.call("GET", "/Users/"+id, "", other.Basic()).Expect(http.StatusOK).JSON(); !subset(sent, got) {
		t.Errorf("another directory reads %v", got)
	}
	tag := created.Header.Get("ETag")
	again := b.call("PUT", "/Users/"+id, body).Expect(http.StatusOK)
	if again.Header.Get("ETag") != tag || again.Body != created.Body {
		t.Errorf("the same once more: %s", again.Body)
	}
	if changed := b.patch("/Users/"+id, `{"op":"replace","path":"title","value":"Prof."}`).Expect(http.StatusOK); changed.Header.Get("ETag") == tag || changed.String("title") != "Prof." {
		t.Errorf("a change keeps the version: %s", changed.Body)
	}
	replaced := b.call("PUT", "/Users/"+id, `{`+userSchema+`,"userName":"ada"}`).Expect(http.StatusOK)
	for name := range sent {
		if name != "userName" && replaced.JSON()[name] != nil {
			t.Errorf("%s is left after a replacement: %s", name, replaced.Body)
		}
	}
	events, err := b.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "user_updated"})
	if err != nil || len(events) != 2 || !strings.Contains(string(events[0].Details), `"provisioned"`) || strings.Contains(string(events[1].Details), "Prof.") {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// PATCH as Entra ID and Okta write it, also with the URI of the extension before the attribute.
func TestPatchOfWhatIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("ada")
	const urn = enterprise
	for _, c := range []struct{ operation, attribute, want string }{
		{`{"op":"Add","path":"title","value":"Dr."}`, "title", `"Dr."`},
		{`{"op":"Replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:title","value":"Prof."}`, "title", `"Prof."`},
		{`{"op":"remove","path":"title"}`, "title", `null`},
		{`{"op":"add","path":"name.middleName","value":"M."}`, "name", `{"middleName":"M."}`},
		{`{"op":"Add","path":"` + urn + `:department","value":"Sales"}`, urn, `{"department":"Sales"}`},
		{`{"op":"replace","value":{"` + strings.ToUpper(urn) + `:DIVISION":"South"}}`, urn, `{"department":"Sales","division":"South"}`},
		{`{"op":"replace","value":{"` + urn + `":{"costCenter":"7","division":null}}}`, urn, `{"costCenter":"7","department":"Sales"}`},
		{`{"op":"replace","path":"` + urn + `","value":{"employeeNumber":"1"}}`, urn, `{"costCenter":"7","department":"Sales","employeeNumber":"1"}`},
		{`{"op":"Remove","path":"` + urn + `:costCenter"},{"op":"remove","path":"` + urn + `:employeeNumber"}`, urn, `{"department":"Sales"}`},
		{`{"op":"Add","path":"` + urn + `:manager","value":"someone"}`, urn, `{"department":"Sales","manager":{"value":"someone"}}`},
		{`{"op":"Add","path":"` + urn + `:manager","value":[{"$ref":"x","value":"other"}]}`, urn, `{"department":"Sales","manager":{"value":"other"}}`},
		{`{"op":"add","path":"` + urn + `:manager.displayName","value":"M"}`, urn, `{"department":"Sales","manager":{"displayName":"M","value":"other"}}`},
		{`{"op":"remove","path":"` + urn + `:manager.value"}`, urn, `{"department":"Sales","manager":{"displayName":"M"}}`},
		{`{"op":"remove","path":"` + urn + `"}`, urn, `null`},
		{`{"op":"Add","path":"phoneNumbers[type eq \"work\"].value","value":"1"}`, "phoneNumbers", `[{"type":"work","value":"1"}]`},
		{`{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}`, "phoneNumbers", `[{"type":"work","value":"1"},{"type":"mobile","value":"1"}]`},
		{
			`{"op":"add","path":"phoneNumbers","value":[{"value":"2","type":"work","primary":true},{"value":"3","type":"fax","primary":true}]}`, "phoneNumbers",
			`[{"type":"work","value":"1"},{"type":"mobile","value":"1"},{"type":"work","value":"2"},{"primary":true,"type":"fax","value":"3"}]`,
		},
		{
			`{"op":"replace","path":"phoneNumbers[value eq \"2\"].primary","value":true}`, "phoneNumbers",
			`[{"type":"work","value":"1"},{"type":"mobile","value":"1"},{"primary":true,"type":"work","value":"2"},{"type":"fax","value":"3"}]`,
		},
		{`{"op":"remove","path":"phoneNumbers","value":[{"value":"1","type":"mobile"},{"value":"3"}]}`, "phoneNumbers", `[{"type":"work","value":"1"},{"primary":true,"type":"work","value":"2"}]`},
		{`{"op":"remove","path":"phoneNumbers[type eq \"work\"].value"}`, "phoneNumbers", `null`},
		{
			`{"op":"Add","path":"addresses[type eq \"work\"].streetAddress","value":"Ring 1"},{"op":"Add","path":"addresses[type eq \"work\"].locality","value":"Wien"}`,
			"addresses", `[{"locality":"Wien","streetAddress":"Ring 1","type":"work"}]`,
		},
		{
			`{"op":"add","path":"addresses","value":[{"type":"home","locality":"Graz"}]},{"op":"add","path":"addresses","value":[{"type":"home","locality":"Graz"}]}`,
			"addresses", `[{"locality":"Wien","streetAddress":"Ring 1","type":"work"},{"locality":"Graz","type":"home"}]`,
		},
		{`{"op":"remove","path":"addresses[type eq \"work\"].locality"},{"op":"remove","path":"addresses[type eq \"home\"]"}`, "addresses", `[{"streetAddress":"Ring 1","type":"work"}]`},
		{`{"op":"remove","path":"addresses[type eq \"work\"].streetAddress"}`, "addresses", `null`},
	} {
		a := b.patch("/Users/"+id, c.operation).Expect(http.StatusOK)
		got, err := json.Marshal(a.JSON()[c.attribute])
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, want %s", c.operation, got, c.want)
		}
		if read := b.call("GET", "/Users/"+id, "").Body; read != a.Body {
			t.Errorf("%s: answered %s, stored %s", c.operation, a.Body, read)
		}
	}
	for path, scimType := range map[string]string{
		urn + ":nothing": "invalidPath", urn + "x:department": "invalidPath", "department": "invalidPath", urn + ":manager.nothing": "invalidPath",
		urn + `:manager[value eq \"x\"]`: "invalidPath", urn + ":manager.$ref": "mutability", `name[givenName eq \"x\"]`: "invalidPath",
	} {
		b.refused(b.patch("/Users/"+id, `{"op":"add","path":"`+path+`","value":"x"}`), http.StatusBadRequest, scimType)
	}
}

// What can't be kept is refused as a whole: what is too long, of another type, or no text.
func TestWhatCanNotBeKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("ada")
	before := b.call("GET", "/Users/"+id, "").Body
	for part, scimType := range map[string]string{
		`"title":7`: "invalidValue", `"title":["x"]`: "invalidValue", `"title":{"value":"x"}`: "invalidValue", `"title":true`: "invalidValue",
		`"phoneNumbers":[7]`: "invalidValue", `"phoneNumbers":[{"value":7}]`: "invalidValue", `"phoneNumbers":[{"value":"1","primary":"perhaps"}]`: "invalidValue",
		`"addresses":["Ring 1"]`: "invalidValue", `"addresses":"Ring 1"`: "invalidValue", `"x509Certificates":[{"value":"no base64!"}]`: "invalidValue",
		`"` + enterprise + `":"x"`: "invalidValue", `"` + enterprise + `":{"department":7}`: "invalidValue", `"` + enterprise + `":{"manager":7}`: "invalidValue",
		`"` + enterprise + `":{"manager":[{"value":"1"},{"value":"2"}]}`:                                                           "invalidValue",
		`"photos":[{"value":"javascript:alert(1)"}]`:                                                                               "invalidValue",
		`"title":"` + strings.Repeat("x", 16<<10) + `"`:                                                                            "invalidValue",
		`"nickName":"` + strings.Repeat("ä", 5<<10) + `","` + enterprise + `":{"department":"` + strings.Repeat("x", 8<<10) + `"}`: "invalidValue",
		`"title":"a\u0000b"`: "invalidSyntax", `"title":"\ud800"`: "invalidSyntax", "\"title\":\"\xff\"": "invalidSyntax",
	} {
		b.refused(b.call("PUT", "/Users/"+id, `{`+userSchema+`,"userName":"other",`+part+`}`), http.StatusBadRequest, scimType)
		b.refused(b.call("POST", "/Users", `{`+userSchema+`,"userName":"new",`+part+`}`), http.StatusBadRequest, scimType)
	}
	if after := b.call("GET", "/Users/"+id, "").Body; after != before {
		t.Errorf("a refused request changed %s to %s", before, after)
	}
	if names := b.names("/Users", `userName eq "new"`, "id"); names != "" {
		t.Errorf("a refused request made user %s", names)
	}
	long := strings.Repeat("x", 15<<10) // below the limit
	if a := b.patch("/Users/"+id, `{"op":"add","path":"title","value":"`+long+`"}`).Expect(http.StatusOK); a.String("title") != long {
		t.Error("a long title is cut")
	}
}

// Filters and the parameter attributes know what is kept, by its names and with the URI of the schema.
func TestFiltersOfWhatIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.call("POST", "/Users", `{`+userSchema+`,"userName":"ada",`+everything+`}`).Expect(http.StatusCreated).String("id")
	b.add("bob")
	for filter, finds := range map[string]bool{
		`title eq "dr."`: true, `title sw "x"`: false, `urn:ietf:params:scim:schemas:core:2.0:User:title pr`: true,
		enterprise + `:department eq "Tour Operations"`: true, strings.ToUpper(enterprise) + `:DEPARTMENT co "tour"`: true, enterprise + `:department eq "x"`: false,
		enterprise + `:manager eq "4711"`: true, enterprise + `:manager.value eq "4711"`: true, enterprise + `:manager.displayName pr`: true,
		enterprise + `:manager[value eq "4711"]`: true, enterprise + ` pr`: true,
		`phoneNumbers[type eq "mobile" and value sw "+43"]`: true, `phoneNumbers[type eq "fax"]`: false, `phoneNumbers.type eq "mobile"`: true,
		`addresses.country eq "AT"`: true, `addresses[type eq "home" and locality pr]`: false, `photos.value ew "ada.png"`: true,
	} {
		found := b.names("/Users", `userName sw "a" and `+filter, "id") == id
		if others := b.names("/Users", `userName eq "bob" and `+filter, "id"); found != finds || others != "" {
			t.Errorf("%s: %v, and others: %q", filter, found, others)
		}
	}
	for _, c := range []struct{ parameter, has, not string }{
		{"attributes=" + enterprise + ":department", `"department"`, `"division"`},
		{"attributes=" + enterprise, `"manager"`, `"title"`},
		{"attributes=" + enterprise + ":manager.value,title", `"manager":{"value":"4711"}`, `"department"`},
		{"attributes=title", `"title"`, enterprise + `":{`},
		{"excludedAttributes=" + enterprise, `"title"`, enterprise + `":{`},
		{"excludedAttributes=" + enterprise + ":department,addresses.country", `"division"`, `"department"`},
		{"excludedAttributes=addresses.country", `"Wien"`, `"country"`},
	} {
		a := b.call("GET", "/Users/"+id+"?"+c.parameter, "").Expect(http.StatusOK)
		if !strings.Contains(a.Body, c.has) || strings.Contains(a.Body, c.not) {
			t.Errorf("%s: %s", c.parameter, a.Body)
		}
	}
	schemas := b.call("GET", "/Schemas", "").Expect(http.StatusOK).JSON()
	one := b.call("GET", "/Schemas/"+enterprise, "").Expect(http.StatusOK)
	if schemas["totalResults"] != 3.0 || one.String("name") != "EnterpriseUser" || !strings.Contains(one.Body, `"employeeNumber"`) {
		t.Errorf("%v schemas; %s", schemas["totalResults"], one.Body)
	}
	if user := b.call("GET", "/ResourceTypes/User", "").Expect(http.StatusOK); !strings.Contains(user.Body, `"schemaExtensions":[{"required":false,"schema":"`+enterprise+`"}]`) {
		t.Errorf("%s", user.Body)
	}
}

// The primary photo, else the first, becomes the claim picture. A picture that is another one by now is left until the photos change.
func TestPhotosAreThePicture(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("ada")
	for i, c := range []struct{ photos, own, want string }{
		{`[{"value":"https://a.example/1.png"},{"value":"https://a.example/2.png","primary":true}]`, "", "https://a.example/2.png"},
		{`[{"value":"https://a.example/3.png"}]`, "", "https://a.example/3.png"},
		{`[{"value":"https://a.example/3.png"}]`, "https://own.example/x.png", "https://own.example/x.png"},
		{`[]`, "", "https://own.example/x.png"},
		{`[{"value":"https://a.example/4.png"}]`, "", "https://a.example/4.png"},
		{`[]`, "", ""},
	} {
		u, err := b.Store.UserByUsername(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		if c.own != "" {
			if _, err := b.Users().Update(t.Context(), u.ID, storage.UserChange{Picture: &c.own}); err != nil {
				t.Fatal(err)
			}
		}
		b.patch("/Users/"+id, `{"op":"replace","path":"photos","value":`+c.photos+`}`).Expect(http.StatusOK)
		if u, err = b.Store.UserByUsername(t.Context(), "ada"); err != nil || u.Picture != c.want {
			t.Errorf("%d: the picture is %q, want %q: %v", i, u.Picture, c.want, err)
		}
	}
}
