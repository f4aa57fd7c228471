package oauth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/teststore"
)

const registerPath = "/oauth2/register"

// registering makes a server of a registration mode.
func registering(t *testing.T, mode string, opts ...servertest.Option) *servertest.Server {
	t.Helper()
	return servertest.New(t, append(opts, servertest.Configure(func(c *server.Config) {
		c.Registration = mode
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	}))...)
}

// app is the metadata of a public client, changed by names and values.
func app(pairs ...any) map[string]any {
	m := map[string]any{
		"client_name": "App", "redirect_uris": []string{"https://app.example/callback"}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"},
	}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// from tells where a request comes from, as a proxy would.
func from(address string) servertest.Edit { return servertest.Header("X-Forwarded-For", address) }

func initialToken(t *testing.T, s *servertest.Server, token registry.InitialToken) string {
	t.Helper()
	_, secret, err := s.Clients().AddInitialToken(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal()
}

func put(s *servertest.Server, uri, token string, v any) *servertest.Answer {
	body, _ := json.Marshal(v)
	return s.Do("PUT", uri, string(body), servertest.Header("Content-Type", "application/json"), bearer(token))
}

// Statement 61: the three modes; an initial access token is good for its uses and for its time, whatever happens at once.
func TestStatement61RegistrationModes(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		off := registering(t, "off", servertest.Store(open(t)))
		off.PostJSON(registerPath, app()).Expect(404)
		off.Get(registerPath + "/spa").Expect(404)

		s := registering(t, "token", servertest.Store(open(t)))
		a := s.PostJSON(registerPath, app()).ExpectError(401, "invalid_token")
		if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="latchkey"` {
			t.Errorf("without a token: WWW-Authenticate is %q", got)
		}
		token := initialToken(t, s, registry.InitialToken{Uses: 1, TTL: time.Hour})
		for name, bad := range map[string]string{
			"made up": "lk_iat_" + strings.Repeat("0", 49), "nothing like one": "x", "a registration token of nobody": "lk_rat_" + strings.Repeat("0", 49),
		} {
			a := s.PostJSON(registerPath, app(), bearer(bad)).ExpectError(401, "invalid_token")
			if got := a.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="latchkey", error="invalid_token"`) {
				t.Errorf("%s: WWW-Authenticate is %q", name, got)
			}
		}
		s.PostJSON(registerPath, app(), servertest.Header("Authorization", "Basic eDp5")).ExpectError(401, "invalid_token")
		// What is wrong with the metadata costs no use.
		s.PostJSON(registerPath, app("redirect_uris", []string{"javascript:alert(1)"}), bearer(token)).ExpectError(400, "invalid_redirect_uri")
		a = s.PostJSON(registerPath, app(), bearer(token)).Expect(201)
		if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers are %v", a.Header)
		}
		s.PostJSON(registerPath, app(), bearer(token)).ExpectError(401, "invalid_token")

		ends := initialToken(t, s, registry.InitialToken{Uses: -1, TTL: time.Hour})
		s.PostJSON(registerPath, app(), bearer(ends)).Expect(201)
		s.Clock.Advance(time.Hour)
		s.PostJSON(registerPath, app(), bearer(ends)).ExpectError(401, "invalid_token")

		// One use, twenty at once.
		once := initialToken(t, s, registry.InitialToken{Uses: 1, TTL: time.Hour})
		var made atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if s.PostJSON(registerPath, app(), bearer(once)).Status == 201 {
					made.Add(1)
				}
			})
		}
		wg.Wait()
		if made.Load() != 1 {
			t.Errorf("a token for one client made %d", made.Load())
		}

		free := registering(t, "open", servertest.Store(open(t)))
		free.PostJSON(registerPath, app()).Expect(201)
		// A token that is no good is not the same as none.
		free.PostJSON(registerPath, app(), bearer(token)).ExpectError(401, "invalid_token")
	})
}

// Statement 61: an initial access token carries a policy, and no metadata does.
func TestStatement61PolicyComesFromTheToken(t *testing.T) {
	t.Parallel()
	s := registering(t, "token")
	token := initialToken(t, s, registry.InitialToken{Uses: -1, TTL: time.Hour, Policy: clients.Policy{
		FirstParty: true, AccessTokenTTL: clients.Duration(time.Minute), Resources: []string{"https://api.example"},
	}})
	a := s.PostJSON(registerPath, app("first_party", true, "introspect_all", true, "verified", true, "access_token_ttl", "9h"), bearer(token)).Expect(201)
	for _, name := range []string{"first_party", "introspect_all", "verified", "access_token_ttl", "resources"} {
		if got, ok := a.JSON()[name]; ok {
			t.Errorf("the answer shows %s: %v", name, got)
		}
	}
	c, err := s.Clients().Client(t.Context(), a.String("client_id"))
	if err != nil {
		t.Fatal(err)
	}
	if !c.FirstParty || c.AccessTokenTTL.Std() != time.Minute || len(c.Resources) != 1 || c.IntrospectAll || c.Policy.Verified {
		t.Errorf("the policy is %+v", c.Policy)
	}
}

