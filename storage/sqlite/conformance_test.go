package sqlite_test

import (
	"path/filepath"
	"sync"
	"testing"

	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/storagetest"
)

// opener remembers where the stores are that it opened.
type opener struct{ paths sync.Map }

func (o *opener) Open(t testing.TB) storage.Store {
	path := filepath.Join(t.TempDir(), "latchkey.db")
	s := sqlitetest.Open(t, path)
	o.paths.Store(s, path)
	return s
}

func (o *opener) OpenAgain(t testing.TB, s storage.Store) storage.Store {
	path, _ := o.paths.Load(s)
	return sqlitetest.Open(t, path.(string))
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, &opener{})
}

func BenchmarkStore(b *testing.B) { storagetest.Benchmark(b, (&opener{}).Open(b)) }
