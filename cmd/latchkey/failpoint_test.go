package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/latchkeytest"
	"latchkey/storage"
	"latchkey/storage/failpoint/failpointtest"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/sqlite"
)

// killed is a server that is killed at failpoints, and what its clients see.
type killed struct {
	t *testing.T
	*latchkeytest.Server
	folder string        // of the failpoints
	store  storage.Store // the same database, beside the server
}

// onDatabases runs a test on SQLite, and with LATCHKEY_TEST_LONG, which long reports, on Postgres too.
func onDatabases(t *testing.T, test func(t *testing.T, onPostgres, long bool)) {
	long := os.Getenv("LATCHKEY_TEST_LONG") != ""
	databases := map[string]bool{"sqlite": false}
	if long {
		databases["postgres"] = true
	}
	for name, onPostgres := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, onPostgres, long)
		})
	}
}

func startKilled(t *testing.T, onPostgres bool, env ...string) *killed {
	t.Helper()
	k := &killed{t: t, folder: t.TempDir()}
	database := ""
	if onPostgres {
		database = postgrestest.MigratedURL(t) // without the weeks of the clock of tests, which the server would drop meanwhile
	}
	k.Server = latchkeytest.New(t, latchkeytest.Config{Binary: watched(t), Database: database, Env: append([]string{
		promptly, failpointtest.Variable + "=" + k.folder, "LATCHKEY_SECRET=" + strings.Repeat("s", 40), "LATCHKEY_LOGIN_THROTTLE=off", "LATCHKEY_REGISTRATION=token",
	}, env...)})
	k.Run(failpointPassword+"\n", "user", "add", failpointUser, "--password-stdin")
	var err error
	if onPostgres {
		k.store, err = postgres.Open(t.Context(), postgres.Config{URL: database})
	} else {
		k.store, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(k.Folder, "latchkey.db")})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.store.Close() })
	for _, flags := range failpointClients {
		k.AddClient(flags...)
	}
	k.serve()
	k.login("confirmed")
	k.awaitKeys()
	t.Cleanup(func() { k.Kill() })
	return k
}

// awaitKeys waits until the server has made the signing keys of access and ID tokens; it makes the latter, an RSA key, in the background.
func (k *killed) awaitKeys() {
	k.t.Helper()
	for end := time.Now().Add(latchkeytest.Patience); ; time.Sleep(20 * time.Millisecond) {
		keys, err := k.store.ListSigningKeys(k.t.Context())
		if err != nil {
			k.t.Fatal(err)
		}
		if len(keys) >= 2 {
			return
		}
		if time.Now().After(end) {
			k.t.Fatalf("only %d signing keys", len(keys))
		}
	}
}

func (k *killed) serve() {
	k.t.Helper()
	if err := k.Instance.Start(k.t.Context(), "serve"); err != nil {
		k.t.Fatal(err)
	}
}

// reply is what arrived of an answer; status 0 means that nothing did.
type reply struct {
	status   int
	body     string
	location string
	page     *url.URL // where redirects have led a browser
}

func (r reply) ok() bool { return r.status >= 200 && r.status < 400 }

// send sends a request without following redirects, and once more when it is told to: on a busy machine the pool of password hashes may
// be.
func (k *killed) send(jar http.CookieJar, req *http.Request) (r reply) {
	for end := time.Now().Add(latchkeytest.Patience / 4); ; time.Sleep(100 * time.Millisecond) {
		r = k.sendOnce(jar, req)
		if r.status != http.StatusTooManyRequests && r.status != http.StatusServiceUnavailable || time.Now().After(end) {
			return r
		}
		if req.GetBody != nil {
			req.Body, _ = req.GetBody()
		}
	}
}

// sendOnce sends a request. A body that breaks off after the answer is whole.
func (k *killed) sendOnce(jar http.CookieJar, req *http.Request) reply {
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport: transport, Jar: jar, Timeout: latchkeytest.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{body: err.Error()}
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(body), resp.Header.Get("Location"), req.URL}
}

// post posts a form, or JSON, to a path.
func (k *killed) post(path string, body url.Values, headers ...string) reply {
	return k.request(http.MethodPost, path, "application/x-www-form-urlencoded", body.Encode(), headers...)
}

