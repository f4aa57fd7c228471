package grants_test

import (
	"context"
	"testing"
	"time"

	"latchkey/server/grants"
	"latchkey/server/password"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// Ending every session signs everyone out of their browsers too, and tells their clients first.
func TestEndAll(t *testing.T) {
	t.Parallel()
	store := sqlitetest.SQLite(t)
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	epochs, told := map[int64]int64{}, map[int64]bool{}
	service := users.New(users.Config{Store: store, Now: now, Argon2: password.DefaultArgon2, Notices: func(ctx context.Context, id int64) ([]*storage.LogoutNotice, error) {
		u, err := store.User(ctx, id)
		told[id] = err == nil && u.AuthEpoch == epochs[id]
		return nil, err
	}})
	for _, name := range []string{"ada", "bob", "eve"} {
		u, err := service.Add(t.Context(), users.NewUser{Username: name, Active: true})
		if err != nil {
			t.Fatal(err)
		}
		epochs[u.ID] = u.AuthEpoch
	}
	done := 0
	end := grants.Service{Store: store, Users: service, Now: now, Progress: func(n int) { done = n }}
	if err := end.EndAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, before := range epochs {
		u, err := store.User(t.Context(), id)
		if err != nil || u.AuthEpoch <= before || !told[id] {
			t.Errorf("user %d: epoch %d, it was %d; told before: %v; %v", id, u.AuthEpoch, before, told[id], err)
		}
	}
	if done != len(epochs) {
		t.Errorf("progress %d, want %d", done, len(epochs))
	}
}
