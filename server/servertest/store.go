package servertest

import (
	"testing"

	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// SQLite gives an empty, migrated SQLite store that is closed when the test ends.
func SQLite(t testing.TB) storage.Store {
	t.Helper()
	return sqlitetest.SQLite(t)
}

// ForEachStore runs a test on every database; open gives an empty, migrated store that is closed when the test ends.
func ForEachStore(t *testing.T, run func(t *testing.T, open func(testing.TB) storage.Store)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) storage.Store{
		"SQLite": SQLite,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, open)
		})
	}
}
