package postgres

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

const (
	// weeksAhead is how many weekly partitions of grants are created ahead of the current one; audit events have
	// one month ahead.
	weeksAhead = 3
	// lockTimeout is how long making or dropping a partition waits for a lock. While it waits, other
	// statements queue behind it, including refreshes, so the wait is short, and the next Maintain tries again.
	lockTimeout = "100ms"
	// maxStray is how many rows of the default partition are moved to a partition that is made late.
	maxStray = 5000
)

// partition is a range of the time in the IDs of a table.
type partition struct {
	table, name string
	from, to    time.Time
	options     string
}

// wanted returns the partitions that should exist at the time now.
func wanted(now time.Time) []partition {
	now = now.UTC()
	var all []partition
	for week := range weeksAhead + 1 {
		from := weekOf(now).AddDate(0, 0, 7*week)
		all = append(all, partition{
			table: "grants", name: from.Format(weekly), from: from, to: from.AddDate(0, 0, 7),
			// Room for the heap-only updates of refreshes.
			options: ` WITH (fillfactor = 70)`,
		})
	}
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	for month := range 2 {
		from := first.AddDate(0, month, 0)
		all = append(all, partition{table: "audit_events", name: from.Format("audit_events_2006_01"), from: from, to: from.AddDate(0, 1, 0)})
	}
	return all
}

// createPartitions makes the partitions that are wanted and missing, and names them. Without a schema it does nothing.
func (s *Store) createPartitions(ctx context.Context, now time.Time) (created []string, err error) {
	existing, err := s.listPartitions(ctx)
	if err != nil || existing == nil {
		return nil, err
	}
	var errs []error
	for _, p := range wanted(now) {
		if slices.Contains(existing, p.name) {
			continue
		}
		made, err := s.createPartition(ctx, p)
		switch {
		case made:
			created = append(created, p.name)
			s.weeks.add(p.name)
		case err != nil:
			errs = append(errs, err)
		}
	}
	return created, errors.Join(errs...)
}

// createPartition makes one partition beside its table and attaches it: unlike CREATE TABLE … PARTITION OF, that
// blocks refreshes only for the moment in which it locks the default partition, which is empty unless clocks jump. Rows of the range in
// the default partition are moved, since ATTACH would fail on them. If they are too many, nothing is changed. One statement is one
// transaction, also with a pooler.
func (s *Store) createPartition(ctx context.Context, p partition) (made bool, err error) {
	replace := strings.NewReplacer("TABLE_NAME", p.table, "PARTITION_NAME", p.name, "OPTIONS", p.options, "LOCK_TIMEOUT", lockTimeout,
		"LOWEST", storage.FirstID(p.from).String(), "ABOVE", storage.FirstID(p.to).String(), "MOST", strconv.Itoa(maxStray))
	err = s.alter(ctx, s.timeout, "create partition "+p.name, replace.Replace(`
		DO $$
		DECLARE
			stray bigint;
		BEGIN
			SET LOCAL lock_timeout = 'LOCK_TIMEOUT';
			LOCK TABLE TABLE_NAME_default IN ACCESS EXCLUSIVE MODE; -- one replica at a time; the others find it made
			IF to_regclass('PARTITION_NAME') IS NOT NULL THEN
				RETURN;
			END IF;
			SELECT count(*) INTO stray FROM (
				SELECT FROM TABLE_NAME_default WHERE id >= 'LOWEST' AND id < 'ABOVE' LIMIT MOST + 1) AS counted;
			IF stray > MOST THEN
				RAISE WARNING 'latchkey: TABLE_NAME_default keeps the rows of PARTITION_NAME: too many to move';
				RETURN;
			END IF;
			CREATE TABLE PARTITION_NAME (LIKE TABLE_NAME INCLUDING ALL)OPTIONS;
			WITH moved AS (DELETE FROM TABLE_NAME_default WHERE id >= 'LOWEST' AND id < 'ABOVE' RETURNING *)
				INSERT INTO PARTITION_NAME SELECT * FROM moved;
			ALTER TABLE TABLE_NAME ATTACH PARTITION PARTITION_NAME FOR VALUES FROM ('LOWEST') TO ('ABOVE');
		END $$`))
	if err != nil {
		return false, err
	}
	made, err = s.hasTable(ctx, p.name)
	if err == nil && !made {
		s.log.WarnContext(ctx, "partition not made", "partition", p.name)
	}
	return made, err
}

// listPartitions names the partitions of grants and of audit_events; nil without a schema.
func (s *Store) listPartitions(ctx context.Context) (names []string, err error) {
	err = s.readInto(ctx, "list partitions", []any{&names}, `
		SELECT array_agg(c.relname::text ORDER BY c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent IN (to_regclass('grants'), to_regclass('audit_events'))`)
	if err == nil {
		s.weeks.set(names)
	}
	return names, err
}

