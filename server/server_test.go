package server_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/latchkeytest/eventually"
	"latchkey/server"
	"latchkey/server/keys"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/teststore"
)

// config is a configuration that New accepts.
func config(t *testing.T, store storage.Store) server.Config {
	t.Helper()
	root, err := keys.NewRoot(storage.Secret(strings.Repeat("s", keys.MinSecret)))
	if err != nil {
		t.Fatal(err)
	}
	return server.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Issuer: "https://id.example",
		Store: store, Root: root, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		AccessTokenTTL: time.Minute, RefreshTokenTTL: time.Hour, RefreshTokenIdleTTL: time.Hour,
		LoginThrottle: true, Argon2: "m=8,t=1,p=1",
		SimpleJWT: server.SimpleJWT{Enabled: true, Algorithm: "HS256", Settings: simplejwt.Settings{AccessTokenLifetime: time.Minute, RefreshTokenLifetime: time.Hour}},
	}
}

func TestIssuerIsChecked(t *testing.T) {
	t.Parallel()
	for issuer, ok := range map[string]bool{
		"https://id.example":          true,
		"https://id.example:8443/a/b": true,
		"http://localhost:8000":       true,
		"http://[::1]:8000":           true,
		"":                            false,
		"id.example":                  false,
		"https://":                    false,
		"https:///x":                  false,
		"ftp://id.example":            false,
		"https://id.example/":         false,
		"https://id.example/a/":       false,
		"https://id.example?x=y":      false,
		"https://id.example?":         false,
		"https://id.example#":         false,
		"https://u:p@id.example":      false,
		"https://id.example/{x}":      false,
	} {
		cfg := config(t, servertest.NewOutage(nil))
		cfg.Issuer = issuer
		_, err := server.New(cfg)
		if (err == nil) != ok {
			t.Errorf("%q: %v", issuer, err)
		}
	}
}

func TestHSTSFollowsTheIssuer(t *testing.T) {
	t.Parallel()
	secure := servertest.New(t, servertest.Bare(), servertest.Configure(func(c *server.Config) { c.Issuer = "https://id.example" }))
	if secure.Get("/oauth2/jwks").Header.Get("Strict-Transport-Security") == "" {
		t.Error("none for an https issuer")
	}
	plain := servertest.New(t, servertest.Bare())
	if plain.Get("/oauth2/jwks").Header.Get("Strict-Transport-Security") != "" {
		t.Error("one for an http issuer")
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	s := servertest.New(t, servertest.Store(outage))
	s.Get(s.Admin + "/healthz").Expect(200).ExpectBody(`{"status":"ok"}`)
	s.Get(s.Admin + "/readyz").Expect(200).ExpectBody(`{"status":"ready"}`)

	outage.Away(true)
	eventually.True(t, "not ready while the database is unavailable", func() bool { return s.Get(s.Admin+"/readyz").Status == 503 })
	s.Get(s.Admin + "/readyz").ExpectBody(`{"status":"unavailable","reason":"the database is unavailable"}`)
	s.Get(s.Admin + "/healthz").Expect(200)
	outage.Away(false)
	eventually.True(t, "ready again", func() bool { return s.Get(s.Admin+"/readyz").Status == 200 })

	// The operator's side is not on the public one.
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		s.Get(path).Expect(404)
	}
}

// Probes of any number must not become a load for the database.
func TestProbesShareOnePing(t *testing.T) {
	t.Parallel()
	pings := &pingCounter{Store: sqlitetest.SQLite(t)}
	s := servertest.New(t, servertest.Bare(), servertest.Store(pings))
	begin := time.Now()
	for range 50 {
		s.Get(s.Admin + "/readyz").Expect(200)
	}
	if most := int(time.Since(begin)/time.Second) + 1; pings.n > most {
		t.Errorf("%d pings for 50 probes", pings.n)
	}
}

type pingCounter struct {
	storage.Store
	n int
}

func (p *pingCounter) Ping(ctx context.Context) error {
	p.n++ // under the lock of the readiness
	return p.Store.Ping(ctx)
}

