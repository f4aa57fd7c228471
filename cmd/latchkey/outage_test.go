package main

import (
	"errors"
	"maps"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/latchkeytest"
	"latchkey/storage/postgres/postgrestest"
)

// F9: serve waits for Postgres, and starts by itself when it comes.
func TestF9ServeWaitsForPostgres(t *testing.T) {
	t.Parallel()
	cluster := postgrestest.Cluster(t)
	s := newServer(t, cluster.Migrated(t))
	cluster.Kill(t)
	time.AfterFunc(2*time.Second, func() { cluster.Start(t) })
	s.Start("serve") // waits until it is ready
	if !strings.Contains(s.Log(), "it waits for the database") {
		t.Errorf("the log does not say so:\n%s", s.Log())
	}
}

// F9: what Postgres says of a wrong user, password or name of the database is a fault of the configuration.
func TestF9ARefusedLoginIsAFaultOfTheConfiguration(t *testing.T) {
	t.Parallel()
	right := postgrestest.URL(t)
	u, err := url.Parse(right)
	if err != nil {
		t.Fatal(err)
	}
	base, query := u.Path, u.Query()
	for _, c := range []struct{ path, parameter, value, want string }{
		{"/no_such_database", "", "", "is refused by Postgres"},
		{base, "no_such_parameter", "on", "is refused by Postgres: unrecognized configuration parameter"},
		{base, "sslmode", "require", "demands TLS"}, // the cluster of the tests has none
	} {
		changed := *u
		changed.Path = c.path
		if q := maps.Clone(query); c.parameter != "" {
			q.Set(c.parameter, c.value)
			changed.RawQuery = q.Encode()
		}
		for _, command := range [][]string{{"serve"}, {"serve", "--migrate"}, {"user", "list"}, {"migrate", "up"}} {
			s := newServer(t, changed.String())
			_, err := s.Instance.Run(t.Context(), "", command...)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != exitUsage || !strings.Contains(err.Error(), "LATCHKEY_DATABASE_URL) "+c.want) {
				t.Errorf("%s, %v: %v", c.want, command, err)
			}
		}
	}
}

// A command waits for a statement longer than a server lets a request wait.
func TestACommandWaitsForASlowStatement(t *testing.T) {
	t.Parallel()
	database := postgrestest.URL(t)
	s := newServer(t, database)
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `BEGIN; LOCK TABLE grants IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	released := make(chan error, 1)
	time.AfterFunc(6*time.Second, func() {
		_, err := conn.Exec(t.Context(), `ROLLBACK`)
		released <- err
	})
	began := time.Now()
	if _, err := s.Instance.Run(t.Context(), "", "session", "list"); err != nil || time.Since(began) < 5*time.Second {
		t.Errorf("after %s: %v", time.Since(began).Round(time.Millisecond), err)
	}
	if err := <-released; err != nil {
		t.Error(err)
	}
}

// F8: the first signal begins the delay, the second one ends the process at once.
func TestF8TwoSignalsEndTheServerAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	cmd := exec.Command(s.Binary, "serve", "--shutdown-delay", "1h")
	cmd.Dir, cmd.Env = s.Folder, s.Environment()
	p, err := latchkeytest.StartProcess(cmd, s.Folder+"/log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	await := func(text string) {
		t.Helper()
		for end := time.Now().Add(latchkeytest.Patience); !strings.Contains(p.Log(), text); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the log does not have %q:\n%s", text, p.Log())
			}
		}
	}
	await(`"serving"`)
	cmd.Process.Signal(syscall.SIGTERM)
	await("shutting down after the delay")
	select {
	case <-p.Ended():
		t.Fatal("the first signal ended it")
	case <-time.After(300 * time.Millisecond):
	}
	cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.Ended():
	case <-time.After(latchkeytest.Patience / 2):
		t.Error("the second signal did not end it")
	}
}
