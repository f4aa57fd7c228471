// Package sqlitetest opens throw-away SQLite stores for the tests of other packages.
package sqlitetest

import (
	"path/filepath"
	"testing"

	"latchkey/migrations"
	"latchkey/storage"
	"latchkey/storage/sqlite"
)

// SQLite gives an empty, migrated store in a temporary folder; it is closed when the test ends.
func SQLite(t testing.TB) storage.Store {
	t.Helper()
	return Open(t, filepath.Join(t.TempDir(), "latchkey.db"))
}

// Open opens the store in a file, which it makes and migrates when it is not there; it is closed when the test ends.
func Open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, NoSync: true})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	if _, err := migrations.Up(t.Context(), s.MigrationDB(), migrations.SQLite); err != nil {
		t.Fatalf("migrate store: %v", err)
	}
	return s
}