// dropPartitions drops the weekly partitions of grants whose last grant has ended, and names them.
func (s *Store) dropPartitions(ctx context.Context, now time.Time) (dropped []string, err error) {
	names, err := s.listPartitions(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range names {
		from, err := time.Parse(weekly, name)
		// Rows may come as long as the week isn't over, and a day longer: another server's clock may be behind.
		if err != nil || now.Before(from.AddDate(0, 0, 8)) || now.Before(s.endOf(name)) {
			continue
		}
		end, err := s.lastEnd(ctx, name, now)
		if err == nil && !end.Before(now) {
			s.setEnd(name, end)
			continue
		}
		gone := false
		if err == nil {
			gone, err = s.dropPartition(ctx, name, now)
		}
		if gone {
			dropped = append(dropped, name)
			s.weeks.forget(name)
		}
		errs = append(errs, err)
	}
	return dropped, errors.Join(errs...)
}

// readTime bounds how long a partition is read as a whole; ten million rows on a slow disk take a minute.
const readTime = 10 * time.Minute

// lastEnd returns when the last grant of a partition ends, or an earlier time that is after now. Ends are immutable, so it is asked once. Most
// grants live equally long, so that the newest ones tell that a week is not over yet; only when they have ended, all are read.
func (s *Store) lastEnd(ctx context.Context, name string, now time.Time) (end time.Time, err error) {
	for _, grants := range []string{`(SELECT expires_at FROM ` + name + ` ORDER BY id DESC LIMIT 1000)`, name} {
		err = s.within(ctx, readTime, "read the end of "+name, func(ctx context.Context, conn *pgx.Conn) error {
			return conn.QueryRow(ctx, `SELECT max(expires_at) FROM `+grants+` AS g`).Scan((*instant)(&end))
		})
		if err != nil || !end.Before(now) {
			break
		}
	}
	if later(err) {
		return time.Time{}, nil // another replica has dropped it
	}
	return end, err
}

// dropPartition empties the partition first, under a lock on it alone, so that its files are gone when the table is
// dropped: that needs a lock on all grants, for the blink that the catalog takes. Both look once more under their lock. The first look
// reads all rows, which may be millions: others can read them meanwhile, and it has longer than a statement.
func (s *Store) dropPartition(ctx context.Context, name string, now time.Time) (gone bool, err error) {
	replace := strings.NewReplacer("PARTITION_NAME", name, "LOCK_TIMEOUT", lockTimeout, "NOW", now.UTC().Format(time.RFC3339Nano))
	err = s.alter(ctx, readTime, "empty partition "+name, replace.Replace(`
		DO $$
		BEGIN
			SET LOCAL lock_timeout = 'LOCK_TIMEOUT';
			LOCK TABLE PARTITION_NAME IN SHARE ROW EXCLUSIVE MODE;
			IF NOT EXISTS (SELECT FROM PARTITION_NAME WHERE expires_at >= 'NOW') THEN
				LOCK TABLE PARTITION_NAME IN ACCESS EXCLUSIVE MODE;
				TRUNCATE PARTITION_NAME;
			END IF;
		END $$`))
	if err == nil {
		err = s.alter(ctx, s.timeout, "drop partition "+name, replace.Replace(`
		DO $$
		BEGIN
			SET LOCAL lock_timeout = 'LOCK_TIMEOUT';
			LOCK TABLE ONLY grants IN ACCESS EXCLUSIVE MODE;
			LOCK TABLE PARTITION_NAME IN ACCESS EXCLUSIVE MODE;
			IF NOT EXISTS (SELECT FROM PARTITION_NAME) THEN
				DROP TABLE PARTITION_NAME;
			END IF;
		END $$`))
	}
	if err != nil {
		return false, err
	}
	there, err := s.hasTable(ctx, name)
	return err == nil && !there, err
}

func (s *Store) hasTable(ctx context.Context, name string) (there bool, err error) {
	err = s.readInto(ctx, "look for partition "+name, []any{&there}, `SELECT to_regclass($1) IS NOT NULL`, name)
	return there, err
}

// alter runs a statement that changes the schema. If another session holds a lock, or another replica was faster, it returns no
// error: the next Maintain tries again.
func (s *Store) alter(ctx context.Context, limit time.Duration, what, statement string) error {
	err := s.within(ctx, limit, what, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol)
		return err
	})
	if later(err) {
		s.log.InfoContext(ctx, "partition left for later", "operation", what, "error", err)
		return nil
	}
	return err
}

// later reports whether another session holds a lock, or another replica has dropped or created the table.
func later(err error) bool {
	return slices.Contains([]string{"55P03", "42P01", "42P07"}, code(err))
}

func (s *Store) endOf(name string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends[name]
}

func (s *Store) setEnd(name string, end time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends[name] = end
}
