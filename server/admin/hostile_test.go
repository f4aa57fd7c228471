package admin_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/admin"
	"latchkey/server/servertest"
)

// operation is an operation of the OpenAPI document.
type operation struct {
	method, path string
	Security     []map[string][]string
	Parameters   []struct {
		Name, In string
		Schema   struct{ Type any }
	}
	RequestBody *struct{}
	Responses   map[string]any
}

// scope is the one that the operation needs.
func (o *operation) scope() string { return o.Security[0]["oauth2"][0] }

// url is the path with something in the place of its variables.
func (o *operation) url(value string) string {
	path := strings.TrimPrefix(o.path, admin.Prefix)
	for _, p := range o.Parameters {
		if p.In == "path" {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
		}
	}
	return path
}

// example is a value that a variable of the path can have.
func (o *operation) example() string {
	if strings.Contains(o.path, "/sessions/") || strings.Contains(o.path, "/registration-tokens/") {
		return "019c0000-0000-7000-8000-000000000000"
	}
	return "4711"
}

// operations reads the OpenAPI document.
func (b *bundle) operations() (all []*operation) {
	b.t.Helper()
	a := b.Get(b.Admin + admin.OpenAPIPath).Expect(http.StatusOK)
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]*operation
	}
	if err := json.Unmarshal([]byte(a.Body), &document); err != nil {
		b.t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" {
		b.t.Errorf("OpenAPI %s", document.OpenAPI)
	}
	for path, methods := range document.Paths {
		for method, o := range methods {
			o.method, o.path = strings.ToUpper(method), path
			all = append(all, o)
		}
	}
	if len(all) < 10 {
		b.t.Fatalf("%d operations", len(all))
	}
	return all
}

// Every operation refuses every request without a token of this server, for this API, alive, with its scope; and says how to get in
// (RFC 6750 §3).
func TestEveryOperationNeedsItsToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.AddClient(clients.Registration{ID: "other", Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}, Scope: "latchkey:nothing:read read"}})
	gone := b.AddClient(clients.Registration{ID: "gone", Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}, Scope: allScopes()}})
	foreign := servertest.New(t)
	ofGone := b.issue(gone, allScopes())
	if err := b.Clients().SetDisabled(t.Context(), "gone", true); err != nil {
		t.Fatal(err)
	}
	stranger := foreign.AddClient(clients.Registration{ID: "automation", Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}, Scope: allScopes()}})
	plain := func(c servertest.Client, scope string) string {
		return b.Token(c, "grant_type", "client_credentials", "scope", scope).Expect(http.StatusOK).String("access_token")
	}
	login := b.Login(b.Backend)
	invalid := map[string]string{
		"another issuer": foreign.Token(stranger, "grant_type", "client_credentials", "scope", allScopes(), "resource", admin.Resource(foreign.URL)).
			Expect(http.StatusOK).String("access_token"),
		"the issuer's audience": plain(b.root, allScopes()),
		"bound to a key": b.PostForm("/oauth2/token", servertest.Form("grant_type", "client_credentials", "scope", allScopes(), "resource", admin.Resource(b.URL)),
			b.root.Basic(), servertest.NewKey(t).DPoP(b.Server)).Expect(http.StatusOK).String("access_token"),
		"a user's token":    login.Access,
		"a refresh token":   login.Refresh,
		"a disabled client": ofGone,
		"changed":           b.token[:len(b.token)-6] + "AAAAAA",
		"text":              "x",
		"odd":               "\xff\xfe{}",
		"simplejwt":         b.LoginSimpleJWT().Access,
		"long":              strings.Repeat("A", 20_000),
	}
	lacking := map[string]string{"no scope of the API": b.issue(other, "latchkey:nothing:read")}
	for _, o := range b.operations() {
		send := func(edits ...servertest.Edit) *servertest.Answer {
			return b.Do(o.method, b.Admin+admin.Prefix+o.url(o.example()), "{}", edits...)
		}
		name := o.method + " " + o.path
		a := send()
		b.problem(a, http.StatusUnauthorized)
		if got := a.Header.Values("WWW-Authenticate"); len(got) != 2 || got[0] != `Bearer realm="latchkey"` || !strings.HasPrefix(got[1], "DPoP ") {
			t.Errorf("%s: without a token the challenge is %q", name, got)
		}
		for what, token := range invalid {
			a := send(servertest.Header("Authorization", "Bearer "+token))
			if b.problem(a, http.StatusUnauthorized); !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
				t.Errorf("%s: %s: the challenge is %q", name, what, a.Header.Values("WWW-Authenticate"))
			}
		}
		for scope := range admin.Scopes() {
			if scope != o.scope() {
				lacking[scope] = ""
			}
		}
		for what, token := range lacking {
			if what == o.scope() {
				continue
			}
			if token == "" {
				token = b.issue(b.root, what)
				lacking[what] = token
			}
			a := send(servertest.Header("Authorization", "Bearer "+token))
			b.problem(a, http.StatusForbidden)
			if got := a.Header.Get("WWW-Authenticate"); !strings.Contains(got, `error="insufficient_scope"`) || !strings.Contains(got, `scope="`+o.scope()+`"`) {
				t.Errorf("%s: %s: the challenge is %q", name, what, got)
			}
		}
		for _, edit := range []servertest.Edit{
			func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer " + b.token, "Bearer " + b.token} },
			func(r *http.Request) { r.URL.RawQuery = "access_token=" + b.token },
			servertest.Header("Authorization", "DPoP "+b.token),
			servertest.Header("Authorization", "Basic "+b.token),
		} {
			if a := send(edit); a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest {
				t.Errorf("%s: a token sent in an odd way: %d", name, a.Status)
			}
		}
	}
	b.Clock.Advance(20 * time.Minute)
	for _, o := range b.operations() {
		a := b.Do(o.method, b.Admin+admin.Prefix+o.url(o.example()), "{}", servertest.Header("Authorization", "Bearer "+b.token))
		b.problem(a, http.StatusUnauthorized)
	}
}

