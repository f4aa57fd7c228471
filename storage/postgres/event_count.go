package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

// countTime bounds how long an hour is counted. A million events take two seconds; no request waits for them.
const countTime = time.Minute

// CountEvents implements storage.EventCounts. IDs begin with their time, so that only the events and the sessions of these hours are read.
func (s *Store) CountEvents(ctx context.Context, from, until, since time.Time, actions []string) error {
	first, last := storage.FirstID(from), storage.FirstID(until)
	return s.within(ctx, countTime, "touch event counts", func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, s.text(countEvents), at(since), uuid(first), uuid(last), plain(strings.Join(actions, " ")), at(until.Add(-time.Hour)),
			storage.CountedDirectSessions, storage.CountedBrowserSessions)
		return err
	})
}

const countEvents = `
	WITH gone AS (DELETE FROM event_counts WHERE hour < $1), counted AS (
		SELECT date_trunc('hour', at, 'UTC') AS hour, action, count(*) AS n FROM audit_events
		WHERE id >= $2 AND id < $3 AND action = ANY (string_to_array($4, ' ')) GROUP BY 1, 2
		UNION ALL
		SELECT date_trunc('hour', created_at, 'UTC'), CASE WHEN session_id IS NULL THEN $6 ELSE $7 END, count(*) FROM grants
		WHERE id >= $2 AND id < $3 GROUP BY 1, 2
	)
	INSERT INTO event_counts (hour, action, n) SELECT hour, action, n FROM counted UNION ALL SELECT $5::timestamptz, '', 0
	ON CONFLICT DO NOTHING`
