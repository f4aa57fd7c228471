package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// setup gives a store, its URL and a plain connection to look behind it.
func setup(t *testing.T, now time.Time) (*postgres.Store, string, *pgx.Conn) {
	t.Helper()
	url := postgrestest.MigratedURL(t)
	return open(t, postgres.Config{URL: url, Now: func() time.Time { return now }}), url, connect(t, url)
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func query[T any](t *testing.T, conn *pgx.Conn, statement string, args ...any) (v T) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), statement, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return v
}

func execute(t *testing.T, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// people makes the user 7 and the client c.
func people(t *testing.T, s *postgres.Store) {
	t.Helper()
	if err := s.CreateUser(t.Context(), &storage.User{ID: 7, Username: "ann", Active: true, CreatedAt: noon}); err != nil {
		t.Fatal(err)
	}
	c := &storage.Client{ID: "c", Metadata: []byte(`{}`), CreatedAt: noon, UpdatedAt: noon}
	if err := s.CreateClient(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
}

// grant makes a grant of user 7 and client c whose ID is of the time at.
func grant(t *testing.T, s *postgres.Store, at time.Time, life time.Duration) *storage.Grant {
	t.Helper()
	g := &storage.Grant{
		ID: storage.NewID(at), ClientID: "c", UserID: 7, Current: storage.TokenID{1}, UserEpoch: noon.UnixMicro(),
		ClientEpoch: noon.UnixMicro(), AuthTime: at, CreatedAt: at, ExpiresAt: at.Add(life),
	}
	if err := s.CreateGrant(t.Context(), g, nil); err != nil {
		t.Fatal(err)
	}
	return g
}

func partitionOf(t *testing.T, conn *pgx.Conn, id storage.ID) string {
	t.Helper()
	return query[string](t, conn, `SELECT tableoid::regclass::text FROM grants WHERE id = $1`, id.String())
}

func TestAFreshServerHasPartitionsForThisWeekAndTheNextThree(t *testing.T) {
	t.Parallel()
	s, _, conn := setup(t, noon)
	got := query[string](t, conn, `SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY inhrelid::regclass::text) FROM pg_inherits
		WHERE inhparent IN ('grants'::regclass, 'audit_events'::regclass)`)
	const want = "audit_events_2026_03 audit_events_2026_04 audit_events_default " +
		"grants_2026_03_02 grants_2026_03_09 grants_2026_03_16 grants_2026_03_23 grants_adopted grants_default"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	people(t, s)
	for at, want := range map[time.Time]string{
		noon:                   "grants_2026_03_02",
		noon.AddDate(0, 0, 21): "grants_2026_03_23",
		noon.AddDate(0, 0, 28): "grants_default",
		noon.AddDate(0, 0, -7): "grants_default",
		time.Date(2026, 3, 8, 23, 59, 59, 999e6, time.UTC): "grants_2026_03_02",
		time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC):        "grants_2026_03_09",
		time.Date(2019, 12, 31, 23, 59, 59, 0, time.UTC):   "grants_adopted",
		time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC):        "grants_default",
	} {
		if got := partitionOf(t, conn, grant(t, s, at, time.Hour).ID); got != want {
			t.Errorf("a grant of %v went to %s, want %s", at, got, want)
		}
	}
}

// Many replicas maintain at once: each partition is made once and nobody fails.
func TestPartitionsAreMadeByManyReplicasAtOnce(t *testing.T) {
	t.Parallel()
	_, url, _ := setup(t, noon)
	later := noon.AddDate(0, 2, 0)
	results := make(chan storage.Maintenance, 4)
	for range 4 {
		s := open(t, postgres.Config{URL: url})
		go func() {
			m, err := s.Maintain(context.Background(), later, 10)
			if err != nil {
				t.Error(err)
			}
			results <- m
		}()
	}
	for range 4 {
		<-results
	}
	m, err := open(t, postgres.Config{URL: url}).Maintain(t.Context(), later, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.PartitionsCreated) != 0 {
		t.Errorf("still to be made: %v", m.PartitionsCreated)
	}
}

func TestAPartitionMadeLateTakesItsRowsFromTheDefaultPartition(t *testing.T) {
	t.Parallel()
	s, _, conn := setup(t, noon)
	people(t, s)
	stray := grant(t, s, noon.AddDate(0, 0, 29), 48*time.Hour)
	other := grant(t, s, noon.AddDate(1, 0, 0), 48*time.Hour)
	m, err := s.Maintain(t.Context(), noon.AddDate(0, 0, 8), 10)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.PartitionsCreated, []string{"grants_2026_03_30"}) {
		t.Errorf("made %v", m.PartitionsCreated)
	}
	if got := partitionOf(t, conn, stray.ID); got != "grants_2026_03_30" {
		t.Errorf("the grant is in %s", got)
	}
	if got := partitionOf(t, conn, other.ID); got != "grants_default" {
		t.Errorf("a grant of another week is in %s", got)
	}
	if _, err := s.MoveGrant(t.Context(), storage.GrantMove{ID: stray.ID, From: stray.Current, Window: time.Second}, nil); err != nil {
		t.Errorf("touch the moved grant: %v", err)
	}
}

