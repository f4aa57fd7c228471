package sqlite

import (
	"context"
	"slices"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CountEvents implements [storage.EventCounts]. IDs begin with their time, so that only the events and the sessions of these hours are read; the
// writer has nothing to do but to store the numbers.
func (s *Store) CountEvents(ctx context.Context, from, until, since time.Time, actions []string) error {
	first, last := storage.FirstID(from), storage.FirstID(until)
	args := []any{time.Hour.Microseconds(), first[:], last[:]}
	for _, action := range actions {
		args = append(args, action)
	}
	named := strings.TrimSuffix(strings.Repeat("?, ", len(actions)), ", ")
	events, err := readAll(ctx, s, "count audit events", scan(row.EventCount), `SELECT at - at % ?, action, count(*) FROM audit_events
		WHERE id >= ? AND id < ? AND action IN (`+named+`) GROUP BY 1, 2`, args...)
	if err != nil {
		return err
	}
	begun, err := readAll(ctx, s, "count sessions", scan(row.EventCount), `
		SELECT created_at - created_at % ?, CASE WHEN session_id IS NULL THEN ? ELSE ? END, count(*) FROM grants WHERE id >= ? AND id < ? GROUP BY 1, 2`,
		time.Hour.Microseconds(), storage.CountedDirectSessions, storage.CountedBrowserSessions, first[:], last[:])
	if err != nil {
		return err
	}
	return s.write(ctx, "touch event counts", func(t *tx) {
		t.exec(`DELETE FROM event_counts WHERE hour < ?`, since.UnixMicro())
		for _, c := range slices.Concat(events, begun, []*storage.EventCount{{Hour: until.Add(-time.Hour)}}) {
			t.exec(`INSERT INTO event_counts (hour, action, n) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, c.Hour.UnixMicro(), c.Action, c.N)
		}
	})
}
