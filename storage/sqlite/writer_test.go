package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/migrations"
	"latchkey/storage"
	"latchkey/storage/internal/alike"
)

func openMigrated(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "latchkey.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := migrations.Up(t.Context(), s.MigrationDB(), migrations.SQLite); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConnectionSettings(t *testing.T) {
	t.Parallel()
	s := openMigrated(t)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": "0",
	} {
		var got string
		err := s.writer.do(t.Context(), func(c conn) error { return c.row(`PRAGMA `+pragma, nil, &got) })
		if err != nil || got != want {
			t.Errorf("writer: %s is %s, %v", pragma, got, err)
		}
	}
	if _, err := s.reader(t.Context()).exec(`DELETE FROM users`); !errors.Is(interpret("", err), storage.ErrUnavailable) {
		t.Errorf("a reader writes: %v", err)
	}
}

// enqueue starts writes that all wait while the writer is held, so that they become one batch. It gives their outcomes.
func enqueue(t *testing.T, s *Store, writes ...func(conn) error) []error {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	go s.writer.do(t.Context(), func(conn) error {
		close(held)
		<-release
		return nil
	})
	<-held
	type outcome struct {
		i   int
		err error
	}
	outcomes := make(chan outcome)
	for i, w := range writes {
		go func() { outcomes <- outcome{i, s.writer.do(t.Context(), w)} }()
	}
	// Whether all of them are in the batch is a matter of luck; what is promised holds either way.
	time.Sleep(20 * time.Millisecond)
	close(release)
	errs := make([]error, len(writes))
	for range writes {
		o := <-outcomes
		errs[o.i] = o.err
	}
	return errs
}

func insertUser(name string) func(conn) error {
	return func(c conn) error {
		_, err := c.exec(`INSERT INTO users (username, email, password_hash, active, staff, auth_epoch, created_at)
			VALUES (?, '', '', 1, 0, 0, 0)`, name)
		return err
	}
}

func usernames(t *testing.T, s *Store) string {
	t.Helper()
	list, err := s.ListUsers(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, u := range list {
		names[u.Username] = true
	}
	var found []string
	for _, n := range []string{"a", "b", "c", "d"} {
		if names[n] {
			found = append(found, n)
		}
	}
	return strings.Join(found, " ")
}

func TestAWriteThatFailsIsUndoneAlone(t *testing.T) {
	t.Parallel()
	s := openMigrated(t)
	refused := errors.New("refused")
	errs := enqueue(t, s, insertUser("a"), func(c conn) error {
		if err := insertUser("b")(c); err != nil {
			return err
		}
		return refused
	}, insertUser("c"))
	if errs[0] != nil || errs[1] != refused || errs[2] != nil {
		t.Errorf("outcomes %v", errs)
	}
	if got := usernames(t, s); got != "a c" {
		t.Errorf("stored are %q", got)
	}
}

// TestABrokenTransactionAcknowledgesNothing: when SQLite rolls back by itself, nobody in the batch was written.
func TestABrokenTransactionAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	s := openMigrated(t)
	full := errors.New("disk full")
	errs := enqueue(t, s, insertUser("a"), func(c conn) error {
		if err := insertUser("b")(c); err != nil {
			return err
		}
		if _, err := c.exec(`ROLLBACK`); err != nil {
			return err
		}
		return full
	}, insertUser("c"))
	stored := usernames(t, s)
	for i, name := range []string{"a", "b", "c"} {
		if (errs[i] == nil) != strings.Contains(stored, name) {
			t.Errorf("%s: outcome %v, stored are %q", name, errs[i], stored)
		}
		if errs[i] != nil && !errors.Is(errs[i], storage.ErrUnavailable) {
			t.Errorf("%s: got %v", name, errs[i])
		}
	}
	if errs[1] == nil {
		t.Error("the broken write was acknowledged")
	}
	if err := s.writer.do(t.Context(), insertUser("d")); err != nil {
		t.Errorf("the next write: %v", err)
	}
}