// Statement 61: the client configuration endpoint takes the client's own present registration access token and no other.
func TestStatement61RegistrationAccessTokens(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := registering(t, "open", servertest.Store(open(t)))
		mine := s.PostJSON(registerPath, app("token_endpoint_auth_method", "client_secret_basic")).Expect(201)
		other := s.PostJSON(registerPath, app("client_name", "Other")).Expect(201)
		id, uri, token := mine.String("client_id"), mine.String("registration_client_uri"), mine.String("registration_access_token")
		if uri != s.URL+registerPath+"/"+id || mine.String("client_secret") == "" {
			t.Fatalf("the answer is %s", mine.Body)
		}
		foreign := other.String("registration_access_token")
		for name, bad := range map[string]string{"another client's": foreign, "the client's secret": mine.String("client_secret"), "made up": "x"} {
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				a := s.Do(method, uri, `{"client_id": "`+id+`"}`, servertest.Header("Content-Type", "application/json"), bearer(bad))
				if a.Status != 401 || a.String("error") != "invalid_token" || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer ") {
					t.Errorf("%s with %s: %d %s", method, name, a.Status, a.Body)
				}
			}
		}
		s.Get(uri).ExpectError(401, "invalid_token")
		s.Get(s.URL+registerPath+"/nobody", bearer(token)).ExpectError(401, "invalid_token")
		// One that an operator added has none.
		s.Get(s.URL+registerPath+"/spa", bearer(token)).ExpectError(401, "invalid_token")
		s.Do("HEAD", uri, "", bearer(token)).Expect(405)

		// It stays when the client reads, and an update replaces it (RFC 7592 §3).
		a := s.Get(uri, bearer(token)).Expect(200)
		next := a.String("registration_access_token")
		if next != token || a.String("client_name") != "App" || a.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("read: %s", a.Body)
		}
		s.Get(uri, bearer(token)).Expect(200)
		a = put(s, uri, next, app("client_id", id, "client_name", "Renamed", "token_endpoint_auth_method", "client_secret_basic")).Expect(200)
		put(s, uri, next, app("client_id", id)).ExpectError(401, "invalid_token")
		last := a.String("registration_access_token")
		if a.String("client_name") != "Renamed" || last == next {
			t.Errorf("replaced: %s", a.Body)
		}

		// Twenty at once with one token: one passes.
		var passed atomic.Int32
		var wg sync.WaitGroup
		tokens := make(chan string, 20)
		for range 20 {
			wg.Go(func() {
				if a := put(s, uri, last, app("client_id", id)); a.Status == 200 {
					passed.Add(1)
					tokens <- a.String("registration_access_token")
				}
			})
		}
		wg.Wait()
		if passed.Load() != 1 {
			t.Fatalf("one token was good %d times", passed.Load())
		}
		last = <-tokens
		put(s, uri, last, app("client_id", "another")).ExpectError(400, "invalid_client_metadata")
		s.Do("DELETE", uri, "", bearer(last)).Expect(204)
		s.Do("DELETE", uri, "", bearer(last)).ExpectError(401, "invalid_token")
		s.Token(servertest.Client{ID: id, Secret: storage.Secret(mine.String("client_secret"))}, "grant_type", "client_credentials").ExpectError(401, "invalid_client")
		s.Get(other.String("registration_client_uri"), bearer(foreign)).Expect(200)

		for _, action := range []string{"client_registered", "client_registration_updated", "client_registration_removed"} {
			events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: action, ClientID: id, Limit: 1})
			if err != nil || len(events) != 1 || events[0].Address != "127.0.0.1" || events[0].RequestID == "" {
				t.Errorf("%s: %+v, %v", action, events, err)
			}
		}
	})
}

// A peer without an address, such as one on a Unix socket, leaves the field empty.
func TestL1RegistrationFromUnknownAddressIsAuditedWithoutOne(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	body, _ := json.Marshal(app())
	r := httptest.NewRequest("POST", s.URL+registerPath, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = "@"
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "client_registered", Limit: 2})
	if err != nil || len(events) != 1 || events[0].Address != "" || events[0].RequestID == "" {
		t.Errorf("%+v, %v", events, err)
	}
}

