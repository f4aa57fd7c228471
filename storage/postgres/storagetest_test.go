package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/storagetest"
)

// opener opens stores, each with a database of its own.
type opener struct{}

// opened is a store that knows its database.
type opened struct {
	*postgres.Store
	url string
}

func (opener) Open(t testing.TB) storage.Store {
	t.Helper()
	url := postgrestest.URL(t)
	return opened{open(t, postgres.Config{URL: url, MaxConns: 8}), url}
}

func (opener) OpenAgain(t testing.TB, s storage.Store) storage.Store {
	t.Helper()
	return opened{open(t, postgres.Config{URL: s.(opened).url, MaxConns: 8}), s.(opened).url}
}

// Disturb implements storagetest.Disturber.
func (opener) Disturb(t testing.TB, s storage.Store) {
	conn, err := pgx.Connect(t.Context(), s.(opened).url)
	if err == nil {
		defer conn.Close(context.Background())
		_, err = conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, opener{})
}

func BenchmarkStore(b *testing.B) { storagetest.Benchmark(b, opener{}.Open(b)) }
