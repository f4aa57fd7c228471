package postgres_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// spread creates grants of this week, of later ones and of one that has no partition.
func spread(t *testing.T, s *postgres.Store, n int) (list []*storage.Grant) {
	t.Helper()
	people(t, s)
	for i := range n {
		at := noon.AddDate(0, 0, 7*(i%4))
		if i%5 == 4 {
			at = noon.AddDate(-1, 0, 0)
		}
		list = append(list, grant(t, s, at, 1000*24*time.Hour))
	}
	return list
}

// ofOneWeek creates grants of this week.
func ofOneWeek(t *testing.T, s *postgres.Store, n int) (list []*storage.Grant) {
	t.Helper()
	people(t, s)
	for range n {
		list = append(list, grant(t, s, noon, 1000*24*time.Hour))
	}
	return list
}

// hold makes the statements about grants wait for a while.
func hold(t *testing.T, url string, d time.Duration) {
	t.Helper()
	conn := connect(t, url)
	execute(t, conn, `BEGIN`)
	execute(t, conn, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`)
	released := make(chan struct{})
	t.Cleanup(func() { <-released })
	go func() {
		defer close(released)
		time.Sleep(d)
		execute(t, conn, `ROLLBACK`)
	}()
}

// together calls f for each grant at the same time and returns the errors.
func together(list []*storage.Grant, f func(*storage.Grant) error) []error {
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, g := range list {
		wg.Go(func() { errs[i] = f(g) })
	}
	wg.Wait()
	return errs
}

func TestReadsShareStatementsAndEachHasItsOwnAnswer(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s := open(t, postgres.Config{URL: url, StatementTimeout: time.Minute})
	list := spread(t, s, 100)
	absent := &storage.Grant{ID: storage.NewID(noon)}
	list[50] = absent
	before := s.Stats()
	hold(t, url, 300*time.Millisecond)
	errs := together(list, func(g *storage.Grant) error {
		live, err := s.Grant(t.Context(), g.ID)
		if err == nil && (live.ID != g.ID || live.User == nil || live.User.Username != "ann") {
			return errors.New("another grant's answer")
		}
		return err
	})
	for i, err := range errs {
		if want := i == 50; errors.Is(err, storage.ErrNotFound) != want || !want && err != nil {
			t.Errorf("grant %d: %v", i, err)
		}
	}
	after := s.Stats()
	if n := after.Statements - before.Statements; n > 20 {
		t.Errorf("100 reads at once took %d statements", n)
	}
	if after.SharedCalls == before.SharedCalls || after.SharedWait == before.SharedWait {
		t.Error("the statistics do not show it")
	}
}

// A gateway asks about one token many times at once.
func TestReadsOfOneGrantShareStatements(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s := open(t, postgres.Config{URL: url, StatementTimeout: time.Minute})
	list := slices.Repeat(spread(t, s, 1), 100)
	before := s.Stats()
	hold(t, url, 300*time.Millisecond)
	var mu sync.Mutex
	answers := map[*storage.LiveGrant]bool{}
	errs := together(list, func(g *storage.Grant) error {
		live, err := s.Grant(t.Context(), g.ID)
		if err == nil && live.ID != g.ID {
			return errors.New("another grant's answer")
		}
		mu.Lock()
		defer mu.Unlock()
		answers[live] = true
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if n := s.Stats().Statements - before.Statements; n > 20 {
		t.Errorf("100 reads at once took %d statements", n)
	}
	if len(answers) != len(list) {
		t.Errorf("%d answers for %d calls, each of which may change its own", len(answers), len(list))
	}
}

// A statement is in the trace of one of its calls, however long statements follow each other.
func TestASharedStatementIsInATraceOfItsCalls(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{URL: postgrestest.URL(t), StatementTimeout: time.Minute})
	list := spread(t, s, 8)
	recorder := tracetest.NewSpanRecorder()
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(recorder)).Tracer("test")
	errs := together(list, func(g *storage.Grant) error {
		for range 50 {
			ctx, call := tracer.Start(t.Context(), "call")
			_, err := s.Grant(ctx, g.ID)
			call.End()
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	ended := map[string]time.Time{}
	for _, span := range recorder.Ended() {
		if span.Name() == "call" {
			ended[span.SpanContext().TraceID().String()] = span.EndTime()
		}
	}
	statements := 0
	for _, span := range recorder.Ended() {
		if span.Name() != "call" {
			statements++
			if end := ended[span.SpanContext().TraceID().String()]; end.Before(span.EndTime()) {
				t.Fatalf("statement %q ended %s after the call in whose trace it is", span.Name(), span.EndTime().Sub(end))
			}
		}
	}
	if len(ended) != 400 || statements == 0 {
		t.Errorf("%d calls in %d statements", len(ended), statements)
	}
}

func TestACallThatLeavesTakesNobodyWithIt(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s := open(t, postgres.Config{URL: url, StatementTimeout: time.Minute})
	list := spread(t, s, 40)
	hold(t, url, 500*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	errs := together(list, func(g *storage.Grant) error {
		if g == list[0] || g == list[7] || g == list[39] {
			if _, err := s.Grant(ctx, g.ID); !errors.Is(err, context.Canceled) || !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("a call that was cancelled: %v", err)
			}
			return nil
		}
		_, err := s.Grant(t.Context(), g.ID)
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// A second replica drops a partition that this one knows; grants that come to the same week later lie elsewhere.
func TestAPartitionThatAnotherReplicaDroppedIsForgotten(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s, conn := open(t, postgres.Config{URL: url}), connect(t, url)
	list := spread(t, s, 40)
	for range 10 { // until the plan is kept
		if _, err := s.Grant(t.Context(), list[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	name := partitionOf(t, conn, list[0].ID)
	execute(t, conn, `DROP TABLE `+name)
	errs := together(list, func(g *storage.Grant) error { _, err := s.Grant(t.Context(), g.ID); return err })
	for i, err := range errs {
		dropped := i%4 == 0 && i%5 != 4
		if errors.Is(err, storage.ErrNotFound) != dropped || !dropped && err != nil {
			t.Errorf("grant %d: %v", i, err)
		}
	}
	late := grant(t, s, noon, time.Hour)
	if _, err := s.Grant(t.Context(), late.ID); err != nil {
		t.Error(err)
	}
}

// A database that goes away is everybody's outage, and everybody is told.
func TestAnOutageEndsEveryCallOfAStatement(t *testing.T) {
	t.Parallel()
	c := postgrestest.Cluster(t)
	s := open(t, postgres.Config{URL: c.Migrated(t), StatementTimeout: 10 * time.Second})
	list := spread(t, s, 40)
	c.Kill(t)
	for s.Ping(t.Context()) == nil { // its processes see that the first one is gone
		time.Sleep(time.Millisecond)
	}
	for _, err := range together(list, func(g *storage.Grant) error { _, err := s.Grant(t.Context(), g.ID); return err }) {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
	c.Start(t)
	until(t, func() error { _, err := s.Grant(t.Context(), list[0].ID); return err })
}

// When very many sessions are refreshed at once, a call waits longer than a statement may take, as long as others get their turn.
func TestACallWaitsWhileOthersGetTheirTurn(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s := open(t, postgres.Config{URL: url, MaxConns: 2, StatementTimeout: 4 * time.Second})
	list := spread(t, s, 320) // five statements of 1.9 seconds, one after the other
	conn := connect(t, url)
	execute(t, conn, `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END'`)
	execute(t, conn, `CREATE TRIGGER slow BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION slow()`)
	begin := time.Now()
	for _, err := range together(list, func(g *storage.Grant) error { _, _, err := s.AttemptGrant(t.Context(), attempts(g)); return err }) {
		if err != nil {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	}
	if took := time.Since(begin); took < 5*time.Second {
		t.Errorf("it took %v: nothing waited longer than a statement may take", took)
	}
}

func attempts(g *storage.Grant) storage.GrantAttempt {
	return storage.GrantAttempt{ID: g.ID, ClientID: g.ClientID, Moves: []storage.AttemptedMove{
		{GrantMove: storage.GrantMove{From: g.Current, Window: 10 * time.Second}},
	}}
}

// A row that another transaction holds delays the call that needs it, and not those that share its statement.
func TestALockedGrantDelaysNoOther(t *testing.T) {
	t.Parallel()
	attempt := func(ctx context.Context, s *postgres.Store, g *storage.Grant) error {
		_, _, err := s.AttemptGrant(ctx, attempts(g))
		return err
	}
	revoke := func(ctx context.Context, s *postgres.Store, g *storage.Grant) error {
		_, err := s.RevokeGrant(ctx, g.ID, "test", g.CreatedAt, nil)
		return err
	}
	for _, c := range []struct {
		name string
		// make makes grants: of one week, whose calls are one statement, or of several.
		make func(*testing.T, *postgres.Store, int) []*storage.Grant
		call func(context.Context, *postgres.Store, *storage.Grant) error
	}{
		{"attempts", ofOneWeek, attempt},
		{"attempts of several weeks", spread, attempt},
		{"revocations", ofOneWeek, revoke},
		{"revocations of several weeks", spread, revoke},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.URL(t)
			s, conn := open(t, postgres.Config{URL: url, StatementTimeout: time.Minute}), connect(t, url)
			list := c.make(t, s, 40)
			execute(t, conn, `BEGIN`)
			execute(t, conn, `SELECT FROM grants WHERE id = $1 FOR UPDATE`, list[0].ID)
			others := make(chan struct{})
			released := make(chan struct{})
			go func() {
				defer close(released)
				<-others
				execute(t, conn, `ROLLBACK`)
			}()
			var left sync.WaitGroup
			left.Add(len(list) - 1)
			go func() { left.Wait(); close(others) }()
			errs := together(list, func(g *storage.Grant) error {
				err := c.call(t.Context(), s, g)
				if g != list[0] {
					left.Done() // only then the lock is released, so a call that waits for it never ends
				}
				return err
			})
			<-released
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
		})
	}
}

