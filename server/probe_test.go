package server_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/latchkeytest/eventually"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage/sqlite/sqlitetest"
)

// F7: while no replica has a database, a load balancer that falls back on /servez still gets answers from them: the documents, and
// 503 with Retry-After in the format of each route.
func TestF7ServezIsForTheFallBack(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	s := servertest.New(t, servertest.Store(outage))
	s.Get(s.Admin + "/servez").Expect(200).ExpectBody(`{"status":"ready"}` + "\n")
	session := s.LoginSimpleJWT()
	outage.Away(true)
	time.Sleep(1100 * time.Millisecond) // probes share an answer for a second
	s.Get(s.Admin + "/readyz").Expect(503)
	degraded := s.Get(s.Admin + "/servez").Expect(200)
	if degraded.Header.Get("X-Latchkey-Degraded") != "database" || !strings.Contains(degraded.Body, `"status":"degraded"`) {
		t.Errorf("%v %s", degraded.Header, degraded.Body)
	}
	s.Get("/oauth2/jwks").Expect(200)
	s.Get("/.well-known/openid-configuration").Expect(200)
	for name, a := range map[string]*servertest.Answer{
		"refresh":  s.RefreshSimpleJWT(session.Refresh),
		"login":    s.PostJSON("/api/token/", map[string]string{"username": servertest.Username, "password": servertest.Password}),
		"password": s.Token(s.SPA, "grant_type", "password", "username", servertest.Username, "password", servertest.Password),
		"account":  s.Browser().SignIn().Answer,
	} {
		if a.Status != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After %q", name, a.Status, a.Header.Get("Retry-After"))
		}
	}
}

// F4: a replica that gets no requests during an outage, since it is not ready, does not count that time for the overlap either.
func TestF4AProbeThatFailsIsAnOutage(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	first := servertest.New(t, servertest.Store(outage))
	second := first.Replica(t)
	overlap := clients.Duration(10 * time.Second)
	c := first.AddClient(clients.Registration{ID: "strict", Metadata: clients.Metadata{
		TokenEndpointAuthMethod: "none", GrantTypes: []string{"password", "refresh_token"},
	}, Policy: clients.Policy{Rotation: "strict", RotationOverlap: &overlap}})
	lost := first.Login(c).Refresh
	second.Login(c)
	first.Token(c, "grant_type", "refresh_token", "refresh_token", lost).Expect(200) // the answer is lost
	outage.Away(true)
	first.Clock.Advance(5 * time.Minute)
	second.Get(second.Admin + "/readyz").Expect(503)
	outage.Away(false)
	second.Token(c, "grant_type", "refresh_token", "refresh_token", lost).Expect(200)
}

// F8: with a delay the server is not ready at once, but serves, and asks for new connections.
func TestF8TheShutdownDelay(t *testing.T) {
	t.Parallel()
	r := run(t, func(c *server.Config) { c.ShutdownDelay = 6 * time.Second })
	begin := time.Now()
	r.stop()
	eventually.True(t, "the readiness turns", func() bool { return r.status(t, r.admin, "/readyz") == 503 })
	if got := r.status(t, r.admin, "/servez"); got != 503 {
		t.Errorf("a server that stops is offered as a fall-back: %d", got)
	}
	for time.Since(begin) < 1500*time.Millisecond {
		resp, err := http.Get("http://" + r.public + "/oauth2/jwks") // with keep-alive
		if err != nil {
			t.Fatalf("after %s: %v", time.Since(begin), err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || !resp.Close {
			t.Fatalf("after %s: %s, close %v", time.Since(begin), resp.Status, resp.Close)
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.wait(t, time.Minute)
	if got := r.status(t, r.public, "/oauth2/jwks"); got != 0 {
		t.Errorf("it still serves: %d", got)
	}
}

// F9: a server whose database is unreachable at the start serves, not ready, and recovers by itself.
func TestF9AStartWithoutADatabase(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	outage.Away(true)
	r := launch(t, func(c *server.Config) { c.Store = outage })
	eventually.True(t, "it is not ready", func() bool {
		return strings.Contains(r.body(t, "/readyz"), "the database is unavailable") && r.status(t, r.public, "/oauth2/jwks") != 0
	})
	for _, path := range []string{"/oauth2/jwks", "/.well-known/openid-configuration", "/account", "/api/token/", "/oauth2/userinfo"} {
		method := http.MethodGet
		if path == "/api/token/" {
			method = http.MethodPost
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.public+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %s, Retry-After %q", path, resp.Status, resp.Header.Get("Retry-After"))
		}
	}
	outage.Away(false)
	eventually.True(t, "it recovers", func() bool { return r.status(t, r.admin, "/readyz") == 200 })
	if got := r.status(t, r.public, "/oauth2/jwks"); got != 200 {
		t.Errorf("the key set: %d", got)
	}
}

// F9: what does not pass by itself ends the server, at the start and when the database comes later.
func TestF9AWrongSchemaEndsTheServer(t *testing.T) {
	t.Parallel()
	behind := errors.New("the schema is behind")
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	outage.Away(true)
	cfg := config(t, outage)
	cfg.Prepare = func(ctx context.Context) error {
		if err := outage.Ping(ctx); err != nil {
			return err
		}
		return behind
	}
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- srv.Run(t.Context()) }()
	select {
	case err := <-result:
		t.Fatalf("it ended while the database was away: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	outage.Away(false)
	if err := <-result; !errors.Is(err, behind) {
		t.Errorf("it ended with %v", err)
	}
}
