package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/storage"
	"latchkey/storage/sqlite"
)

// Doctor says how many letters of the last day could not be delivered, and why the last one could not.
func TestDoctorSaysWhichLettersCouldNotBeDelivered(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	s.Run("", "migrate", "up")
	store := storeOf(t, s.Folder)
	abandon := func(at time.Time, reason string) {
		t.Helper()
		if err := abandonLetter(t.Context(), store, at, &storage.UndeliveredLetter{LastError: reason}); err != nil {
			t.Fatal(err)
		}
	}
	const finding = "could not be delivered"
	now := time.Now().UTC()
	abandon(now.Add(-25*time.Hour), "an old reason")
	if out := string(s.Run("", "doctor")); strings.Contains(out, finding) {
		t.Errorf("a letter of the day before is a finding: %s", out)
	}
	abandon(now.Add(-time.Hour), "the first reason")
	abandon(now.Add(-time.Minute), "550 5.1.1\x1b[31m")
	out := string(s.Run("", "doctor"))
	if want := fmt.Sprint(finding, ": 2, the last one at "); !strings.Contains(out, want) || !strings.Contains(out, ": 550 5.1.1") || strings.Contains(out, "\x1b") {
		t.Errorf("no %q in %s", want, out)
	}
}

// abandonLetter stores a letter that could not be delivered at a time, and is kept for an hour.
func abandonLetter(ctx context.Context, store storage.Store, at time.Time, l *storage.UndeliveredLetter) error {
	l.ID, l.QueuedAt, l.AbandonedAt, l.ExpiresAt = storage.NewID(at), at, at, at.Add(time.Hour)
	m := &storage.OutboxMessage{
		ID: storage.NewID(at), Kind: "mail", Key: sha256.Sum256(l.ID[:]), Payload: []byte("x"), CreatedAt: at, NextAttemptAt: at, GiveUpAt: at,
		ExpiresAt: at.Add(time.Hour),
	}
	if err := store.CreateOutboxMessages(ctx, m); err != nil {
		return err
	}
	return store.AbandonLetter(ctx, m.ID, l)
}

// storeOf opens the SQLite database of a folder beside the program.
func storeOf(t *testing.T, folder string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(folder, "latchkey.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}
