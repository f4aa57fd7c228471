package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/latchkeytest"
	"latchkey/storage/postgres/postgrestest"
)

// Case 11 of docs/rotation.md: kill -9 of the server, or of Postgres, at any moment. The client presents again what it
// presented last, and its session lives.

const crashRounds = 6

func TestCase11KillNineOfTheServer(t *testing.T) {
	t.Parallel()
	databases := map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return postgrestest.URL(t) },
	}
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, database(t))
			s.Start("serve")
			clients := startRefreshers(t, s)
			for range crashRounds {
				clients.progress(t, 40)
				s.Kill()
				s.Start("serve")
			}
			clients.progress(t, 40)
			clients.stop(t)
		})
	}
}

func TestCase11KillNineOfPostgres(t *testing.T) {
	t.Parallel()
	cluster := postgrestest.Cluster(t)
	s := newServer(t, cluster.Migrated(t))
	s.Start("serve")
	clients := startRefreshers(t, s)
	for range crashRounds / 2 {
		clients.progress(t, 40)
		cluster.Kill(t)
		cluster.Start(t)
	}
	clients.progress(t, 40)
	clients.stop(t)
}

func TestReplicasShareEverything(t *testing.T) {
	t.Parallel()
	database := postgrestest.URL(t)
	a, b := newServer(t, database), newServer(t, database)
	b.Issuer = a.Issuer
	a.Start("serve")
	b.Start("serve")
	clients := startRefreshers(t, a, b)
	clients.progress(t, 200)
	b.Kill()
	clients.progress(t, 100)
	b.Start("serve")
	clients.progress(t, 100)
	clients.stop(t)
}

// watched returns the path of this test binary, with the race detector and failpoints, as the program latchkey: testscript.Main has put it there.
func watched(t *testing.T) string {
	t.Helper()
	binary, err := exec.LookPath("latchkey")
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func newServer(t *testing.T, database string) *latchkeytest.Server {
	t.Helper()
	s := latchkeytest.New(t, latchkeytest.Config{
		Binary: watched(t), Database: database, Env: []string{promptly, "LATCHKEY_SECRET=" + strings.Repeat("s", 40), "LATCHKEY_LOGIN_THROTTLE=off"},
	})
	s.AllowErrors = true // an unreachable database is one
	return s
}

// refreshers are clients that refresh without end, each its own session, and must never be refused.
type refreshers struct {
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	refreshed atomic.Int64
	retried   atomic.Int64
	refused   chan string
}

func startRefreshers(t *testing.T, servers ...*latchkeytest.Server) *refreshers {
	t.Helper()
	servers[0].Run("wonderland-7\n", "user", "add", "alice", "--password-stdin")
	for _, rotation := range []string{"confirmed", "strict"} {
		servers[0].AddClient("--client-id", rotation, "--token-endpoint-auth-method", "none", "--rotation", rotation,
			"--rotation-overlap", "5m", "--grant-type", "password", "--grant-type", "refresh_token")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	r := &refreshers{cancel: cancel, refused: make(chan string, 64)}
	var addresses []string
	for _, s := range servers {
		addresses = append(addresses, s.Listen)
	}
	for i := range 4 {
		for _, client := range []string{"confirmed", "strict"} {
			r.wg.Go(func() { r.live(ctx, client, addresses, i%2 == 0) })
		}
	}
	return r
}

// live is one client: it logs in once, then refreshes, storing the rotated token or, under confirmed, ignoring it.
func (r *refreshers) live(ctx context.Context, client string, addresses []string, adopts bool) {
	form := url.Values{"grant_type": {"password"}, "client_id": {client}, "username": {"alice"}, "password": {"wonderland-7"}}
	for n := 0; ctx.Err() == nil; n++ {
		var answer struct {
			RefreshToken string `json:"refresh_token"`
		}
		status, body := post(ctx, "http://"+addresses[n%len(addresses)]+"/oauth2/token", form)
		switch {
		case ctx.Err() != nil:
			return
		case status == http.StatusOK && json.Unmarshal(body, &answer) == nil && answer.RefreshToken != "":
			first := form.Get("grant_type") == "password"
			if first || adopts || client == "strict" {
				form = url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {answer.RefreshToken}}
			}
			r.refreshed.Add(1)
		case status == 0 || status == http.StatusServiceUnavailable:
			r.retried.Add(1)
			time.Sleep(10 * time.Millisecond)
		default:
			r.refused <- fmt.Sprintf("%s (adopts: %v): %d %s", client, adopts, status, body)
			return
		}
	}
}

// post returns the status and the body; status 0 means that no answer arrived.
func post(ctx context.Context, target string, form url.Values) (status int, body []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewBufferString(form.Encode()))
	if err != nil {
		return 0, nil
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return 0, nil
	}
	return resp.StatusCode, body
}

// progress waits for n more refreshes.
func (r *refreshers) progress(t *testing.T, n int64) {
	t.Helper()
	want := r.refreshed.Load() + n
	deadline := time.Now().Add(time.Minute)
	for r.refreshed.Load() < want {
		select {
		case refusal := <-r.refused:
			t.Fatalf("a good session was lost: %s", refusal)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("no progress: %d refreshes, %d retries", r.refreshed.Load(), r.retried.Load())
		}
	}
}

func (r *refreshers) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	r.wg.Wait()
	select {
	case refusal := <-r.refused:
		t.Fatalf("a good session was lost: %s", refusal)
	default:
	}
	t.Logf("%d refreshes, %d retries, no session lost", r.refreshed.Load(), r.retried.Load())
}
