package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

func (t *tx) notices(notices []*storage.LogoutNotice) {
	for _, n := range notices {
		t.insert("logout_notices", row.LogoutNotice(n))
	}
}

var selectLogoutNotices = `SELECT ` + row.Names("", row.LogoutNotice) + ` FROM logout_notices`

// ClaimLogoutNotices implements [storage.LogoutNotices]. It is called often and rarely finds a
// notice, so it looks before it locks the file.
func (s *Store) ClaimLogoutNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]*storage.LogoutNotice, error) {
	due := func(c conn, limit int) ([]*storage.LogoutNotice, error) {
		return all(c, scan(row.LogoutNotice), selectLogoutNotices+`
			WHERE next_attempt_at <= ?1 ORDER BY next_attempt_at, id LIMIT ?2`,
			now.UnixMicro(), max(limit, 0))
	}
	if some, err := due(s.reader(ctx), min(limit, 1)); err != nil || len(some) == 0 {
		return nil, interpret("claim logout notices", err)
	}
	until := time.UnixMicro(now.Add(lease).UnixMicro()).UTC()
	var claimed []*storage.LogoutNotice
	err := s.write(ctx, "claim logout notices", func(t *tx) {
		if claimed, t.err = due(t.conn, limit); t.err != nil {
			return
		}
		for _, n := range claimed {
			n.NextAttemptAt, n.Attempts = until, n.Attempts+1
			t.exec(`UPDATE logout_notices SET next_attempt_at = ?, attempts = ? WHERE id = ?`, micros(until), n.Attempts, n.ID[:])
		}
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// RetryLogoutNotice implements [storage.LogoutNotices].
func (s *Store) RetryLogoutNotice(ctx context.Context, id storage.ID, at time.Time) error {
	return s.write(ctx, "retry logout notice", func(t *tx) {
		t.exec(`UPDATE logout_notices SET next_attempt_at = ? WHERE id = ?`, at.UnixMicro(), id[:])
	})
}

// FinishLogoutNotice implements [storage.LogoutNotices].
func (s *Store) FinishLogoutNotice(ctx context.Context, id storage.ID) error {
	return s.write(ctx, "finish logout notice", func(t *tx) { t.exec(`DELETE FROM logout_notices WHERE id = ?`, id[:]) })
}
