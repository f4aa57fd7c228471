package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// database is the database of a server.
type database struct {
	url, description string
	remove           func()
	// Postgres only: a connection to it, and its first process if it is on this machine.
	conn       *pgx.Conn
	postmaster int
}

func openDatabase(ctx context.Context, kind, folder string, s settings) (*database, error) {
	if kind == "postgres" {
		return openPostgres(ctx, s)
	}
	path := filepath.Join(folder, "latchkey-"+rand.Text()+".db")
	return &database{
		url: "sqlite:" + path, description: "SQLite, each commit synced to the disk",
		remove: func() {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				os.Remove(path + suffix)
			}
		},
	}, nil
}

// openPostgres makes a migrated database of its own.
func openPostgres(ctx context.Context, s settings) (_ *database, err error) {
	base := os.Getenv("LATCHKEY_TEST_DATABASE_URL")
	u, err := url.Parse(base)
	if err != nil || base == "" {
		return nil, errors.New("LATCHKEY_TEST_DATABASE_URL does not name a Postgres; use `make bench`")
	}
	admin, err := pgx.Connect(ctx, base)
	if err != nil {
		return nil, err
	}
	name := "latchkey_bench_" + strings.ToLower(rand.Text())
	if _, err := admin.Exec(ctx, `CREATE DATABASE `+name); err != nil {
		return nil, errors.Join(err, admin.Close(ctx))
	}
	db := &database{remove: func() {
		ctx := context.WithoutCancel(ctx)
		if _, err := admin.Exec(ctx, `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
			fmt.Fprintln(os.Stderr, "bench: drop the database:", err)
		}
		admin.Close(ctx)
	}}
	u.Path = "/" + name
	if db.conn, err = pgx.Connect(ctx, u.String()); err == nil {
		db.description, err = describe(ctx, db.conn)
	}
	if err != nil {
		db.remove()
		return nil, err
	}
	pool := "default"
	if s.pool > 0 {
		pool = strconv.Itoa(s.pool)
		query := u.Query()
		query.Set("pool_max_conns", pool)
		u.RawQuery = query.Encode()
	}
	db.url = u.String()
	db.description += ", size of the server's pool: " + pool
	db.postmaster = findPostmaster(db.conn)
	return db, nil
}

// describe names the version and the settings that decide how fast Postgres writes.
func describe(ctx context.Context, conn *pgx.Conn) (text string, err error) {
	err = conn.QueryRow(ctx, `SELECT format('Postgres %s, fsync %s, synchronous_commit %s, shared_buffers %s',
		current_setting('server_version_num')::int / 10000, current_setting('fsync'), current_setting('synchronous_commit'),
		current_setting('shared_buffers'))`).Scan(&text)
	return text, err
}

// findPostmaster returns the parent of our backend; 0 when there is no such process on this machine.
func findPostmaster(conn *pgx.Conn) int {
	p, err := readProcess(int(conn.PgConn().PID()))
	if err != nil {
		return 0
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.parent))
	if err != nil || strings.TrimSpace(string(name)) != "postgres" {
		return 0
	}
	return p.parent
}