// Statement 62: who registers the same again gets the same; who registers too much gets 429, alone and all together.
func TestStatement62OpenRegistrationIsBounded(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := registering(t, "open", servertest.Store(open(t)), servertest.Configure(func(c *server.Config) { c.RegistrationUnusedLimit = 50 }))
		first := s.PostJSON(registerPath, app(), from("192.0.2.1")).Expect(201).String("client_id")
		if again := s.PostJSON(registerPath, app(), from("192.0.2.1")).Expect(201).String("client_id"); again != first {
			t.Errorf("the same from the same place is %s, then %s", first, again)
		}
		if other := s.PostJSON(registerPath, app(), from("192.0.2.2")).Expect(201).String("client_id"); other == first {
			t.Error("the same from another place is the same client")
		}

		// A place is a /64: another address there is no other place.
		for i := range 20 {
			s.PostJSON(registerPath, app("client_name", fmt.Sprint(i)), from(fmt.Sprintf("2001:db8::%x", i+1))).Expect(201)
		}
		a := s.PostJSON(registerPath, app("client_name", "more"), from("2001:db8::ffff")).Expect(429)
		if got := a.Header.Get("Retry-After"); got != "180" {
			t.Errorf("Retry-After is %q", got)
		}
		s.PostJSON(registerPath, app("client_name", "more"), from("2001:db8:0:1::1")).Expect(201)
		s.Clock.Advance(3 * time.Minute)
		s.PostJSON(registerPath, app("client_name", "more"), from("2001:db8::ffff")).Expect(201)

		// No more rows than there may be, from however many places.
		full := 0
		for i := range 60 {
			a := s.PostJSON(registerPath, app("client_name", "flood"), from(fmt.Sprintf("198.51.100.%d", i)))
			switch a.Status {
			case 201:
			case 429:
				full++
				if a.Header.Get("Retry-After") == "" {
					t.Errorf("429 without Retry-After: %v", a.Header)
				}
			default:
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		}
		rows, err := s.Clients().List(t.Context(), "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		unused := 0
		for _, c := range rows {
			if !c.ExpiresAt.IsZero() {
				unused++
			}
		}
		if unused != 50 || full == 0 {
			t.Errorf("%d unused clients, and %d refusals", unused, full)
		}
		// The operator's clients go on, and so does who has a token.
		s.Login(s.SPA)
		s.PostJSON(registerPath, app(), bearer(initialToken(t, s, registry.InitialToken{Uses: 1, TTL: time.Hour}))).Expect(201)
	})
}

// Statement 62: six hundred an hour in all, from however many places.
func TestStatement62AllPlacesTogether(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	at := func(i int) *servertest.Answer {
		return s.PostJSON(registerPath, app(), from(fmt.Sprintf("10.1.%d.%d", i/250, i%250)))
	}
	for i := range 600 {
		at(i).Expect(201)
	}
	if got := at(601).Expect(429).Header.Get("Retry-After"); got != "6" {
		t.Errorf("Retry-After is %q", got)
	}
}

// Statement 63: metadata that nobody knows is ignored: it comes back nowhere, not even from the database. Names lose what would
// change how the page around them looks.
func TestStatement63UnknownMetadata(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	a := s.PostJSON(registerPath, app("canary_member", "canary-value", "client_name#de", "canary-de",
		"client_name", "Good\u202e\u200b Bank\u0007 <b>", "client_id", "chosen", "client_secret", "chosen-canary", "origin", "operator", "disabled", true)).Expect(201)
	if strings.Contains(a.Body, "canary") || a.String("client_id") == "chosen" {
		t.Errorf("the answer is %s", a.Body)
	}
	if got := a.String("client_name"); got != "Good Bank <b>" {
		t.Errorf("the name is %q", got)
	}
	row, err := s.Store.Client(t.Context(), a.String("client_id"))
	if err != nil || strings.Contains(string(row.Metadata), "canary") || row.Origin != storage.OriginRegistration || row.Disabled {
		t.Errorf("the row is %s, %v", row.Metadata, err)
	}
}

// Statement 30: the password grant can't be registered for, and can't be put in later.
func TestStatement30NoPasswordGrantForWhoRegisters(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	grants := []string{"password", "authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer", "implicit"}
	a := s.PostJSON(registerPath, app("grant_types", grants)).Expect(201)
	want := `["authorization_code","refresh_token"]`
	shown := func(a *servertest.Answer) string {
		list, _ := json.Marshal(a.JSON()["grant_types"])
		return string(list)
	}
	if shown(a) != want {
		t.Errorf("granted %s", shown(a))
	}
	id := a.String("client_id")
	s.Token(servertest.Client{ID: id}, "grant_type", "password", "username", servertest.Username, "password", servertest.Password).
		ExpectError(400, "unauthorized_client")
	a = put(s, a.String("registration_client_uri"), a.String("registration_access_token"), app("client_id", id, "grant_types", grants)).Expect(200)
	if shown(a) != want {
		t.Errorf("granted later: %s", shown(a))
	}
	s.PostJSON(registerPath, app("grant_types", []string{"password"})).ExpectError(400, "invalid_client_metadata")
}