func TestTooManyRowsInTheDefaultPartitionStayThere(t *testing.T) {
	t.Parallel()
	s, _, conn := setup(t, noon)
	at := storage.FirstID(noon.AddDate(0, 0, 29)).String()
	execute(t, conn, `INSERT INTO grants SELECT (left($1, 24) || lpad(to_hex(n), 12, '0'))::uuid, 'c', 7, '', '', 0, 0, now(), now(), now(), '', '',
		gen_random_uuid(), 0, NULL, NULL, NULL, NULL, NULL, '' FROM generate_series(1, 5001) AS n`, at)
	m, err := s.Maintain(t.Context(), noon.AddDate(0, 0, 8), 10)
	if err != nil {
		t.Fatalf("maintenance must go on: %v", err)
	}
	if slices.Contains(m.PartitionsCreated, "grants_2026_03_30") {
		t.Error("the partition was made")
	}
	if n := query[int](t, conn, `SELECT count(*) FROM grants_default`); n != 5001 {
		t.Errorf("%d rows in the default partition", n)
	}
	people(t, s)
	grant(t, s, noon.AddDate(0, 0, 30), time.Hour)
}

func TestAPartitionIsDroppedWhenItsLastGrantHasEnded(t *testing.T) {
	t.Parallel()
	s, _, conn := setup(t, noon)
	people(t, s)
	grant(t, s, noon, time.Hour)
	last := grant(t, s, noon, 30*24*time.Hour)
	next := grant(t, s, noon.AddDate(0, 0, 7), 60*24*time.Hour)
	for _, days := range []int{5, 20, 29} {
		m, err := s.Maintain(t.Context(), noon.AddDate(0, 0, days), 10)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(m.PartitionsDropped, "grants_2026_03_02") {
			t.Fatalf("dropped after %d days, while a grant was alive", days)
		}
	}
	if _, err := s.Grant(t.Context(), last.ID); err != nil {
		t.Fatal(err)
	}
	m, err := s.Maintain(t.Context(), noon.AddDate(0, 0, 31), 10)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(m.PartitionsDropped, "grants_2026_03_02") || slices.Contains(m.PartitionsDropped, "grants_2026_03_09") {
		t.Errorf("dropped %v", m.PartitionsDropped)
	}
	if query[bool](t, conn, `SELECT to_regclass('grants_2026_03_02') IS NOT NULL`) {
		t.Error("the partition is still there")
	}
	if _, err := s.Grant(t.Context(), last.ID); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("reading a dropped grant: %v", err)
	}
	if _, err := s.Grant(t.Context(), next.ID); err != nil {
		t.Errorf("the next week's grant: %v", err)
	}
	if query[bool](t, conn, `SELECT to_regclass('grants_adopted') IS NULL OR to_regclass('grants_default') IS NULL`) {
		t.Error("a partition that is never dropped is gone")
	}
}

// Only the newest grants are looked at while they live. When they have ended, an older one that lives longer keeps the partition.
func TestAPartitionStaysForAnOldGrant(t *testing.T) {
	t.Parallel()
	s, url, conn := setup(t, noon)
	people(t, s)
	old := grant(t, s, noon, 60*24*time.Hour)
	var ids []string
	for range 1000 {
		ids = append(ids, storage.NewID(noon.Add(time.Hour)).String())
	}
	name := partitionOf(t, conn, old.ID)
	execute(t, conn, `INSERT INTO `+name+` SELECT (jsonb_populate_record(g, jsonb_build_object('id', i, 'expires_at', $2::timestamptz))).*
		FROM `+name+` g, unnest($1::uuid[]) AS i WHERE g.id = $3`, ids, noon.AddDate(0, 0, 10), old.ID.String())
	maintain := func(s *postgres.Store, days int) int64 {
		t.Helper()
		before := s.Stats().Statements
		m, err := s.Maintain(t.Context(), noon.AddDate(0, 0, days), 10)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(m.PartitionsDropped, name) {
			t.Fatalf("dropped after %d days, while a grant was alive", days)
		}
		return s.Stats().Statements - before
	}
	for _, c := range []struct {
		days int
		want int64 // statements that look for the end
	}{{9, 1}, {20, 2}, {59, 2}} {
		maintain(s, c.days) // makes and drops the other partitions
		fresh := open(t, postgres.Config{URL: url, Now: func() time.Time { return noon.AddDate(0, 0, c.days) }})
		looking, known := maintain(fresh, c.days), maintain(fresh, c.days)
		if looking-known != c.want {
			t.Errorf("after %d days, %d statements look for the end of the last grant, want %d", c.days, looking-known, c.want)
		}
	}
	m, err := s.Maintain(t.Context(), noon.AddDate(0, 0, 61), 10)
	if err != nil || !slices.Contains(m.PartitionsDropped, name) {
		t.Errorf("when the last grant has ended, dropped %v, %v", m.PartitionsDropped, err)
	}
}