// Statements that share rows in another order than a transaction of several statements are rolled back by Postgres when they block
// each other; each call then goes on alone.
func TestADeadlockOfASharedStatementIsNobodysFailure(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s, conn := open(t, postgres.Config{URL: url, StatementTimeout: time.Minute}, "deadlock_timeout", "20ms"), connect(t, url)
	list := spread(t, s, 10)
	execute(t, conn, `SET deadlock_timeout = '1h'`)
	execute(t, conn, `BEGIN`)
	execute(t, conn, `SELECT FROM grants WHERE id = $1 FOR UPDATE`, list[9].ID)
	done := make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(50 * time.Millisecond)
		execute(t, conn, `SELECT FROM grants WHERE id = ANY ($1) ORDER BY id FOR UPDATE`, []storage.ID{list[0].ID, list[1].ID, list[2].ID})
		execute(t, conn, `COMMIT`)
	}()
	if err := errors.Join(together(list, func(g *storage.Grant) error { _, _, err := s.AttemptGrant(t.Context(), attempts(g)); return err })...); err != nil {
		t.Error(err)
	}
	<-done
}

// A server that turned read-only in the middle refuses a whole statement; every call is an outage then, none a verdict.
func TestAReadOnlyServerIsAnOutageForEveryCall(t *testing.T) {
	t.Parallel()
	c := postgrestest.Cluster(t)
	url := c.Migrated(t)
	s, conn := open(t, postgres.Config{URL: url}), connect(t, url)
	list := spread(t, s, 40)
	execute(t, conn, `ALTER SYSTEM SET default_transaction_read_only = on`)
	execute(t, conn, `SELECT pg_reload_conf()`)
	until(t, func() error {
		if s.Ping(t.Context()) == nil {
			return storage.ErrUnavailable
		}
		return nil
	})
	for _, err := range together(list, func(g *storage.Grant) error { _, _, err := s.AttemptGrant(t.Context(), attempts(g)); return err }) {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
}
