package postgres

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// entered says that a user came by EnterUser, so that there was an account.
const entered = `(account_seen OR username = '#' || coalesce(subject, id::text COLLATE "C"))`

// ListPresence implements storage.Absences.
func (s *Store) ListPresence(ctx context.Context, after int64, limit int) ([]*storage.Presence, error) {
	return queryRows(ctx, s, "list presence", scan(row.Presence), `
		SELECT id, subject, `+entered+`, absent_since FROM users WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
}

// NotePresence implements storage.Absences.
func (s *Store) NotePresence(ctx context.Context, present, absent []int64, now time.Time) error {
	_, err := s.count(ctx, "clean presence", `
		WITH here AS (
			UPDATE users SET account_seen = true, absent_since = NULL WHERE id = ANY($1) AND (NOT account_seen OR absent_since IS NOT NULL) RETURNING 1
		), gone AS (
			UPDATE users SET absent_since = $3 WHERE id = ANY($2) AND absent_since IS NULL AND `+entered+` RETURNING 1
		) SELECT (SELECT count(*) FROM here) + (SELECT count(*) FROM gone)`, present, absent, at(now))
	return err
}

// CountAbsent implements storage.Absences.
func (s *Store) CountAbsent(ctx context.Context) (absent, seen int, err error) {
	err = s.readInto(ctx, "count absent users", []any{&absent, &seen}, `
		SELECT count(*) FILTER (WHERE absent_since IS NOT NULL), count(*) FILTER (WHERE `+entered+`) FROM users`)
	return absent, seen, err
}

// RemoveAbsentUser implements storage.Absences.
func (s *Store) RemoveAbsentUser(ctx context.Context, id int64, since time.Time, audit *storage.AuditEvent, notices ...*storage.LogoutNotice) error {
	return s.execOne(ctx, "clean absent user", removeUser(`id = $2 AND absent_since = $4`, "$3"), events(audit), id, logoutNotices(notices), at(since))
}