// Of ten million ended grants one look at all of them takes longer than a statement may, and they are removed all the same.
func TestAPartitionThatTakesLongToEmptyIsDropped(t *testing.T) {
	t.Parallel()
	url := postgrestest.MigratedURL(t)
	s, conn := open(t, postgres.Config{URL: url, StatementTimeout: 2 * time.Second}), connect(t, url)
	people(t, s)
	name := partitionOf(t, conn, grant(t, s, noon, time.Hour).ID)
	execute(t, conn, `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NULL; END'`)
	execute(t, conn, `CREATE TRIGGER slow BEFORE TRUNCATE ON `+name+` FOR EACH STATEMENT EXECUTE FUNCTION slow()`)
	until(t, func() error {
		m, err := s.Maintain(t.Context(), noon.AddDate(0, 0, 15), 100)
		if err == nil && !slices.Contains(m.PartitionsDropped, name) {
			err = fmt.Errorf("%s is still there: %w", name, storage.ErrUnavailable)
		}
		return err
	})
}

func TestAnAuditPartitionIsNeverDropped(t *testing.T) {
	t.Parallel()
	s, _, conn := setup(t, noon)
	if _, err := s.Maintain(t.Context(), noon.AddDate(9, 0, 0), 10); err != nil {
		t.Fatal(err)
	}
	if !query[bool](t, conn, `SELECT to_regclass('audit_events_2026_03') IS NOT NULL`) {
		t.Error("it was dropped")
	}
}

// A reader that holds a lock must not make a queue of refreshes behind the one that wants to drop.
func TestDroppingGivesUpSoonWhenTheLockIsHeld(t *testing.T) {
	t.Parallel()
	s, _, conn := setup(t, noon)
	people(t, s)
	grant(t, s, noon, time.Hour)
	alive := grant(t, s, noon.AddDate(0, 0, 14), 30*24*time.Hour)
	now := noon.AddDate(0, 0, 15)
	execute(t, conn, `BEGIN`)
	execute(t, conn, `LOCK TABLE grants IN ACCESS SHARE MODE`)
	done := make(chan error, 1)
	go func() {
		m, err := s.Maintain(context.Background(), now, 10)
		if err == nil && slices.Contains(m.PartitionsDropped, "grants_2026_03_02") {
			err = errors.New("dropped under a reader")
		}
		done <- err
	}()
	slowest := time.Duration(0)
	for running := true; running; {
		begin := time.Now()
		if _, err := s.MoveGrant(t.Context(), storage.GrantMove{ID: alive.ID, From: alive.Current, Window: time.Second}, nil); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(begin))
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
	}
	t.Logf("slowest refresh: %v", slowest)
	execute(t, conn, `ROLLBACK`)
	m, err := s.Maintain(t.Context(), now, 10)
	if err != nil || !slices.Contains(m.PartitionsDropped, "grants_2026_03_02") {
		t.Errorf("the next try dropped %v: %v", m.PartitionsDropped, err)
	}
}

// Postgres must look into the partition of the grant only, prepared statements included.
func TestARefreshLooksIntoOnePartition(t *testing.T) {
	t.Parallel()
	s, _, conn := setup(t, noon)
	people(t, s)
	g := grant(t, s, noon, time.Hour)
	refreshes(t, s, g, 20) // more often than it takes Postgres to consider a generic plan
	if _, err := s.RevokeGrant(t.Context(), g.ID, "logout", noon, nil); err != nil {
		t.Fatal(err)
	}
	s.Close() // sessions report what they counted at their end
	scans := func(condition string) int64 {
		return query[int64](t, conn, `SELECT coalesce(sum(idx_scan + seq_scan), 0)::bigint FROM pg_stat_user_tables WHERE relname ~ '^grants' AND `+condition)
	}
	for deadline := time.Now().Add(time.Minute); scans(`relname = 'grants_2026_03_02'`) < 60; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the statistics don't show the refreshes")
		}
	}
	// Making the five others scanned each a few times; looking into them would be 60 times each.
	if n := scans(`relname <> 'grants_2026_03_02'`); n > 60 {
		t.Errorf("%d scans of other partitions", n)
	}
}