func TestNotReadyBeforeStart(t *testing.T) {
	t.Parallel()
	srv, err := server.New(config(t, sqlitetest.SQLite(t)))
	if err != nil {
		t.Fatal(err)
	}
	if w := get(srv.AdminHandler(), "/readyz"); w.Code != 503 || !strings.Contains(w.Body.String(), "keys") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := get(srv.AdminHandler(), "/readyz"); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Login(s.SPA)
	s.Token(s.SPA, "grant_type", "password", "username", "alice", "password", "wrong").Expect(400)
	s.Log.Requests(t, "/oauth2/token", 2)
	text := s.Get(s.Admin + "/metrics").Expect(200).Body
	for _, want := range []string{
		`latchkey_http_requests_total{method="POST",route="/oauth2/token",status="200"} 1`,
		`latchkey_http_requests_total{method="POST",route="/oauth2/token",status="400"} 1`,
		`latchkey_http_request_duration_seconds_count{route="/oauth2/token"} 2`,
		`latchkey_token_requests_total{grant_type="password",outcome="issued"} 1`,
		`latchkey_token_requests_total{grant_type="password",outcome="invalid_grant"} 1`,
		`latchkey_login_throttle_enabled 1`,
		`latchkey_client_cache_hits_total `,
		`latchkey_client_cache_misses_total `,
		`latchkey_database_connections{state="max"} `,
		`latchkey_database_waits_total `,
		`latchkey_password_queue_length 0`,
		"go_goroutines ",
		"process_resident_memory_bytes ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestThrottleThatIsOffIsSaid(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.LoginThrottle = false }))
	if !strings.Contains(s.Get(s.Admin+"/metrics").Body, "latchkey_login_throttle_enabled 0") {
		t.Error("the metrics do not say so")
	}
	if !strings.Contains(s.Log.String(), `"level":"WARN","msg":"the login throttle is off`) {
		t.Errorf("the log does not say so:\n%s", s.Log)
	}
	for range 50 {
		s.Token(s.SPA, "grant_type", "password", "username", "alice", "password", "wrong").ExpectError(400, "invalid_grant")
	}
}

// What a replica caches, it loses within a second of a change elsewhere.
func TestReplicasSeeChangesWithinASecond(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		a := servertest.New(t, servertest.Store(open(t)), servertest.Background())
		b := a.Replica(t, servertest.Background())
		ctx := t.Context()
		within := func(what string, done func() bool) {
			t.Helper()
			begin := time.Now()
			eventually.True(t, what, done)
			if took := time.Since(begin); took > 15*time.Second { // the promise is one; a busy machine gets the rest
				t.Errorf("%s after %s", what, took)
			}
		}
		issue := func() int { return b.Token(b.Backend, "grant_type", "client_credentials").Status }

		if issue() != 200 {
			t.Fatal("the replica does not know the client")
		}
		if err := a.Clients().SetDisabled(ctx, a.Backend.ID, true); err != nil {
			t.Fatal(err)
		}
		within("a client that is disabled elsewhere is refused", func() bool { return issue() == 401 })
		if err := a.Clients().SetDisabled(ctx, a.Backend.ID, false); err != nil {
			t.Fatal(err)
		}
		within("a client that is enabled elsewhere is served", func() bool { return issue() == 200 })

		if _, err := a.Clients().AddResource(ctx, storage.Resource{Identifier: "https://api.example/", Scopes: []string{"x"}}); err != nil {
			t.Fatal(err)
		}
		within("a resource that is added elsewhere is advertised", func() bool {
			return strings.Contains(b.Get("/.well-known/oauth-authorization-server").Body, "scopes_supported")
		})

		before := b.Get("/oauth2/jwks").Body
		if _, err := a.Keys().Rotate(ctx, keys.ES256, true); err != nil {
			t.Fatal(err)
		}
		within("a key that is made elsewhere is published", func() bool { return b.Get("/oauth2/jwks").Body != before })

		if err := a.Users().Disable(ctx, servertest.UserID); err != nil {
			t.Fatal(err)
		}
		// Users are not cached: at once.
		b.Token(b.SPA, "grant_type", "password", "username", "alice", "password", servertest.Password).ExpectError(400, "invalid_grant")
	})
}