func TestAFullDiskIsUnavailable(t *testing.T) {
	t.Parallel()
	s := openMigrated(t)
	var pages int
	err := s.writer.do(t.Context(), func(c conn) error { return c.row(`PRAGMA max_page_count = 60`, nil, &pages) })
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	u := &storage.User{Username: "a", Email: strings.Repeat("x", 1<<20), CreatedAt: now}
	if err := s.CreateUser(t.Context(), u); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if got := usernames(t, s); got != "" {
		t.Errorf("stored are %q", got)
	}
	u.Email = ""
	if err := s.CreateUser(t.Context(), u); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestWritesShareACommit(t *testing.T) {
	t.Parallel()
	s := openMigrated(t)
	writes := make([]func(conn) error, 32)
	// What others see while a write runs changes with each commit. Only the writer's goroutine touches the map.
	transactions := map[int]bool{}
	for i := range writes {
		writes[i] = func(c conn) error {
			committed, err := s.ListUsers(t.Context(), 0, 100)
			transactions[len(committed)] = true
			return errors.Join(err, insertUser(strings.Repeat("x", i+1))(c))
		}
	}
	for _, err := range enqueue(t, s, writes...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(transactions); n >= len(writes)/2 {
		t.Errorf("%d writes took %d transactions", len(writes), n)
	}
}

// TestTheLogBeginsAnewUnderSteadyReading: SQLite alone would let it grow for as long as there is always a reader.
func TestTheLogBeginsAnewUnderSteadyReading(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latchkey.db")
	s, err := Open(t.Context(), Config{Path: path, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := migrations.Up(t.Context(), s.MigrationDB(), migrations.SQLite); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	readers.Go(func() {
		var reading *sql.Tx // at any moment one of two
		for ctx.Err() == nil {
			next, err := s.readDB.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
			if err == nil {
				_, err = next.Exec(`SELECT count(*) FROM revoked_tokens`)
			}
			if err != nil {
				t.Error(err)
				return
			}
			if reading != nil {
				reading.Rollback()
			}
			reading = next
			time.Sleep(time.Millisecond)
		}
		reading.Rollback()
	})
	var log int64
	for i := range 4 * restartEvery {
		if err := s.RevokeToken(t.Context(), fmt.Sprint("jti ", i), time.Now(), nil); err != nil {
			t.Fatal(err)
		}
		if i == restartEvery-200 {
			log = size(t, path+"-wal")
		}
	}
	stop()
	readers.Wait()
	if after := size(t, path+"-wal"); after > 3*log {
		t.Errorf("the log grew from %d to %d bytes", log, after)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func BenchmarkMoveGrant(b *testing.B) {
	now := time.Now()
	s := openMigrated(b)
	u := &storage.User{Username: "ada", CreatedAt: now, Active: true}
	c := &storage.Client{ID: "app", Metadata: []byte("{}"), CreatedAt: now, UpdatedAt: now}
	if err := errors.Join(s.CreateUser(b.Context(), u), s.CreateClient(b.Context(), c, nil)); err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		g := &storage.Grant{
			ID: storage.NewID(now), ClientID: c.ID, UserID: u.ID, UserEpoch: u.AuthEpoch, ClientEpoch: c.AuthEpoch,
			AuthTime: now, CreatedAt: now, ExpiresAt: now.Add(time.Hour), Current: storage.TokenID{1},
		}
		if err := s.CreateGrant(b.Context(), g, nil); err != nil {
			b.Error(err)
		}
		for pb.Next() {
			if _, err := s.MoveGrant(b.Context(), storage.GrantMove{ID: g.ID, From: g.Current, Window: 10 * time.Second}, nil); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

// TestAnAnswerThatIsCutShortIsNotEmpty: a caller who leaves while a row is looked for must not be told that there is none, which others may
// remember.
func TestAnAnswerThatIsCutShortIsNotEmpty(t *testing.T) {
	t.Parallel()
	s := openMigrated(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := statements{s}.Read(ctx, "look", func(rows alike.Rows) error {
		cancel()
		for rows.Next() {
		}
		return storage.ErrNotFound
	}, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n`)
	if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the answer: %v", err)
	}
}
