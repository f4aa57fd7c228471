package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest/eventually"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

// running is a server that serves its own listeners.
type running struct {
	*server.Server
	public, admin string // host:port
	stop          context.CancelFunc
	result        chan error
	log           *servertest.Log
}

func run(t *testing.T, change ...func(*server.Config)) *running {
	t.Helper()
	r := launch(t, change...)
	eventually.True(t, "the server is ready", func() bool { return r.status(t, r.admin, "/readyz") == 200 })
	return r
}

// launch is run without the wait for the readiness.
func launch(t *testing.T, change ...func(*server.Config)) *running {
	t.Helper()
	r := &running{result: make(chan error, 1), log: new(servertest.Log)}
	cfg := config(t, sqlitetest.SQLite(t))
	cfg.Logger = slog.New(slog.NewJSONHandler(r.log, nil))
	for _, c := range change {
		c(&cfg)
	}
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	r.Server, r.public, r.admin = srv, srv.Addr().String(), srv.AdminAddr().String()
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.result <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		r.wait(t, time.Minute)
	})
	return r
}

// status is what a GET says; 0 when the connection is refused.
func (r *running) status(t *testing.T, addr, path string) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr + path)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (r *running) wait(t *testing.T, most time.Duration) {
	t.Helper()
	select {
	case err := <-r.result:
		if err != nil {
			t.Errorf("run: %v", err)
		}
		r.result <- err
	case <-time.After(most):
		t.Errorf("still running after %s", most)
	}
}

// dial opens a connection and sends something.
func (r *running) dial(t *testing.T, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.public)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	io.WriteString(c, text)
	return c
}

// revoke is a request to revoke a token, whole or with the rest of its body missing.
func revoke(body string, missing int) string {
	return fmt.Sprintf("POST /oauth2/revoke HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(body)+missing, body)
}

// gate is a store in which requests of the client "slow" wait until the gate is opened.
type gate struct {
	storage.Store
	entered, opened chan struct{}
}

func newGate(s storage.Store) *gate {
	return &gate{Store: s, entered: make(chan struct{}), opened: make(chan struct{})}
}

func (g *gate) Client(ctx context.Context, id string) (*storage.Client, error) {
	if id == "slow" {
		g.entered <- struct{}{}
		select {
		case <-g.opened:
		case <-ctx.Done():
		}
	}
	return g.Store.Client(ctx, id)
}

func answer(t *testing.T, c net.Conn) (*http.Response, string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	g := newGate(sqlitetest.SQLite(t))
	r := run(t, func(c *server.Config) { c.Store = g })
	c := r.dial(t, revoke("client_id=slow&token=x", 0))
	<-g.entered

	r.stop()
	eventually.True(t, "the readiness turns", func() bool { return r.status(t, r.admin, "/readyz") == 503 })
	eventually.True(t, "new connections are refused", func() bool { return r.status(t, r.public, "/oauth2/jwks") == 0 })
	if got := r.status(t, r.admin, "/healthz"); got != 200 {
		t.Errorf("while it shuts down the process is said to be dead: %d", got)
	}
	close(g.opened)
	if resp, body := answer(t, c); resp.StatusCode != 401 || !strings.Contains(body, "invalid_client") {
		t.Errorf("the request in flight got %d %s", resp.StatusCode, body)
	}
	r.wait(t, time.Minute)
	if got := r.status(t, r.admin, "/healthz"); got != 0 {
		t.Errorf("the operator's side still answers: %d", got)
	}
}

func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	g := newGate(sqlitetest.SQLite(t))
	t.Cleanup(func() { close(g.opened) })
	r := run(t, func(c *server.Config) { c.Store, c.Timeouts.Shutdown = g, 200*time.Millisecond })
	r.dial(t, revoke("client_id=slow&token=x", 0))
	<-g.entered
	begin := time.Now()
	r.stop()
	r.wait(t, time.Minute)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if !strings.Contains(r.log.String(), "requests were cut off by the shutdown") {
		t.Errorf("the log does not say so:\n%s", r.log)
	}
}

// A client that is slow on purpose loses its connection, in each phase of a request.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	r := run(t, func(c *server.Config) {
		c.Timeouts = server.Timeouts{ReadHeader: 300 * time.Millisecond, Read: 600 * time.Millisecond, Idle: 300 * time.Millisecond}
	})
	for name, text := range map[string]string{
		"nothing sent":      "",
		"half a line":       "POST /oau",
		"half the headers":  "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nX-A: ",
		"idle, once served": "GET /oauth2/jwks HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := r.dial(t, text)
			c.SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := io.Copy(io.Discard, c); isTimeout(err) {
				t.Error("the connection is still open")
			}
		})
	}
	t.Run("half the body", func(t *testing.T) {
		t.Parallel()
		resp, body := answer(t, r.dial(t, revoke("token=", 100)))
		if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(body, `"invalid_request"`) || !resp.Close {
			t.Errorf("%d, close %v: %s", resp.StatusCode, resp.Close, body)
		}
	})
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestHugeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	r := run(t)
	c := r.dial(t, "GET /oauth2/jwks HTTP/1.1\r\nHost: x\r\nX-A: "+strings.Repeat("a", 60_000)+"\r\n\r\n")
	if resp, _ := answer(t, c); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestAddressInUseIsSaid(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, change := range map[string]func(*server.Config){
		"public": func(c *server.Config) { c.Listen = taken.Addr().String() },
		"admin":  func(c *server.Config) { c.AdminListen = taken.Addr().String() },
	} {
		cfg := config(t, sqlitetest.SQLite(t))
		change(&cfg)
		srv, err := server.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Run(t.Context()); err == nil || !strings.Contains(err.Error(), name+" listener") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithoutAnAdminListener(t *testing.T) {
	t.Parallel()
	cfg := config(t, sqlitetest.SQLite(t))
	cfg.AdminListen = ""
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	if srv.AdminAddr() != nil {
		t.Error("there is one")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Run(ctx); err == nil || !errors.Is(err, context.Canceled) {
		// A start that was given up is no success.
		t.Errorf("%v", err)
	}
}
