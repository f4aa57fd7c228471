package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// Clock implements [storage.Store]: the database is a file of this machine.
func (s *Store) Clock(context.Context) (time.Time, error) { return time.Time{}, nil }

// PruneAudit implements [storage.Store].
func (s *Store) PruneAudit(ctx context.Context, before time.Time, batch int) (int64, []string, error) {
	first := storage.FirstID(before)
	removed, err := writeFor(ctx, s, "prune audit events", func(t *tx) int64 {
		return t.exec(`DELETE FROM audit_events WHERE id IN (SELECT id FROM audit_events WHERE id < ? ORDER BY id LIMIT ?)`, first[:], max(batch, 1))
	})
	return removed, nil, err
}

// Maintain implements [storage.Store]. A revoked grant is kept until its end: a refresh token of another system that
// became this grant must find it revoked for as long as that token lives.
func (s *Store) Maintain(ctx context.Context, now time.Time, batch int) (storage.Maintenance, error) {
	var m storage.Maintenance
	for _, kind := range append(row.Ending(&m), row.End{Removed: &m.Grants, Table: "grants", Key: "id"}) {
		removed, err := writeFor(ctx, s, "clean what has ended", func(t *tx) int64 {
			n := t.exec(`DELETE FROM `+kind.Table+` WHERE (`+kind.Key+`) IN (SELECT `+kind.Key+` FROM `+kind.Table+` WHERE expires_at <= ? LIMIT ?)`,
				now.UnixMicro(), max(batch, 1))
			if kind.Changes != "" && n > 0 {
				t.changed(kind.Changes)
			}
			return n
		})
		if err != nil {
			return m, err
		}
		*kind.Removed = removed
		m.More = m.More || removed >= int64(max(batch, 1))
	}
	return m, nil
}
