package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"latchkey/migrations"
	"latchkey/storage"
	"latchkey/storage/sqlite"
	"latchkey/storage/sqlite/sqlitetest"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestFilesAreTheOwnersAlone: whoever reads the file reads password hashes and sealed keys.
func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	sqlitetest.Open(t, filepath.Join(folder, "latchkey.db"))
	var names []string
	for _, e := range entries(t, folder) {
		names = append(names, e.Name())
		if e.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), e.Mode())
		}
	}
	if want := []string{"latchkey.db", "latchkey.db-shm", "latchkey.db-wal"}; !slices.Equal(names, want) {
		t.Errorf("files %v", names)
	}
}

func TestCloseLeavesOneFileWithEverything(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "latchkey.db")
	s := sqlitetest.Open(t, path)
	createUser(t, s, "ada")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if e := entries(t, folder); len(e) != 1 {
		t.Errorf("%d files are left", len(e))
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlitetest.Open(t, copied).UserByUsername(t.Context(), "ada"); err != nil {
		t.Error(err)
	}
}

func TestAnyPathWorks(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"with space.db", "a#b?c=d&e%20.db", "ümlaut.db", "file:x.db", ":memory:"} {
		folder := t.TempDir()
		path := filepath.Join(folder, name)
		createUser(t, sqlitetest.Open(t, path), "ada")
		if _, err := sqlitetest.Open(t, path).UserByUsername(t.Context(), "ada"); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAMissingFolderIsTold(t *testing.T) {
	t.Parallel()
	_, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "missing", "latchkey.db")})
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Config{}); err == nil {
		t.Error("no path is a path")
	}
}

func TestAFileThatIsNoDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latchkey.db")
	text := []byte("This is a letter, and not a database. " + string(make([]byte, 4096)))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Config{Path: path}); err == nil {
		t.Fatal("it was opened")
	}
	if left, err := os.ReadFile(path); err != nil || string(left) != string(text) {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latchkey.db")
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
			if err == nil {
				_, err = migrations.Up(t.Context(), s.MigrationDB(), migrations.SQLite)
				err = errors.Join(err, s.Close())
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	createUser(t, sqlitetest.Open(t, path), "ada")
}

// hold takes the file's write lock as another process would, until the function it gives is called.
func hold(t *testing.T, path string) (release func()) {
	t.Helper()
	tx, err := sqlitetest.Open(t, path).MigrationDB().Begin()
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

func TestAWriteWaitsForAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latchkey.db")
	s := sqlitetest.Open(t, path)
	release := hold(t, path)
	written := make(chan error, 1)
	go func() { written <- s.CreateUser(t.Context(), &storage.User{Username: "ada", CreatedAt: now}) }()
	select {
	case err := <-written:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := s.UserByUsername(t.Context(), "ada"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("reading meanwhile: %v", err)
	}
	release()
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestAWriteThatWaitedTooLongIsUnavailable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latchkey.db")
	release := hold(t, path)
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, BusyTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// The last does not wait sixteen times as long.
	began := time.Now()
	errs := make(chan error, 16)
	for i := range cap(errs) {
		go func() {
			errs <- s.CreateUser(t.Context(), &storage.User{Username: fmt.Sprint(i), CreatedAt: now})
		}()
	}
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
	if waited := time.Since(began); waited < time.Second || waited > 12*time.Second {
		t.Errorf("waited %v", waited)
	}
	release()
	createUser(t, s, "ada")
	if list, err := s.ListUsers(t.Context(), 0, 10); err != nil || len(list) != 1 {
		t.Errorf("%d users, %v: a write that was refused came after all", len(list), err)
	}
}

func TestACallerWhoGivesUpWritesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latchkey.db")
	s := sqlitetest.Open(t, path)
	release := hold(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 4)
	for i := range cap(errs) {
		go func() { errs <- s.CreateUser(ctx, &storage.User{Username: fmt.Sprint(i), CreatedAt: now}) }()
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	release()
	createUser(t, s, "ada")
	if list, err := s.ListUsers(t.Context(), 0, 10); err != nil || len(list) != 1 {
		t.Errorf("%d users, %v", len(list), err)
	}
}

// TestTheCommandLineGetsItsTurn: a server that never stops writing leaves the lock to other processes now and then.
func TestTheCommandLineGetsItsTurn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latchkey.db")
	sqlitetest.Open(t, path)
	// Not those of sqlitetest: a server holds the lock while it waits for the disk.
	var stores [2]*sqlite.Store
	for i := range stores {
		s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		stores[i] = s
	}
	server, command := stores[0], stores[1]
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	for range 16 {
		go func() {
			for at := now; ctx.Err() == nil; at = at.Add(time.Second) {
				server.RevokeToken(ctx, "jti", at, nil)
			}
			done <- struct{}{}
		}()
	}
	for i := range 20 {
		createUser(t, command, fmt.Sprint(i))
	}
	stop()
	for range 16 {
		<-done
	}
}

func createUser(t testing.TB, s storage.Store, name string) {
	t.Helper()
	if err := s.CreateUser(t.Context(), &storage.User{Username: name, CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
}

func entries(t *testing.T, folder string) (list []fs.FileInfo) {
	t.Helper()
	names, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		info, err := n.Info()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, info)
	}
	return list
}
