package main

import (
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
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(s.Folder, "latchkey.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	abandon := func(at time.Time, reason string) {
		t.Helper()
		m := &storage.OutboxMessage{
			ID: storage.NewID(at), Kind: "mail", Key: storage.Digest{byte(len(reason))}, Payload: []byte("x"), CreatedAt: at, NextAttemptAt: at, GiveUpAt: at,
			ExpiresAt: at.Add(time.Hour),
		}
		l := &storage.UndeliveredLetter{ID: storage.NewID(at), QueuedAt: at, AbandonedAt: at, ExpiresAt: at.Add(time.Hour), LastError: reason}
		err := store.CreateOutboxMessages(t.Context(), m)
		if err == nil {
			err = store.AbandonLetter(t.Context(), m.ID, l)
		}
		if err != nil {
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