// Statement 69: no page of an origin that is none may read registrations; others may where everybody may register, without
// credentials.
func TestStatement69RegistrationFromBrowsers(t *testing.T) {
	t.Parallel()
	const stranger = "https://inspector.example"
	open, closed := registering(t, "open"), registering(t, "token")
	for _, c := range []struct {
		s      *servertest.Server
		origin string
		want   string
	}{
		{open, stranger, stranger},
		{open, "null", ""},
		{closed, stranger, ""},
		{closed, servertest.Origin, servertest.Origin},
		{closed, "null", ""},
	} {
		for name, a := range map[string]*servertest.Answer{
			"register": c.s.PostJSON(registerPath, app(), servertest.Header("Origin", c.origin)),
			"preflight": c.s.Do("OPTIONS", registerPath, "", servertest.Header("Origin", c.origin),
				servertest.Header("Access-Control-Request-Method", "POST"), servertest.Header("Access-Control-Request-Headers", "content-type,mcp-protocol-version")),
			"preflight of an update": c.s.Do("OPTIONS", registerPath+"/x", "", servertest.Header("Origin", c.origin),
				servertest.Header("Access-Control-Request-Method", "PUT"), servertest.Header("Access-Control-Request-Headers", "authorization")),
		} {
			h := a.Header
			if got := h.Get("Access-Control-Allow-Origin"); got != c.want || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Vary") == "" {
				t.Errorf("%s from %s: allowed is %q, want %q; %v", name, c.origin, got, c.want, h)
			}
			if name == "preflight" && c.want != "" && !strings.Contains(h.Get("Access-Control-Allow-Headers"), "mcp-protocol-version") {
				t.Errorf("preflight from %s: %v", c.origin, h)
			}
		}
	}
	// Once it is registered, its pages may use the other endpoints as well.
	if got := open.PostForm("/oauth2/token", nil, servertest.Header("Origin", stranger)).Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("before: %q", got)
	}
	open.PostJSON(registerPath, app("redirect_uris", []string{stranger + "/oauth/callback"})).Expect(201)
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke"} {
		if got := open.PostForm(path, nil, servertest.Header("Origin", stranger)).Header.Get("Access-Control-Allow-Origin"); got != stranger {
			t.Errorf("%s after: %q", path, got)
		}
	}
}

func TestRegistrationRefusesBadRequests(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	post := func(body, kind string) *servertest.Answer {
		return s.Do("POST", registerPath, body, servertest.Header("Content-Type", kind))
	}
	post(`{}`, "text/plain").ExpectError(400, "invalid_client_metadata")
	post(`redirect_uris=x`, "application/x-www-form-urlencoded").ExpectError(400, "invalid_client_metadata")
	post(`[]`, "application/json").ExpectError(400, "invalid_client_metadata")
	post(``, "application/json").ExpectError(400, "invalid_client_metadata")
	post(`{"redirect_uris": "https://app.example/"}`, "application/json").ExpectError(400, "invalid_redirect_uri")
	post(strings.Repeat("[", 30_000), "application/json; charset=utf-8").ExpectError(400, "invalid_client_metadata")
	post(`{"client_name": "`+strings.Repeat("x", 70_000)+`"}`, "application/json").Expect(413)
	s.Get(registerPath).Expect(405)
	a := post(`{"redirect_uris": ["http://app.example/"], "token_endpoint_auth_method": "client_secret_jwt"}`, "application/json").Expect(400)
	if d := a.String("error_description"); !strings.Contains(d, "redirect_uris") {
		t.Errorf("the sentence is %q", d)
	}
}

// A database that is away is no statement about the client.
func TestRegistrationDuringAnOutage(t *testing.T) {
	t.Parallel()
	store := servertest.NewOutage(sqlitetest.SQLite(t))
	s := registering(t, "open", servertest.Store(store))
	a := s.PostJSON(registerPath, app()).Expect(201)
	store.Away(true)
	for name, got := range map[string]*servertest.Answer{
		"register": s.PostJSON(registerPath, app("client_name", "x")),
		"read":     s.Get(a.String("registration_client_uri"), bearer(a.String("registration_access_token"))),
	} {
		if got.Status != 503 || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
}

// registeredSecret returns the client secret of a registration.
func registeredSecret(a *servertest.Answer) storage.Secret {
	return storage.Secret(a.String("client_secret"))
}
