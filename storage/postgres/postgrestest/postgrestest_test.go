package postgrestest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage/postgres/postgrestest"
)

func TestEachTestHasADatabaseOfItsOwnThatIsDropped(t *testing.T) {
	t.Parallel()
	var first string
	t.Run("makes", func(t *testing.T) {
		first = postgrestest.URL(t)
		second := postgrestest.URL(t)
		execute(t, first, `INSERT INTO revoked_tokens (jti, expires_at) VALUES ('a', now())`)
		if n := number(t, second, `SELECT count(*) FROM revoked_tokens`); n != 0 {
			t.Errorf("the second database has %d rows of the first", n)
		}
	})
	if conn, err := pgx.Connect(t.Context(), first); err == nil {
		conn.Close(t.Context())
		t.Error("the database is still there after its test")
	}
}

func TestAClusterKeepsWhatWasCommittedAcrossAKill(t *testing.T) {
	t.Parallel()
	c := postgrestest.Cluster(t)
	url := c.Migrated(t)
	execute(t, url, `INSERT INTO revoked_tokens (jti, expires_at) VALUES ('a', now())`)
	// Clients that come back all the time must not disturb the start: Postgres refuses them while it recovers.
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				if conn, err := pgx.Connect(ctx, url); err == nil {
					conn.Exec(ctx, `SELECT pg_sleep(0.01)`)
					conn.Close(context.WithoutCancel(ctx))
				}
			}
		})
	}
	for range 3 {
		c.Kill(t)
		c.Start(t)
	}
	cancel()
	clients.Wait()
	execute(t, url, `INSERT INTO revoked_tokens (jti, expires_at) VALUES ('b', now())`)
	c.Stop(t)
	c.Start(t)
	if n := number(t, url, `SELECT count(*) FROM revoked_tokens`); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

// A killed test binary must leave neither a server nor files behind.
func TestAKilledProcessLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	if os.Getenv("POSTGRESTEST_CHILD") != "" {
		c := postgrestest.Cluster(t)
		os.Stdout.WriteString("URL " + c.URL() + "\n")
		time.Sleep(time.Minute)
		return
	}
	// The unprivileged user must be able to enter the folder's parents as well.
	temp, err := os.MkdirTemp("/tmp", "latchkey-killed-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	if err := os.Chmod(temp, 0o777); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestAKilledProcessLeavesNothingBehind$", "-test.v")
	child.Env = append(os.Environ(), "POSTGRESTEST_CHILD=1", "TMPDIR="+temp)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	url := ""
	buffer := make([]byte, 4096)
	for text := ""; url == ""; {
		n, err := out.Read(buffer)
		if err != nil {
			t.Fatalf("the child ended: %v: %s", err, text)
		}
		text += string(buffer[:n])
		if _, rest, found := strings.Cut(text, "URL "); found && strings.Contains(rest, "\n") {
			url, _, _ = strings.Cut(rest, "\n")
		}
	}
	if n := number(t, url, `SELECT 1`); n != 1 {
		t.Fatal("the child's cluster doesn't answer")
	}
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	deadline := time.Now().Add(time.Minute)
	for {
		left, err := filepath.Glob(filepath.Join(temp, "latchkey-postgres-*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %v", left)
		}
		time.Sleep(20 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if conn, err := pgx.Connect(ctx, url); err == nil {
		conn.Close(ctx)
		t.Error("Postgres still runs")
	}
}

func execute(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, url, statement string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), statement).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
