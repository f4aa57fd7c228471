package main

import (
	"context"
	"io"
	"testing"
	"time"

	"latchkey/server/users"
	"latchkey/storage/sqlite/sqlitetest"
)

// Ending every session signs browsers out too: their sessions hang on the epochs of the users.
func TestRevokingAllRaisesTheEpochOfEveryUser(t *testing.T) {
	t.Parallel()
	store := sqlitetest.SQLite(t)
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	service := users.New(users.Config{Store: store, Now: now, Argon2: users.DefaultArgon2})
	epochs := map[int64]int64{}
	for _, name := range []string{"ada", "bob", "eve"} {
		u, err := service.Add(t.Context(), users.NewUser{Username: name, Active: true})
		if err != nil {
			t.Fatal(err)
		}
		epochs[u.ID] = u.AuthEpoch
	}
	a := &app{stdout: io.Discard, stderr: io.Discard, now: now}
	if err := a.signOutAll(context.Background(), store); err != nil {
		t.Fatal(err)
	}
	for id, before := range epochs {
		u, err := store.User(t.Context(), id)
		if err != nil || u.AuthEpoch <= before {
			t.Errorf("user %d: epoch %d, it was %d; %v", id, u.AuthEpoch, before, err)
		}
	}
}
