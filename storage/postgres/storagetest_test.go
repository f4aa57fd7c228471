package postgres_test

import (
	"testing"

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

func TestStore(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, opener{})
}

func BenchmarkStore(b *testing.B) { storagetest.Benchmark(b, opener{}.Open(b)) }
