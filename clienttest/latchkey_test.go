package clienttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait for a process: the machine may be slow and busy.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	if built.folder != "" {
		os.RemoveAll(built.folder)
	}
	os.Exit(code)
}

// built is the real binary, made once for all tests of the run.
var built struct {
	once         sync.Once
	folder, path string
	err          error
}

func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		// Given by a test that runs itself once more (TestClientDocument), or by hand, to try another one.
		if built.path = os.Getenv("CLIENTTEST_BINARY"); built.path != "" {
			return
		}
		if built.folder, built.err = os.MkdirTemp("", "latchkey-clienttest-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.folder, "latchkey")
		cmd := exec.Command("go", "build", "-o", built.path, "./cmd/latchkey")
		cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build: %w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// The user that every server has.
const (
	username = "demo"
	password = "demo-password"
	email    = "demo@example.com"
)

// latchkey is a running server with an SQLite database of its own.
type latchkey struct {
	binary, folder, database string
	issuer, listen           string
	// more is environment for one test.
	more []string
}

// serve runs `latchkey serve` until the test ends.
func serve(t *testing.T, flags ...string) *latchkey {
	t.Helper()
	l := newLatchkey(t, "latchkey.db")
	l.addUser(t)
	l.start(t, append([]string{"serve"}, flags...)...)
	return l
}

func (l *latchkey) addUser(t *testing.T) {
	t.Helper()
	l.run(t, password+"\n", "user", "add", "--email", email, "--password-stdin", username)
}

// demo runs `latchkey demo` until the test ends; it has the same user by itself.
func demo(t *testing.T, flags ...string) *latchkey {
	t.Helper()
	l := newLatchkey(t, filepath.Join(".latchkey-demo", "latchkey.db"))
	l.start(t, append([]string{"demo"}, flags...)...)
	return l
}

// demoAtPath is a demo whose issuer has a path, as behind a proxy that serves other things too.
func demoAtPath(t *testing.T) *latchkey {
	t.Helper()
	l := newLatchkey(t, filepath.Join(".latchkey-demo", "latchkey.db"))
	l.issuer += "/auth"
	l.start(t, "demo")
	return l
}

func newLatchkey(t *testing.T, database string) *latchkey {
	t.Helper()
	l := &latchkey{binary: binary(t), folder: t.TempDir()}
	l.database = filepath.Join(l.folder, database)
	port := freePort(t)
	l.issuer, l.listen = "http://localhost:"+port, "127.0.0.1:"+port
	return l
}

func freePort(t *testing.T) string {
	t.Helper()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	_, port, err := net.SplitHostPort(probe.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// supervise runs its arguments until its standard input closes: then the test has ended, with or without its cleanup.
const supervise = `exec 3<&0; "$@" & pid=$!; (read -r _ <&3; kill -s TERM $pid) & wait $pid`

func (l *latchkey) start(t *testing.T, command ...string) {
	t.Helper()
	cmd := l.command("/bin/sh", append([]string{"-c", supervise, "sh", l.binary}, command...)...)
	// The file is the process's own: a pipe that outlives it would keep `go test` waiting.
	log, err := os.Create(filepath.Join(l.folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { l.stop(t, in, ended) })
	l.await(t, ended)
}

// await waits until the server answers.
func (l *latchkey) await(t *testing.T, ended chan error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if answer, err := http.Get(l.issuer + "/.well-known/openid-configuration"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("latchkey ended at its start: %v\n%s", err, l.log())
		case <-ctx.Done():
			t.Fatalf("latchkey does not answer after %s:\n%s", patience, l.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the server, and looks for what no client may bring about: an error in its log.
func (l *latchkey) stop(t *testing.T, in io.Closer, ended chan error) {
	in.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("latchkey ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("latchkey does not stop when it is asked to")
	}
	for line := range strings.Lines(l.log()) {
		if strings.Contains(line, `"level":"ERROR"`) || strings.HasPrefix(line, "panic") {
			t.Errorf("latchkey logged an error: %s", line)
		}
	}
	if t.Failed() {
		log := l.log()
		t.Logf("the end of latchkey's log:\n%s", log[max(0, len(log)-8000):])
	}
}

func (l *latchkey) log() string {
	text, _ := os.ReadFile(filepath.Join(l.folder, "log"))
	return string(text)
}

// environment is that of the server, of its commands, and of the tests in other languages.
func (l *latchkey) environment() []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + l.folder, "TZ=UTC", "LC_ALL=C.UTF-8",
		"LATCHKEY_LISTEN=" + l.listen, "LATCHKEY_ADMIN_LISTEN=", "LATCHKEY_ISSUER=" + l.issuer,
		"LATCHKEY_DATABASE_URL=sqlite:" + l.database, "LATCHKEY_LOG_FORMAT=json", "LATCHKEY_ARGON2=m=64,t=1,p=1",
	}, l.more...)
}

func (l *latchkey) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = l.folder, l.environment()
	return cmd
}

// run runs a command of the binary on the server's database and gives what it prints.
func (l *latchkey) run(t *testing.T, stdin string, args ...string) []byte {
	t.Helper()
	cmd := l.command(l.binary, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("latchkey %s: %v: %s", strings.Join(args, " "), err, problem.Bytes())
	}
	return out
}

// registered is a client as `latchkey client add` prints it.
type registered struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// addClient adds a client of the code flow, with these flags besides.
func (l *latchkey) addClient(t *testing.T, flags ...string) (c registered) {
	t.Helper()
	args := append([]string{
		"client", "add", "--client-name=" + t.Name(), "--redirect-uri=" + callback, "--grant-type=authorization_code,refresh_token",
		"--scope=openid profile email offline_access",
	}, flags...)
	out := l.run(t, "", args...)
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatalf("client add: %v: %s", err, out)
	}
	return c
}

// callback is a redirect URI at which nothing listens: the driver never goes there.
const callback = "http://127.0.0.1/callback"

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
