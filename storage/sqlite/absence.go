package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// entered says that a user came by EnterUser, so that there was an account.
const entered = `(account_seen OR username = '#' || coalesce(subject, CAST(id AS TEXT)))`

// ListPresence implements [storage.Absences].
func (s *Store) ListPresence(ctx context.Context, after int64, n int) ([]*storage.Presence, error) {
	return readAll(ctx, s, "list presence", scan(row.Presence), `
		SELECT id, subject, `+entered+`, absent_since FROM users WHERE id > ? ORDER BY id LIMIT ?`, after, max(n, 0))
}

// NotePresence implements [storage.Absences].
func (s *Store) NotePresence(ctx context.Context, present, absent []int64, now time.Time) error {
	return s.write(ctx, "clean presence", func(t *tx) {
		for _, id := range present {
			t.exec(`UPDATE users SET account_seen = 1, absent_since = NULL WHERE id = ? AND (account_seen = 0 OR absent_since IS NOT NULL)`, id)
		}
		for _, id := range absent {
			t.exec(`UPDATE users SET absent_since = ? WHERE id = ? AND absent_since IS NULL AND `+entered, now.UnixMicro(), id)
		}
	})
}

// CountAbsent implements [storage.Absences].
func (s *Store) CountAbsent(ctx context.Context) (absent, seen int, err error) {
	counts, err := readOne(ctx, s, "count absent users", func(r scanner) (n [2]int, err error) {
		return n, r.Scan(&n[0], &n[1])
	}, `SELECT count(absent_since), count(CASE WHEN `+entered+` THEN 1 END) FROM users`)
	return counts[0], counts[1], err
}

// RemoveAbsentUser implements [storage.Absences].
func (s *Store) RemoveAbsentUser(ctx context.Context, id int64, since time.Time, audit *storage.AuditEvent, notices ...*storage.LogoutNotice) error {
	return s.write(ctx, "clean absent user", func(t *tx) {
		t.execOr(storage.ErrNotFound, `DELETE FROM users WHERE id = ? AND absent_since = ?`, id, since.UnixMicro())
		t.forget(id)
		t.notices(notices)
		t.audit(audit)
	})
}