func TestBackgroundRemovesWhatHasEnded(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Login(s.SPA)
	count := func() int {
		grants, err := s.Store.ListGrants(t.Context(), storage.GrantFilter{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return len(grants)
	}
	if count() != 1 {
		t.Fatal("the session is not there")
	}
	pushed := &storage.PushedRequest{Hash: storage.Digest{1}, ClientID: "c", CreatedAt: s.Clock.Now(), ExpiresAt: s.Clock.Now()}
	if err := s.Store.CreatePushedRequest(t.Context(), pushed); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(90 * 24 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	wait := s.Background(ctx)
	eventually.True(t, "the ended session is removed", func() bool { return count() == 0 })
	eventually.True(t, "the metrics count it", func() bool {
		metrics := s.Get(s.Admin + "/metrics").Body
		return strings.Contains(metrics, `latchkey_maintenance_removed_total{kind="grants"} 1`) &&
			strings.Contains(metrics, `latchkey_maintenance_removed_total{kind="pushed_requests"} 1`)
	})
	cancel()
	wait()
}

// The background work outlives an outage: it says so and tries again.
func TestBackgroundOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	s := servertest.New(t, servertest.Store(outage))
	other := servertest.New(t, servertest.Bare(), servertest.Store(outage.Store))
	made, err := other.Keys().Rotate(t.Context(), keys.ES256, false)
	if err != nil {
		t.Fatal(err)
	}
	outage.Away(true)
	ctx, cancel := context.WithCancel(t.Context())
	wait := s.Background(ctx)
	defer func() { cancel(); wait() }()
	eventually.True(t, "the outage is in the log", func() bool {
		return strings.Contains(s.Log.String(), "the signing keys could not be read") && strings.Contains(s.Log.String(), "the background cleaning failed")
	})
	outage.Away(false)
	eventually.True(t, "the keys are read", func() bool { return strings.Contains(s.Get("/oauth2/jwks").Body, made.KID) })
}

func TestSigningKeysOutliveTheirTokens(t *testing.T) {
	t.Parallel()
	monthly := &clients.Client{Policy: clients.Policy{RefreshTokenIdleTTL: clients.Duration(30 * 24 * time.Hour)}}
	for _, c := range []struct {
		name   string
		change func(*server.Config)
		client *clients.Client
		want   time.Duration
	}{
		{"what a client may be given at most", func(*server.Config) {}, nil, clients.MaxAccessTokenTTL},
		{"a longer default", func(c *server.Config) { c.AccessTokenTTL = 48 * time.Hour }, nil, 48 * time.Hour},
		{"refresh tokens signed with our keys", func(c *server.Config) {
			c.SimpleJWT.Algorithm, c.SimpleJWT.RefreshTokenLifetime = "ES256", 7*24*time.Hour
		}, nil, 7 * 24 * time.Hour},
		{"refresh tokens with a MAC", func(c *server.Config) { c.SimpleJWT.RefreshTokenLifetime = 7 * 24 * time.Hour }, monthly, clients.MaxAccessTokenTTL},
		{"the built-in client's own", func(c *server.Config) { c.SimpleJWT.Algorithm = "ES256" }, monthly, 30 * 24 * time.Hour},
	} {
		cfg := config(t, servertest.NewOutage(nil))
		c.change(&cfg)
		if got := server.MaxTokenTTL(cfg, c.client); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestFirstStartMakesKeysAndTheBuiltInClient(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Bare(),
			servertest.Configure(func(c *server.Config) { c.SimpleJWT.Algorithm = "RS256" }))
		set := s.Get("/oauth2/jwks").Expect(200).Body
		if !strings.Contains(set, `"ES256"`) || !strings.Contains(set, `"RS256"`) {
			t.Errorf("the key set is %s", set)
		}
		c, err := s.Clients().Client(t.Context(), clients.SimpleJWTID)
		if err != nil || !c.Public() {
			t.Errorf("%+v, %v", c, err)
		}
		other := s.Replica(t) // a second start makes nothing anew
		if again := other.Get("/oauth2/jwks").Body; strings.Count(again, `"kid"`) != 2 {
			t.Errorf("after the second start: %s", again)
		}
	})
}

func TestDiscoveryOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	s := servertest.New(t, servertest.Store(outage))
	if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: "https://api.example/", Scopes: []string{"x"}}); err != nil {
		t.Fatal(err)
	}
	before := s.Get("/.well-known/openid-configuration").Expect(200).Body
	outage.Away(true)
	s.Clients().Changed(storage.Change{Kind: storage.ChangeAll}) // what a lost connection does
	if after := s.Get("/.well-known/openid-configuration").Expect(200).Body; after != before {
		t.Errorf("it became %s", after)
	}
	s.Get("/oauth2/jwks").Expect(200)
}

// The simplejwt routes' client is not needed when they are off.
func TestWithoutSimpleJWTThereIsNoBuiltInClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Bare(), servertest.Configure(func(c *server.Config) { c.SimpleJWT.Enabled = false }))
	list, err := s.Clients().List(t.Context(), "", 10)
	if err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	s.PostJSON("/api/token/", map[string]string{"username": "alice"}).Expect(404)
}

// An operator who switches the routes off must not leave another way to log in as their client.
func TestWithoutSimpleJWTItsClientGetsNoTokens(t *testing.T) {
	t.Parallel()
	on := servertest.New(t)
	tokens := on.LoginSimpleJWT()
	off := on.Replica(t, servertest.Configure(func(c *server.Config) { c.SimpleJWT.Enabled = false }))
	off.Token(on.SimpleJWT, "grant_type", "password", "username", servertest.Username, "password", servertest.Password).Expect(401)
	off.Refresh(on.SimpleJWT, tokens.Refresh).Expect(401)
	on.RefreshSimpleJWT(tokens.Refresh).Expect(200)
	off.Revoke(on.SimpleJWT, tokens.Refresh).Expect(200)
	on.RefreshSimpleJWT(tokens.Refresh).Expect(401)
}

// A client that mixes up its parameters sends a password or a token as the grant type.
func TestAGrantTypeThatIsNoneIsNotLogged(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Token(s.Backend, "grant_type", "my-canary-password").Expect(400)
	if e := s.Log.Requests(t, "/oauth2/token", 1); e[0]["grant_type"] != "other" {
		t.Errorf("the event is %v", e[0])
	}
	if strings.Contains(s.Log.String(), "canary") {
		t.Error("what the client sent is in the log")
	}
}

func TestUsersOfAnotherServerLogIn(t *testing.T) {
	t.Parallel()
	a := servertest.New(t)
	b := a.Replica(t)
	a.AddUser(users.NewUser{Username: "bob", Active: true}, "another password")
	b.Token(b.SPA, "grant_type", "password", "username", "bob", "password", "another password").Expect(200)
}
