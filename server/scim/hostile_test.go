package scim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"latchkey/server"
	"latchkey/server/scim"
	"latchkey/server/servertest"
)

// Hostile bodies are refused in SCIM's form and change nothing.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, group := b.add("ada"), b.addGroup("staff")
	long := strings.Repeat("x", 300_000)
	for name, c := range map[string]struct {
		body, scimType string
		status         int
	}{
		"empty":                 {``, "invalidSyntax", 400},
		"null":                  {`null`, "invalidSyntax", 400},
		"a list":                {`[]`, "invalidSyntax", 400},
		"a text":                {`"x"`, "invalidSyntax", 400},
		"cut":                   {`{"schemas":[`, "invalidSyntax", 400},
		"two":                   {`{} {}`, "invalidSyntax", 400},
		"no schemas":            {`{"userName":"x","displayName":"x"}`, "invalidSyntax", 400},
		"schemas are a text":    {`{"schemas":"urn:ietf:params:scim:schemas:core:2.0:User","userName":"x"}`, "invalidSyntax", 400},
		"a member twice":        {`{` + userSchema + `,"userName":"x","userName":"y"}`, "invalidSyntax", 400},
		"a member in two cases": {`{` + userSchema + `,"userName":"x","USERNAME":"y"}`, "invalidSyntax", 400},
		"a member with ſ":       {`{` + userSchema + `,"userName":"x","uſerName":"y"}`, "invalidSyntax", 400},
		"NUL":                   {`{` + userSchema + `,"userName":"x\u0000"}`, "invalidSyntax", 400},
		"half a surrogate":      {`{` + userSchema + `,"userName":"\ud800"}`, "invalidSyntax", 400},
		"not UTF-8":             {"{" + userSchema + ",\"userName\":\"\xff\"}", "invalidSyntax", 400},
		"deep":                  {`{` + userSchema + `,"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, "invalidSyntax", 400},
		"huge":                  {`{"x":"` + strings.Repeat("x", 3<<20) + `"}`, "", 413},
	} {
		for _, at := range []string{"POST /Users", "PUT /Users/" + id, "PATCH /Users/" + id, "POST /Groups", "PUT /Groups/" + group, "PATCH /Groups/" + group, "POST /Users/.search"} {
			method, path, _ := strings.Cut(at, " ")
			a := b.call(method, path, c.body)
			if a.Status != c.status {
				t.Errorf("%s, %s: %d %.200s", name, at, a.Status, a.Body)
				continue
			}
			b.refused(a, c.status, c.scimType)
		}
	}
	for _, body := range map[string]string{
		"no name":           `"externalId":"x"`,
		"an empty name":     `"userName":""`,
		"a number":          `"userName":7`,
		"a huge name":       `"userName":"` + long + `"`,
		"a huge address":    `"userName":"x","emails":[{"value":"` + long + `"}]`,
		"emails of numbers": `"userName":"x","emails":[7]`,
		"name is a text":    `"userName":"x","name":"y"`,
		"active is a list":  `"userName":"x","active":[true]`,
		"a huge id":         `"userName":"x","externalId":"` + long + `"`,
		"a control":         `"userName":"x","displayName":"a\u001b[31mb"`,
		"no time zone":      `"userName":"x","timezone":"../etc"`,
	} {
		b.refused(b.call("POST", "/Users", `{`+userSchema+`,`+body+`}`), http.StatusBadRequest, "invalidValue")
	}
	if got := b.names("/Users", `userName eq "x"`, "id"); got != "" {
		t.Errorf("a refused request made %s", got)
	}
	operations := strings.TrimSuffix(strings.Repeat(`{"op":"add","path":"members","value":[{"value":"`+id+`"}]},`, 10_000), ",")
	b.refused(b.patch("/Groups/"+group, operations), http.StatusRequestEntityTooLarge, "")
	operations = strings.TrimSuffix(strings.Repeat(`{"op":"add","path":"members","value":[{"value":"`+id+`"}]},`, 1_000), ",")
	b.patch("/Groups/"+group, operations).Expect(http.StatusOK)
	b.refused(b.call("PATCH", "/Groups/"+group, `{`+patchSchema+`,"Operations":[]}`), http.StatusBadRequest, "invalidSyntax")
	b.refused(b.call("PATCH", "/Groups/"+group, `{`+patchSchema+`,"Operations":{"op":"add"}}`), http.StatusBadRequest, "invalidSyntax")
	for _, id := range []string{"0", "-1", "01", "x", "9223372036854775808", "1%2f2", "%00", "%ff", "4711"} {
		b.refused(b.call("GET", "/Users/"+id, ""), http.StatusNotFound, "")
	}
}

// Bodies come as application/scim+json or application/json (RFC 7644 §3.1, §8.1); answers are what the client accepts.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, c := range []struct {
		kind   string
		status int
	}{
		{"application/scim+json", 201},
		{"application/json", 201},
		{"application/scim+json; charset=utf-8", 201},
		{"APPLICATION/JSON", 201},
		{"text/json", 415},
		{"text/plain", 415},
		{"application/x-www-form-urlencoded", 415},
		{"application/json-patch+json", 415},
		{"///", 415},
	} {
		a := b.call("POST", "/Users", fmt.Sprintf(`{%s,"userName":"user-%d"}`, userSchema, i), servertest.Header("Content-Type", c.kind))
		if a.Status != c.status {
			t.Errorf("%s: %d %s", c.kind, a.Status, a.Body)
		}
	}
	for accept, want := range map[string]string{"": "application/scim+json", "*/*": "application/scim+json", "application/json": "application/json", "application/json, application/scim+json": "application/scim+json"} {
		if got := b.call("GET", "/Users", "", servertest.Header("Accept", accept)).Expect(http.StatusOK).Header.Get("Content-Type"); got != want {
			t.Errorf("Accept: %s: %s", accept, got)
		}
	}
	b.refused(b.call("PUT", "/Users", "{}"), http.StatusMethodNotAllowed, "")
	b.refused(b.call("GET", "/Nothing", ""), http.StatusNotFound, "")
	for _, path := range []string{"/Bulk", "/.search", "/Me"} {
		b.refused(b.call("POST", path, "{}"), http.StatusNotImplemented, "")
	}
}

// described is an attribute of /Schemas.
type described struct {
	Name, Mutability, Returned string
	SubAttributes              []described
}

// What /Schemas says is what resources have: every attribute that is returned is in it, and every one in it can be there.
func TestSchemasAreTrue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if a := b.Get(b.Admin + scim.Prefix + "/ServiceProviderConfig").Expect(http.StatusOK); !strings.Contains(a.Body, `"sort":{"supported":false}`) {
		t.Errorf("%s", a.Body)
	}
	b.refused(b.Get(b.Admin+scim.Prefix+"/Schemas?filter=x"), http.StatusForbidden, "")
	id := b.call("POST", "/Users", `{`+userSchema+`,"userName":"ada","displayName":"A","name":{"givenName":"A","familyName":"B"},"locale":"en","timezone":"UTC",
		"password":"a long password","emails":[{"value":"a@example.com"}],"externalId":"x",`+everything+`}`).Expect(http.StatusCreated).String("id")
	group := b.addGroup("staff", id)
	b.patch("/Users/"+id, `{"op":"add","path":"name","value":{"middleName":"M","honorificPrefix":"Dr.","honorificSuffix":"III"}}`).Expect(http.StatusOK)
	for kind, path := range map[string]string{"User": "/Users/" + id, "Group": "/Groups/" + group} {
		var shown struct{ Attributes []described }
		a := b.call("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:"+kind, "").Expect(http.StatusOK)
		if err := json.Unmarshal([]byte(a.Body), &shown); err != nil || len(shown.Attributes) == 0 {
			t.Fatal(err, a.Body)
		}
		resource := b.call("GET", path, "").Expect(http.StatusOK).JSON()
		compareNames(t, kind, shown.Attributes, resource, []string{"id", "externalId", "schemas", "meta", enterprise})
		resourceType := b.call("GET", "/ResourceTypes/"+kind, "").Expect(http.StatusOK)
		if resourceType.String("schema") != "urn:ietf:params:scim:schemas:core:2.0:"+kind || !strings.HasPrefix(path, resourceType.String("endpoint")) {
			t.Errorf("%s", resourceType.Body)
		}
	}
}

func compareNames(t *testing.T, where string, attributes []described, o map[string]any, others []string) {
	t.Helper()
	for _, a := range attributes {
		v, ok := o[a.Name]
		if ok == (a.Returned == "never") {
			t.Errorf("%s.%s: there is one: %v", where, a.Name, ok)
		}
		if list, many := v.([]any); many { // what one of the elements has
			all := map[string]any{}
			for _, element := range list {
				maps.Copy(all, element.(map[string]any))
			}
			v = all
		}
		if inner, ok := v.(map[string]any); ok {
			compareNames(t, where+"."+a.Name, a.SubAttributes, inner, nil)
		}
	}
	for name := range o {
		if !slices.Contains(others, name) && !slices.ContainsFunc(attributes, func(a described) bool { return a.Name == name }) {
			t.Errorf("%s.%s is in no schema", where, name)
		}
	}
}

// SCIM is where the API for operators is.
func TestWhereSCIMIs(t *testing.T) {
	t.Parallel()
	for where, status := range map[string][2]int{server.AdminAPIPublic: {404, 200}, server.AdminAPIAdmin: {200, 404}, server.AdminAPIOff: {404, 404}} {
		s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.AdminAPI = where }))
		path := scim.Prefix + "/ServiceProviderConfig"
		if got := [2]int{s.Get(s.Admin + path).Status, s.Get(s.URL + path).Status}; got != status {
			t.Errorf("%s: %v", where, got)
		}
		if where == server.AdminAPIPublic && !strings.Contains(s.Get(s.URL+path).Body, s.URL+scim.Prefix+"/ServiceProviderConfig") {
			t.Errorf("the location is not below the issuer: %s", s.Get(s.URL+path).Body)
		}
	}
}