// Every operation answers hostile requests with a refusal in the form of RFC 9457 that its description has, never with a failure, and echoes no
// value of them: it may be a password.
func TestEveryOperationRefusesHostileInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const marker = "zq7marker"
	refused := func(what string, o *operation, a *servertest.Answer) {
		t.Helper()
		if a.Status < 400 || a.Status >= 500 {
			t.Errorf("%s %s: %s: status %d; the body is %.300s", o.method, o.path, what, a.Status, a.Body)
			return
		}
		b.problem(a, a.Status)
		if strings.Contains(a.Body, marker) {
			t.Errorf("%s %s: %s: the request is echoed: %s", o.method, o.path, what, a.Body)
		}
		if o.Responses[strconv.Itoa(a.Status)] == nil {
			t.Errorf("%s %s: %s: status %d is not described", o.method, o.path, what, a.Status)
		}
	}
	for _, o := range b.operations() {
		path := o.url(o.example())
		for what, query := range map[string]string{
			"unknown":        "unknown=" + marker,
			"repeated":       "limit=1&limit=1",
			"empty":          "limit=",
			"NUL":            "cursor=%00" + marker,
			"not UTF-8":      "cursor=%ff" + marker,
			"broken escape":  "cursor=%zz" + marker,
			"too many":       strings.Repeat("a=1&", 200),
			"a forged token": "cursor=" + marker + "&dry_run=perhaps",
		} {
			refused("query "+what, o, b.call(o.method, path+"?"+query, "", anyway))
		}
		for _, p := range o.Parameters {
			switch p.In {
			case "query":
				if p.Schema.Type != "string" {
					refused("type of "+p.Name, o, b.call(o.method, path+"?"+p.Name+"="+marker, "", anyway))
				}
				refused("huge "+p.Name, o, b.call(o.method, path+"?"+p.Name+"="+strings.Repeat("9", 9000), "", anyway))
			case "path":
				for what, value := range map[string]string{
					"NUL": "%00", "not UTF-8": "%ff", "slash": "a%2Fb", "dots": "%2e%2e", "huge": strings.Repeat("9", 9000), "negative": "-1",
					"zero": "0", "script": "%3Cscript%3E" + marker,
				} {
					a := b.call(o.method, o.url(value), "{}", anyway)
					refused("path "+what, o, a)
				}
			}
		}
		if o.RequestBody == nil {
			continue
		}
		for what, body := range map[string]string{
			"empty": "", "not JSON": "{" + marker, "list": "[]", "text": `"` + marker + `"`, "null": "null", "number": "1",
			"unknown member": `{"unknown":"` + marker + `"}`, "repeated member": `{"a":1,"a":1}`, "null member": `{"username":null}`, "NUL": `{"a":"\u0000"}`,
			"half a surrogate": `{"a":"\ud800"}`, "not UTF-8": "{\"a\":\"\xff\"}", "huge": `{"a":"` + strings.Repeat("x", 70_000) + `"}`,
			"deep": strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), "two": "{}{}",
		} {
			refused("body "+what, o, b.call(o.method, path, body, anyway, servertest.Header("Content-Type", "application/json")))
		}
		for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "a/b/c"} {
			refused("type "+kind, o, b.call(o.method, path, `{}`, anyway, servertest.Header("Content-Type", kind)))
		}
	}
}

