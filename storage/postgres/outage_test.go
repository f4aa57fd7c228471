package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// until calls f until it succeeds; every failure on the way must be ErrUnavailable.
func until(t *testing.T, f func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := f()
		if err == nil {
			return
		}
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("not ErrUnavailable: %v", err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("not back: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAStoppedDatabaseIsUnavailableAndComesBack(t *testing.T) {
	t.Parallel()
	c := postgrestest.Cluster(t)
	s := open(t, postgres.Config{URL: c.Migrated(t)})
	people(t, s)
	changes := watch(t, s)
	c.Stop(t)
	for range 3 {
		for _, a := range acts(s) {
			if a.name == "BeginLogin" || a.name == "CreateGrant" || strings.HasPrefix(a.name, "Grant") || a.name == "Ping" {
				if err := a.call(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("%s: %v", a.name, err)
				}
			}
		}
	}
	c.Start(t)
	until(t, func() error { return s.Ping(t.Context()) })
	if _, err := s.UserByUsername(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
	if c := next(t, changes, time.Minute); c.Kind != storage.ChangeAll {
		t.Errorf("Watch reported %+v", c)
	}
}

func TestADatabaseThatIsAwayAtOpenIsNoError(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{URL: "postgres://nobody:x@127.0.0.1:1/none?sslmode=disable"})
	if err := s.Ping(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// What was acknowledged is there after a crash, under load.
func TestAcknowledgedGrantsSurviveAKill(t *testing.T) {
	t.Parallel()
	c := postgrestest.Cluster(t)
	s := open(t, postgres.Config{URL: c.Migrated(t)})
	people(t, s)
	var mu sync.Mutex
	var acknowledged []storage.ID
	var wg sync.WaitGroup
	enough := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				g := &storage.Grant{ID: storage.NewID(noon), ClientID: "c", UserID: 7, Current: storage.TokenID{1}, AuthTime: noon, CreatedAt: noon, ExpiresAt: noon}
				if err := s.CreateGrant(context.Background(), g, nil); err != nil {
					if !errors.Is(err, storage.ErrUnavailable) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, g.ID)
				if len(acknowledged) == 200 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	c.Kill(t)
	wg.Wait()
	c.Start(t)
	until(t, func() error { return s.Ping(t.Context()) })
	for _, id := range acknowledged {
		if _, err := s.Grant(t.Context(), id); err != nil {
			t.Fatalf("a grant that was acknowledged: %v", err)
		}
	}
}

func TestADatabaseThatIsReadOnlyIsUnavailable(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s := open(t, postgres.Config{URL: url}, "default_transaction_read_only", "on")
	err := s.CreateUser(t.Context(), &storage.User{Username: "ann", CreatedAt: noon})
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// A statement that waits for a lock ends, at the server too, and the connection is good afterwards.
func TestAStatementThatTakesTooLongIsUnavailable(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s, conn := open(t, postgres.Config{URL: url, MaxConns: 1, StatementTimeout: 200 * time.Millisecond}), connect(t, url)
	people(t, s)
	execute(t, conn, `BEGIN`)
	execute(t, conn, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`)
	begin := time.Now()
	if _, err := s.User(t.Context(), 7); !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if n := query[int](t, conn, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`); n != 0 {
		t.Errorf("%d statements still wait at the server", n)
	}
	execute(t, conn, `ROLLBACK`)
	if _, err := s.User(t.Context(), 7); err != nil {
		t.Error(err)
	}
}

func TestACallerThatHasGoneIsUnavailable(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.User(ctx, 7); !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAnExhaustedPoolIsUnavailable(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s, conn := open(t, postgres.Config{URL: url, MaxConns: 1, StatementTimeout: 300 * time.Millisecond}), connect(t, url)
	execute(t, conn, `BEGIN`)
	execute(t, conn, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`)
	go s.User(context.Background(), 7)
	for s.Stats().InUse == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// Two transactions that lock each other out: Postgres ends one, which is tried once more. A backend looks for a deadlock
// once per wait, so the store's must look late enough for the other to be waiting by then, however busy the machine.
func TestADeadlockIsTriedOnceMore(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s, conn := open(t, postgres.Config{URL: url, StatementTimeout: time.Minute}, "deadlock_timeout", "3s"), connect(t, url)
	people(t, s)
	execute(t, conn, `SET deadlock_timeout = '1h'`)
	execute(t, conn, `BEGIN`)
	execute(t, conn, `UPDATE changes SET version = version WHERE kind = 'client'`)
	done := make(chan error, 1)
	go func() { done <- s.RaiseClientEpoch(context.Background(), "c", noon, nil) }()
	look := connect(t, url)
	for query[int](t, look, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
		time.Sleep(time.Millisecond)
	}
	execute(t, conn, `UPDATE clients SET version = version WHERE id = 'c'`) // gets its lock when the other was ended
	execute(t, conn, `COMMIT`)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Text that Postgres can't keep names no row: nothing may become an error that looks like an outage or a bug.
func TestNamesThatNoRowCanHaveAreNotFound(t *testing.T) {
	t.Parallel()
	trips := &postgrestest.RoundTrips{}
	s := open(t, postgres.Config{Tracer: trips})
	people(t, s)
	trips.Reset()
	for _, name := range []string{"ann\x00", "\x00", "ann\xff", "\xc3\x28", strings.Repeat("a", 1<<20)} {
		if _, err := s.UserByUsername(t.Context(), name); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("UserByUsername: %v", err)
		}
		if _, err := s.Client(t.Context(), name); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Client: %v", err)
		}
		if err := s.RemoveClient(t.Context(), name, nil); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("RemoveClient: %v", err)
		}
		if st, err := s.TokenState(t.Context(), name, name); err != nil || *st != (storage.TokenState{}) {
			t.Errorf("TokenState: %+v %v", st, err)
		}
		if list, err := s.ListGrants(t.Context(), storage.GrantFilter{ClientID: name}); err != nil || len(list) != 0 {
			t.Errorf("ListGrants: %v %v", list, err)
		}
	}
	if n := trips.Count(); n != 0 {
		t.Errorf("%d round trips for nothing", n)
	}
	check, err := s.BeginLogin(t.Context(), storage.LoginAttempt{
		Username: "ann\x00", Now: noon,
		Always: []storage.Bucket{{Key: storage.Digest{1}, Burst: 1, Interval: time.Minute}},
	})
	if err != nil || check.User != nil || check.RetryAfter != 0 {
		t.Errorf("BeginLogin: %+v %v", check, err)
	}
}

// Nobody's address or user agent may make a login fail; what is in it is kept as far as text can hold it.
func TestDescriptiveTextNeverFailsTheWrite(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{})
	people(t, s)
	g := &storage.Grant{
		ID: storage.NewID(noon), ClientID: "c", UserID: 7, Current: storage.TokenID{1}, AuthTime: noon, CreatedAt: noon,
		ExpiresAt: noon, UserAgent: "a\x00b\xffc", Address: "\x00",
	}
	event := &storage.AuditEvent{
		ID: storage.NewID(noon), At: noon, Action: "login", Address: "x\x00\xff", ClientID: "\x00",
		Details: []byte(`{"a":"\u0000","b":"\\u0000","c":"\ud800"}`),
	}
	if err := s.CreateGrant(t.Context(), g, nil, event); err != nil {
		t.Fatal(err)
	}
	got, err := s.Grant(t.Context(), g.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.UserAgent != "a\uFFFDb\uFFFDc" {
		t.Errorf("user agent %q", got.UserAgent)
	}
	events, err := s.ListAudit(t.Context(), storage.AuditFilter{})
	if err != nil || len(events) != 1 {
		t.Fatalf("%v %v", events, err)
	}
	if want := `{"a": "\ufffd", "b": "\\u0000", "c": "\ufffd"}`; strings.ReplaceAll(string(events[0].Details), "\uFFFD", `\ufffd`) != want {
		t.Errorf("details %s", events[0].Details)
	}
}
