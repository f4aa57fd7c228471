// Package sqlitetest opens throw-away SQLite stores for the tests of other packages.
package sqlitetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"latchkey/migrations"
	"latchkey/storage"
	"latchkey/storage/sqlite"
)

// SQLite returns an empty, migrated store in a temporary folder; it is closed when the test ends.
func SQLite(t testing.TB) storage.Store {
	t.Helper()
	return Open(t, filepath.Join(t.TempDir(), "latchkey.db"))
}

// Open opens the store in a file, which it creates when it does not exist, and migrates; it is closed when the test ends.
func Open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	_, err := os.Stat(path)
	isNew := errors.Is(err, os.ErrNotExist)
	if isNew {
		content, err := template()
		if err == nil {
			err = os.WriteFile(path, content, 0o600)
		}
		if err != nil {
			t.Fatalf("create store: %v", err)
		}
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, NoSync: true})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	if isNew {
		return s
	}
	if _, err := migrations.Up(t.Context(), s.MigrationDB(), migrations.SQLite); err != nil {
		t.Fatalf("migrate store: %v", err)
	}
	return s
}

// template returns the content of an empty, migrated database: with the race detector, migrating one takes longer than most tests.
var template = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "latchkey-sqlitetest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "latchkey.db")
	s, err := sqlite.Open(context.Background(), sqlite.Config{Path: path, NoSync: true})
	if err != nil {
		return nil, err
	}
	_, err = migrations.Up(context.Background(), s.MigrationDB(), migrations.SQLite)
	// Closing writes the write-ahead log back to the file.
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})