func (k *killed) request(method, path, contentType, body string, headers ...string) reply {
	req, err := http.NewRequestWithContext(context.WithoutCancel(k.t.Context()), method, k.Issuer+path, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return k.send(nil, req)
}

// follow sends a request of a browser and follows redirects within the server.
func (k *killed) follow(jar http.CookieJar, req *http.Request) reply {
	for {
		r := k.send(jar, req)
		if r.status != http.StatusSeeOther && r.status != http.StatusFound || !strings.HasPrefix(r.location, k.Issuer) && !strings.HasPrefix(r.location, "/") {
			return r
		}
		to, err := req.URL.Parse(r.location)
		if err != nil {
			k.t.Fatal(err)
		}
		if req, err = http.NewRequestWithContext(k.t.Context(), http.MethodGet, to.String(), nil); err != nil {
			k.t.Fatal(err)
		}
	}
}

func newJar() http.CookieJar { jar, _ := cookiejar.New(nil); return jar }

// unrelated are how operations begin that write nothing, or happen in the background of a server.
var unrelated = []string{
	"read ", "list ", "count ", "ping", "clock", "clean ", "remove signing keys", "prune ", "claim logout", "retry logout",
	"finish logout", "create partition", "empty partition", "drop partition", "look for ", "analyze", "touch ",
}

// passed returns the points around writes that the process passes meanwhile, without what happens in the background.
func (k *killed) passed(act func()) (points []string) {
	file := filepath.Join(k.folder, "passed")
	os.Remove(file)
	act()
	text, _ := os.ReadFile(file)
	counts := map[string]int{}
	for point := range strings.Lines(string(text)) {
		point = strings.TrimSpace(point)
		operation, _, _ := strings.Cut(point, "/")
		if slices.ContainsFunc(unrelated, func(prefix string) bool { return strings.HasPrefix(operation, prefix) }) {
			continue
		}
		if counts[point]++; counts[point] > 1 {
			point += "#" + string(rune('0'+counts[point]))
		}
		points = append(points, point)
	}
	return points
}

func (k *killed) arm(point string) {
	// The process must not read half of it.
	file := filepath.Join(k.folder, "arming")
	err := os.WriteFile(file, []byte(point), 0o600)
	if err == nil {
		err = os.Rename(file, filepath.Join(k.folder, "armed"))
	}
	if err != nil {
		k.t.Fatal(err)
	}
}

// mustDie waits until the server has killed itself.
func (k *killed) mustDie(point string) {
	k.t.Helper()
	select {
	case <-k.Ended():
	case <-time.After(latchkeytest.Patience):
		k.t.Fatalf("%s was not passed", point)
	}
	k.Kill()
	if _, err := os.Stat(filepath.Join(k.folder, "armed")); err == nil {
		log := k.Log()
		k.t.Fatalf("the server ended before %s; its log:\n%s", point, log[max(0, len(log)-2000):])
	}
}

// runKilled runs a command that kills itself at a point.
func (k *killed) runKilled(point string, args ...string) {
	k.t.Helper()
	k.arm(point)
	_, err := k.Instance.Run(k.t.Context(), "", args...)
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		k.t.Fatalf("latchkey %v at %s: %v", args, point, err)
	}
}

// live returns the live sessions of the user.
func (k *killed) live() (ids []storage.ID) {
	k.t.Helper()
	user, err := k.store.UserByUsername(k.t.Context(), failpointUser)
	if err != nil {
		k.t.Fatal(err)
	}
	list, err := k.store.ListGrants(k.t.Context(), storage.GrantFilter{UserID: user.ID, LiveAt: time.Now(), Limit: 1000})
	if err != nil {
		k.t.Fatal(err)
	}
	for _, g := range list {
		ids = append(ids, g.ID)
	}
	return ids
}

// commandsApart gives commands failpoints of their own, for tests in which the server goes on.
func (k *killed) commandsApart() {
	server := k.folder
	k.folder = k.t.TempDir()
	k.Env = slices.Clone(k.Env)
	k.Env[slices.Index(k.Env, failpointtest.Variable+"="+server)] = failpointtest.Variable + "=" + k.folder
}
