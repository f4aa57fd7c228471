package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"latchkey/storage/postgres/postgrestest"
)

// Case 11 of docs/rotation.md: kill -9 of the server, or of Postgres, at any moment. The client presents again what it
// presented last, and its session lives.

const crashRounds = 6

func TestCase11KillNineOfTheServer(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, database)
			p.start()
			clients := p.refreshers()
			for range crashRounds {
				clients.progress(t, 40)
				p.kill()
				p.start()
			}
			clients.progress(t, 40)
			clients.stop(t)
		})
	}
}

func TestCase11KillNineOfPostgres(t *testing.T) {
	t.Parallel()
	cluster := postgrestest.Cluster(t)
	p := newProcess(t, "")
	p.database = cluster.Migrated(t)
	p.start()
	clients := p.refreshers()
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
	a := newProcess(t, "postgres")
	b := *a
	b.address = freeAddress(t)
	a.start()
	b.start()
	clients := a.refreshers(b.address)
	clients.progress(t, 200)
	b.kill()
	clients.progress(t, 100)
	b.start()
	clients.progress(t, 100)
	clients.stop(t)
}

// process is a server that can be killed.
type process struct {
	t                         *testing.T
	binary, database, address string
	cmd                       *exec.Cmd
	log                       *lockedBuffer
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newProcess(t *testing.T, database string) *process {
	t.Helper()
	binary, err := exec.LookPath("latchkey") // where testscript.Main has put it
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, binary: binary, address: freeAddress(t), log: new(lockedBuffer)}
	switch database {
	case "sqlite":
		p.database = "sqlite:" + filepath.Join(t.TempDir(), "latchkey.db")
	case "postgres":
		p.database = postgrestest.URL(t)
	}
	return p
}

func (p *process) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.binary, args...)
	cmd.Env = append(os.Environ(),
		"LATCHKEY_DATABASE_URL="+p.database, "LATCHKEY_SECRET="+strings.Repeat("s", 40), "LATCHKEY_ARGON2=m=64,t=1,p=1",
		"LATCHKEY_LISTEN="+p.address, "LATCHKEY_ADMIN_LISTEN=", "LATCHKEY_ISSUER=http://"+p.address, "LATCHKEY_LOGIN_THROTTLE=off")
	return cmd
}

func (p *process) run(stdin string, args ...string) {
	p.t.Helper()
	cmd := p.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("latchkey %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// start starts the server and waits until it answers.
func (p *process) start() {
	p.t.Helper()
	p.cmd = p.command("serve")
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd := p.cmd
	p.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		if resp, err := http.Get("http://" + p.address + "/oauth2/jwks"); err == nil {
			resp.Body.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Fatalf("the server does not answer:\n%s", p.log)
}

func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	p.cmd.Wait()
}

// refreshers are clients that refresh without end, each its own session, and must never be refused.
type refreshers struct {
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	refreshed atomic.Int64
	retried   atomic.Int64
	refused   chan string
}

func (p *process) refreshers(more ...string) *refreshers {
	p.t.Helper()
	p.run("wonderland-7\n", "user", "add", "alice", "--password-stdin")
	for _, rotation := range []string{"confirmed", "strict"} {
		p.run("", "client", "add", "--client-id", rotation, "--token-endpoint-auth-method", "none", "--rotation", rotation,
			"--rotation-overlap", "5m", "--grant-type", "password", "--grant-type", "refresh_token")
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	r := &refreshers{cancel: cancel, refused: make(chan string, 64)}
	addresses := append([]string{p.address}, more...)
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

// post gives the status and the body; status 0: no answer.
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

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