// Methods that an operation does not have are refused with those that it has; what is no address of the API is a problem too.
func TestOtherMethodsAndAddresses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	allowed := map[string]string{}
	for _, o := range b.operations() {
		allowed[o.path] += o.method + " "
	}
	for path, methods := range allowed {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			if strings.Contains(methods, method+" ") {
				continue
			}
			a := b.Do(method, b.Admin+strings.NewReplacer("{id}", "1").Replace(path), "")
			if b.problem(a, http.StatusMethodNotAllowed); a.Header.Get("Allow") == "" {
				t.Errorf("%s %s: no Allow", method, path)
			}
		}
	}
	for _, path := range []string{"/", "/users/", "/nothing", "/users/1/2", "//users", "/../v1/users", "/users/1/disable/"} {
		b.problem(b.call("GET", path, ""), http.StatusNotFound)
	}
}

// The API is where --admin-api says: on the admin listener, on the public one, or nowhere, and then no token is for it.
func TestWhereItIs(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"admin", "public", "off"} {
		b := &bundle{t: t, Server: servertest.New(t, configured(where))}
		root := b.AddClient(clients.Registration{ID: "automation", Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}, Scope: allScopes()}})
		got := b.Token(root, "grant_type", "client_credentials", "scope", "latchkey:users:read", "resource", admin.Resource(b.URL))
		if where == "off" {
			got.ExpectError(http.StatusBadRequest, "invalid_target")
		}
		for side, url := range map[string]string{"admin": b.Admin, "public": b.URL} {
			want := http.StatusNotFound
			if side == where {
				want = http.StatusOK
			}
			b.Get(url + admin.OpenAPIPath).Expect(want)
			b.Get(url+admin.Prefix+"/users", servertest.Header("Authorization", "Bearer "+got.String("access_token"))).Expect(want)
		}
	}
}

// Names of members have one spelling: a check that reads them must not see other values than those that count.
func TestNamesOfMembersAreExact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, body := range []string{
		`{"username":"ann","USERNAME":"eve"}`, `{"USERNAME":"ann"}`, `{"username":"ann","\u017fubject":"eve"}`, `{"username":"ann","id":7,"ID":8}`,
	} {
		b.problem(b.call("POST", "/users", body), http.StatusUnprocessableEntity)
	}
	b.call("POST", "/users", `{"username":"ann","attributes":{"Tenant":"a","tenant":"b"}}`).Expect(http.StatusCreated)
}