// refreshes does, n times, all that a login and a refresh do.
func refreshes(t *testing.T, s *postgres.Store, g *storage.Grant, n int) {
	t.Helper()
	for i := range n {
		if _, err := s.MoveGrant(t.Context(), storage.GrantMove{ID: g.ID, From: g.Current}, nil); err != nil {
			t.Fatalf("touch %d: %v", i, err)
		}
		if _, err := s.Grant(t.Context(), g.ID); err != nil {
			t.Fatalf("read %d: %v", i, err)
		}
		to := storage.NewID(noon)
		a := storage.GrantMove{ID: g.ID, From: g.Current, To: storage.TokenID(to), Generation: int64(i)}
		if _, err := s.MoveGrant(t.Context(), a, nil); err != nil {
			t.Fatalf("advance %d: %v", i, err)
		}
		g.Current = a.To
		if err := s.CreateGrant(t.Context(), &storage.Grant{
			ID: storage.NewID(noon), ClientID: "c", UserID: 7, Current: storage.TokenID{1},
			AuthTime: noon, CreatedAt: noon, ExpiresAt: noon,
		}, nil); err != nil {
			t.Fatalf("create %d: %v", i, err)
		}
	}
}

// The cluster is its own: a transaction of another test would keep Postgres from reusing the space of old versions. So would an
// ANALYZE of its own accord, which takes long enough for that on a busy machine.
func TestARefreshIsAHeapOnlyUpdate(t *testing.T) {
	t.Parallel()
	url := postgrestest.Cluster(t).Migrated(t)
	s, conn := open(t, postgres.Config{URL: url}), connect(t, url)
	execute(t, conn, `ALTER SYSTEM SET autovacuum = off`)
	execute(t, conn, `SELECT pg_reload_conf()`)
	people(t, s)
	g := grant(t, s, noon, time.Hour)
	size := func() int64 {
		return query[int64](t, conn, `SELECT pg_total_relation_size('grants_2026_03_02')`)
	}
	const rounds = 500
	var before int64
	for i := range rounds {
		s.SetClock(func() time.Time { return noon.Add(time.Duration(i) * time.Second) })
		if _, err := s.MoveGrant(t.Context(), storage.GrantMove{ID: g.ID, From: g.Current}, nil); err != nil {
			t.Fatal(err)
		}
		to := storage.TokenID{1, byte(i), byte(i >> 8)}
		if _, err := s.MoveGrant(t.Context(), storage.GrantMove{ID: g.ID, From: g.Current, To: to, Generation: int64(i)}, nil); err != nil {
			t.Fatal(err)
		}
		g.Current = to
		if i == rounds/10 {
			before = size()
		}
	}
	if after := size(); after > before+8192 {
		t.Errorf("the partition grew from %d to %d bytes", before, after)
	}
	if n := query[int](t, conn, `SELECT count(*) FROM grants`); n != 1 {
		t.Errorf("%d rows", n)
	}
	s.Close() // sessions report what they counted at their end
	var updates, hot int64
	for deadline := time.Now().Add(time.Minute); updates < 2*rounds && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err := conn.QueryRow(t.Context(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'grants_2026_03_02'`).Scan(&updates, &hot); err != nil {
			t.Fatal(err)
		}
	}
	if updates != 2*rounds || hot != updates {
		t.Errorf("of %d refreshes %d are counted and %d were heap-only", 2*rounds, updates, hot)
	}
}

// Only client, user and ID of a grant are indexed, in every partition, those made later included.
func TestNothingThatARefreshWritesIsIndexed(t *testing.T) {
	t.Parallel()
	_, _, conn := setup(t, noon)
	rows, err := conn.Query(t.Context(), `SELECT c.relname::text, string_agg(pg_get_indexdef(i.indexrelid), '; '), coalesce(array_to_string(c.reloptions, ','), '')
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relname ~ '^grants' GROUP BY 1, c.reloptions`)
	if err != nil {
		t.Fatal(err)
	}
	var name, indexes, options string
	partitions := 0
	if _, err := pgx.ForEachRow(rows, []any{&name, &indexes, &options}, func() error {
		if strings.Count(indexes, "INDEX") != 3 {
			return fmt.Errorf("%s: %s", name, indexes)
		}
		for _, column := range []string{"current_id", "generation", "window_at", "previous", "last_used_at", "revoked_at"} {
			if strings.Contains(indexes, column) {
				return fmt.Errorf("%s: %s is indexed: %s", name, column, indexes)
			}
		}
		if name != "grants" {
			partitions++
			if options != "fillfactor=70" {
				return fmt.Errorf("%s has options %q", name, options)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if partitions != 6 {
		t.Errorf("%d partitions", partitions)
	}
}
