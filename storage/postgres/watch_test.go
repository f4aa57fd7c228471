package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// watch gives what Watch reports, after its first ChangeAll.
func watch(t *testing.T, s *postgres.Store) <-chan storage.Change {
	t.Helper()
	changes := make(chan storage.Change, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, func(c storage.Change) { changes <- c }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
	})
	if c := next(t, changes, time.Minute); c.Kind != storage.ChangeAll {
		t.Fatalf("first change: %+v", c)
	}
	return changes
}

func next(t *testing.T, changes <-chan storage.Change, within time.Duration) storage.Change {
	t.Helper()
	select {
	case c := <-changes:
		return c
	case <-time.After(within):
		t.Fatalf("no change within %v", within)
		return storage.Change{}
	}
}

func TestWatchNamesTheClientThatChanged(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s, other := open(t, postgres.Config{URL: url}), open(t, postgres.Config{URL: url})
	changes := watch(t, s)
	people(t, other)
	if c := next(t, changes, time.Minute); c != (storage.Change{Kind: storage.ChangeClient, ID: "c"}) {
		t.Errorf("got %+v", c)
	}
	if err := other.RaiseClientEpoch(t.Context(), "", noon, nil); err != nil {
		t.Fatal(err)
	}
	if c := next(t, changes, time.Minute); c != (storage.Change{Kind: storage.ChangeClient}) {
		t.Errorf("got %+v", c)
	}
	// What was told is not told again by the poll.
	select {
	case c := <-changes:
		t.Errorf("told again: %+v", c)
	case <-time.After(1200 * time.Millisecond):
	}
}

// Behind a pooler in transaction mode LISTEN succeeds and no notification ever comes.
func TestWatchSeesChangesWithoutNotifications(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	changes := watch(t, open(t, postgres.Config{URL: url}))
	execute(t, connect(t, url), `UPDATE changes SET version = version + 1 WHERE kind = 'signing_keys'`)
	if c := next(t, changes, time.Minute); c != (storage.Change{Kind: storage.ChangeSigningKeys}) {
		t.Errorf("got %+v", c)
	}
}

// A notification that skips a version means that others were lost.
func TestWatchReportsTheWholeKindWhenNotificationsWereLost(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	changes := watch(t, open(t, postgres.Config{URL: url}))
	conn := connect(t, url)
	execute(t, conn, `UPDATE changes SET version = version + 2 WHERE kind = 'client' RETURNING pg_notify('latchkey_changes', 'client:' || version || ':x')`)
	if c := next(t, changes, time.Minute); c != (storage.Change{Kind: storage.ChangeClient}) {
		t.Errorf("got %+v", c)
	}
}

func TestWatchReconnectsAndReportsEverything(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	changes := watch(t, open(t, postgres.Config{URL: url}))
	conn := connect(t, url)
	if n := query[int](t, conn, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); n == 0 {
		t.Fatal("nothing to terminate")
	}
	if c := next(t, changes, time.Minute); c.Kind != storage.ChangeAll {
		t.Errorf("got %+v", c)
	}
}
