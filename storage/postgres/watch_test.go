package postgres_test

import (
	"context"
	"errors"
	"net/url"
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
	address := postgrestest.URL(t)
	s, other := open(t, postgres.Config{URL: address}), open(t, postgres.Config{URL: address})
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

// Behind a pooler a subscription would stay with one of its connections, among the statements of others.
func TestWatchDoesNotListenThroughAPooler(t *testing.T) {
	t.Parallel()
	direct := postgrestest.URL(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = startPooler(t, u.Host).Addr().String()
	u.RawQuery = "sslmode=disable"
	changes := watch(t, open(t, postgres.Config{URL: u.String()}))
	conn := connect(t, direct)
	execute(t, conn, `SELECT pg_notify('latchkey_changes', 'client:' || version + 1 || ':x') FROM changes WHERE kind = 'client'`)
	select {
	case c := <-changes:
		t.Errorf("a notification has come: %+v", c)
	case <-time.After(300 * time.Millisecond):
	}
	execute(t, conn, `UPDATE changes SET version = version + 1 WHERE kind = 'signing_keys'`)
	if c := next(t, changes, time.Minute); c != (storage.Change{Kind: storage.ChangeSigningKeys}) {
		t.Errorf("got %+v", c)
	}
}

// Notifications may be lost, or not be sent: what a person changes by SQL.
func TestWatchSeesChangesWithoutNotifications(t *testing.T) {
	t.Parallel()
	address := postgrestest.URL(t)
	changes := watch(t, open(t, postgres.Config{URL: address}))
	execute(t, connect(t, address), `UPDATE changes SET version = version + 1 WHERE kind = 'signing_keys'`)
	if c := next(t, changes, time.Minute); c != (storage.Change{Kind: storage.ChangeSigningKeys}) {
		t.Errorf("got %+v", c)
	}
}

// A notification that skips a version means that others were lost.
func TestWatchReportsTheWholeKindWhenNotificationsWereLost(t *testing.T) {
	t.Parallel()
	address := postgrestest.URL(t)
	changes := watch(t, open(t, postgres.Config{URL: address}))
	conn := connect(t, address)
	execute(t, conn, `UPDATE changes SET version = version + 2 WHERE kind = 'client' RETURNING pg_notify('latchkey_changes', 'client:' || version || ':x')`)
	if c := next(t, changes, time.Minute); c != (storage.Change{Kind: storage.ChangeClient}) {
		t.Errorf("got %+v", c)
	}
}

func TestWatchReconnectsAndReportsEverything(t *testing.T) {
	t.Parallel()
	address := postgrestest.URL(t)
	changes := watch(t, open(t, postgres.Config{URL: address}))
	conn := connect(t, address)
	if n := query[int](t, conn, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); n == 0 {
		t.Fatal("nothing to terminate")
	}
	if c := next(t, changes, time.Minute); c.Kind != storage.ChangeAll {
		t.Errorf("got %+v", c)
	}
}
