package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"latchkey/storage"
)

// monthly is the name of a partition of audit events.
const monthly = "audit_events_2006_01"

// PruneAudit implements storage.Store. A month is dropped as a whole, once all of it is older than before: no row is removed by itself,
// except of the default partition, which has only what was written while no partition was there.
func (s *Store) PruneAudit(ctx context.Context, before time.Time, batch int) (events int64, dropped []string, err error) {
	names, err := s.listPartitions(ctx)
	if err != nil {
		return 0, nil, err
	}
	var errs []error
	for _, name := range names {
		from, err := time.Parse(monthly, name)
		if err != nil || before.Before(from.AddDate(0, 1, 0)) {
			continue
		}
		gone, err := s.dropMonth(ctx, name)
		if gone {
			dropped = append(dropped, name)
		}
		errs = append(errs, err)
	}
	events, err = s.count(ctx, "prune audit_events_default", `
		WITH removed AS (
			DELETE FROM audit_events_default WHERE id IN (
				SELECT id FROM audit_events_default WHERE id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id
		) SELECT count(*) FROM removed`, storage.FirstID(before), max(batch, 1))
	return events, dropped, errors.Join(append(errs, err)...)
}

// dropMonth drops a partition of audit events. The lock on the parent is held for the blink that the catalog takes.
func (s *Store) dropMonth(ctx context.Context, name string) (gone bool, err error) {
	replace := strings.NewReplacer("PARTITION_NAME", name, "LOCK_TIMEOUT", lockTimeout)
	for _, step := range []string{"TRUNCATE PARTITION_NAME", "LOCK TABLE ONLY audit_events IN ACCESS EXCLUSIVE MODE; DROP TABLE PARTITION_NAME"} {
		err := s.alter(ctx, s.timeout, "prune partition "+name, replace.Replace(`
			DO $$ BEGIN SET LOCAL lock_timeout = 'LOCK_TIMEOUT'; `+step+`; END $$`))
		if err != nil {
			return false, err
		}
	}
	there, err := s.hasTable(ctx, name)
	return err == nil && !there, err
}
