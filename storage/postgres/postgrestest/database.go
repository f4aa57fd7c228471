package postgrestest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"latchkey/migrations"
	"latchkey/storage/postgres"
	"latchkey/storage/testclock"
)

// server is shared by the tests of a process: starting Postgres and migrating takes longer than most tests.
// The cluster ends with the process (see cluster.go), however the process ends.
var server = sync.OnceValues(func() (string, error) {
	if given := os.Getenv("LATCHKEY_TEST_DATABASE_URL"); given != "" {
		return given, nil
	}
	c, err := start(false)
	if err != nil {
		return "", err
	}
	return c.URL(), nil
})

// names are those of the databases that the ones of tests are copies of.
type names struct{ migrated, opened string }

// templates makes these databases.
var templates = sync.OnceValues(func() (of names, err error) {
	base, err := server()
	if err != nil {
		return of, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return of, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx)
	if of.migrated, err = templateName(); err != nil {
		return of, err
	}
	of.opened = of.migrated + "_opened"
	// Other test processes wait here; the lock goes with the connection.
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(7401883524112)`); err != nil {
		return of, err
	}
	if err := makeTemplate(ctx, conn, base, of.migrated, "", migrate); err != nil {
		return of, err
	}
	return of, makeTemplate(ctx, conn, base, of.opened, ` TEMPLATE `+of.migrated, openStores)
})

// URL gives a fresh database of this test's own, as a server leaves it at its start: migrated, with the partitions of this week and of
// testclock.Epoch. It is dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	return create(t, ` TEMPLATE `+templatesFor(t).opened)
}

// MigratedURL gives a fresh, migrated database that no server has opened. It is dropped when the test ends.
func MigratedURL(t testing.TB) string {
	t.Helper()
	return create(t, ` TEMPLATE `+templatesFor(t).migrated)
}

// EmptyURL gives a fresh database without a schema. It is dropped when the test ends.
func EmptyURL(t testing.TB) string {
	t.Helper()
	return create(t, "")
}

// admin has the connections that make databases and drop them.
var admin = sync.OnceValues(func() (*pgxpool.Pool, error) {
	base, err := server()
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(base)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 4
	return pgxpool.NewWithConfig(context.Background(), cfg)
})

func templatesFor(t testing.TB) names {
	t.Helper()
	of, err := templates()
	if err != nil {
		t.Fatalf("Postgres for tests: %v", err)
	}
	return of
}

func create(t testing.TB, options string) string {
	t.Helper()
	base, err := server()
	if err != nil {
		t.Fatalf("Postgres for tests: %v", err)
	}
	name := "latchkey_test_" + strings.ToLower(rand.Text())
	if err := administer(`CREATE DATABASE ` + name + options); err != nil {
		t.Fatalf("create the test's database: %v", err)
	}
	t.Cleanup(func() {
		if err := administer(`DROP DATABASE IF EXISTS ` + name + ` WITH (FORCE)`); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return inDatabase(base, name)
}

// administer runs a statement that can't be in a transaction.
func administer(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pool, err := admin()
	if err == nil {
		_, err = pool.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol)
	}
	return err
}

// templateName is the name of the migrated template. It has a hash of the migrations, so that processes that share a server share it, and
// a server that is kept keeps one per schema.
func templateName() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(migrations.Files(migrations.Postgres), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.Files(migrations.Postgres), path)
		sum.Write([]byte(path))
		sum.Write(text)
		return err
	})
	return "latchkey_template_" + hex.EncodeToString(sum.Sum(nil)[:8]), err
}

// makeTemplate makes a database and prepares it, if it isn't there: under another name first, so that a template that is there is whole.
func makeTemplate(ctx context.Context, conn *pgx.Conn, base, name, options string, prepare func(ctx context.Context, url string) error) error {
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists); err != nil || exists {
		return err
	}
	unfinished := name + "_unfinished"
	for _, statement := range []string{`DROP DATABASE IF EXISTS ` + unfinished + ` WITH (FORCE)`, `CREATE DATABASE ` + unfinished + options} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	if err := prepare(ctx, inDatabase(base, unfinished)); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, `ALTER DATABASE `+unfinished+` RENAME TO `+name)
	return err
}

// openStores opens a database as servers do, now and at testclock.Epoch.
func openStores(ctx context.Context, url string) error {
	for _, now := range []func() time.Time{nil, func() time.Time { return testclock.Epoch }} {
		s, err := postgres.Open(ctx, postgres.Config{URL: url, Now: now})
		if err != nil {
			return err
		}
		s.Close()
	}
	return nil
}

func migrate(ctx context.Context, url string) error {
	cc, err := pgx.ParseConfig(url)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*cc)
	defer db.Close()
	_, err = migrations.Up(ctx, db, migrations.Postgres)
	return err
}

// run runs a statement that can't be in a transaction.
func run(base, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// inDatabase is the URL of another database of the same server.
func inDatabase(base, name string) string {
	u, err := url.Parse(base)
	if err != nil {
		panic(err) // pgx has read it before
	}
	u.Path = "/" + name
	return u.String()
}
