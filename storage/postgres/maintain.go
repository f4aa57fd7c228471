package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// expired removes a batch of the rows of a table that have expired. Rows that someone else has locked, such as another replica that
// is removing them, are skipped.
const expired = `DELETE FROM TABLE WHERE (KEY) IN (
	SELECT KEY FROM TABLE WHERE expires_at <= $1 ORDER LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING expires_at`

// Maintain implements storage.Store. If one kind fails, the others are still removed.
func (s *Store) Maintain(ctx context.Context, now time.Time, batch int) (storage.Maintenance, error) {
	batch = max(batch, 1)
	var m storage.Maintenance
	var errs []error
	var adopted, stray int64
	// Only partitions that are never dropped as a whole are cleaned row by row.
	for _, kind := range append(row.Ending(&m), row.End{Removed: &adopted, Table: "grants_adopted", Key: "id"}, row.End{Removed: &stray, Table: "grants_default", Key: "id"}) {
		order, notified := `ORDER BY expires_at`, ``
		if slices.Contains([]string{"grants_adopted", "grants_default", "throttles"}, kind.Table) { // they have no index on it
			order = ``
		}
		if kind.Changes != "" {
			notified = `, ` + notify(kind.Changes, "''")
		}
		remove := strings.NewReplacer("TABLE", kind.Table, "KEY", kind.Key, "ORDER", order).Replace(expired)
		n, err := s.count(ctx, "clean "+kind.Table, `WITH changed AS (`+remove+`)`+notified+` SELECT count(*) FROM changed`, at(now), batch)
		*kind.Removed, errs = n, append(errs, err)
		m.More = m.More || n >= int64(batch)
	}
	m.Grants = adopted + stray

	created, err := s.createPartitions(ctx, now)
	m.PartitionsCreated, errs = created, append(errs, err)
	dropped, err := s.dropPartitions(ctx, now)
	m.PartitionsDropped, errs = dropped, append(errs, err)
	return m, errors.Join(errs...)
}
