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
	"github.com/jackc/pgx/v5/stdlib"

	"latchkey/migrations"
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

// template is the name of the migrated database that all others are copies of.
var template = sync.OnceValues(func() (string, error) {
	base, err := server()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return makeTemplate(ctx, base)
})

// URL gives a fresh, migrated database of this test's own. It is dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	name, err := template()
	if err != nil {
		t.Fatalf("Postgres for tests: %v", err)
	}
	return create(t, ` TEMPLATE `+name)
}

// EmptyURL gives a fresh database without a schema. It is dropped when the test ends.
func EmptyURL(t testing.TB) string {
	t.Helper()
	return create(t, "")
}

func create(t testing.TB, options string) string {
	t.Helper()
	base, err := server()
	if err != nil {
		t.Fatalf("Postgres for tests: %v", err)
	}
	name := "latchkey_test_" + strings.ToLower(rand.Text())
	if err := run(base, `CREATE DATABASE `+name+options); err != nil {
		t.Fatalf("create the test's database: %v", err)
	}
	t.Cleanup(func() {
		if err := run(base, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return inDatabase(base, name)
}

// makeTemplate makes the migrated database if it isn't there. It is named after the migrations, so processes that share
// a server share it, and a server that is kept keeps one per schema.
func makeTemplate(ctx context.Context, base string) (string, error) {
	sum := sha256.New()
	if err := fs.WalkDir(migrations.Files(migrations.Postgres), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.Files(migrations.Postgres), path)
		sum.Write([]byte(path))
		sum.Write(text)
		return err
	}); err != nil {
		return "", err
	}
	name := "latchkey_template_" + hex.EncodeToString(sum.Sum(nil)[:8])

	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx)
	// Other test processes wait here; the lock goes with the connection.
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(7401883524112)`); err != nil {
		return "", err
	}
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists); err != nil || exists {
		return name, err
	}
	// Migrated under another name, so that a template that is there is whole.
	unfinished := name + "_unfinished"
	for _, statement := range []string{`DROP DATABASE IF EXISTS ` + unfinished + ` WITH (FORCE)`, `CREATE DATABASE ` + unfinished} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", err
		}
	}
	if err := migrate(ctx, inDatabase(base, unfinished)); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, `ALTER DATABASE `+unfinished+` RENAME TO `+name)
	return name, err
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
