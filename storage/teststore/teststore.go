// Package teststore opens throw-away stores for tests that run on each database, or on Postgres.
package teststore

import (
	"context"
	"testing"
	"time"

	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
)

// Each runs a test on every database; open returns an empty, migrated store that is closed when the test ends.
func Each(t *testing.T, run func(t *testing.T, open func(testing.TB) storage.Store)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) storage.Store{"sqlite": sqlitetest.SQLite, "postgres": Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, open)
		})
	}
}

// Postgres returns an empty, migrated Postgres store that is closed when the test ends.
func Postgres(t testing.TB) storage.Store {
	t.Helper()
	return PostgresAt(t, postgrestest.URL(t))
}

// PostgresAt returns a store on a migrated database. It is closed when the test ends.
func PostgresAt(t testing.TB, url string) storage.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url, MaxConns: 8, Now: func() time.Time { return testclock.Epoch }})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Clocked returns the store with a clock of the test's in its database.
func Clocked(s storage.Store, now func() time.Time) storage.Store {
	testclock.Set(s, now)
	return clocked{s, now}
}

type clocked struct {
	storage.Store
	now func() time.Time
}

// Clock fails when the store's does.
func (c clocked) Clock(ctx context.Context) (time.Time, error) {
	if _, err := c.Store.Clock(ctx); err != nil {
		return time.Time{}, err
	}
	return c.now(), nil
}
