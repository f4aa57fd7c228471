package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

// CreateLogoutNotices implements [storage.LogoutNotices].
func (s *Store) CreateLogoutNotices(ctx context.Context, notices ...*storage.LogoutNotice) error {
	if len(notices) == 0 {
		return nil
	}
	return s.write(ctx, "create logout notices", func(c conn) error { return c.notices(notices) })
}

func (c conn) notices(notices []*storage.LogoutNotice) error {
	for _, n := range notices {
		_, err := c.exec(`
			INSERT INTO logout_notices (id, client_id, user_id, session_id, created_at, next_attempt_at, attempts, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			n.ID[:], plain(n.ClientID), n.UserID, id(n.SessionID), micros(n.CreatedAt), micros(n.NextAttemptAt), n.Attempts, micros(n.ExpiresAt))
		if err != nil {
			return err
		}
	}
	return nil
}

func scanLogoutNotice(row scanner) (*storage.LogoutNotice, error) {
	var n storage.LogoutNotice
	err := row.Scan(bytesTo(n.ID[:]), &n.ClientID, &n.UserID, bytesTo(n.SessionID[:]), timeTo(&n.CreatedAt), timeTo(&n.NextAttemptAt),
		&n.Attempts, timeTo(&n.ExpiresAt))
	if err != nil {
		return nil, err
	}
	return &n, nil
}

// ClaimLogoutNotices implements [storage.LogoutNotices]. It is asked all the time and finds something now and then, so
// it looks before it takes the lock on the file.
func (s *Store) ClaimLogoutNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]*storage.LogoutNotice, error) {
	due := func(c conn, limit int) ([]*storage.LogoutNotice, error) {
		return all(c, scanLogoutNotice, `
			SELECT id, client_id, user_id, session_id, created_at, next_attempt_at, attempts, expires_at
			FROM logout_notices WHERE next_attempt_at <= ?1 AND expires_at > ?1 ORDER BY next_attempt_at, id LIMIT ?2`,
			now.UnixMicro(), max(limit, 0))
	}
	if some, err := due(s.reader(ctx), min(limit, 1)); err != nil || len(some) == 0 {
		return nil, interpret("claim logout notices", err)
	}
	until := time.UnixMicro(now.Add(lease).UnixMicro()).UTC()
	var claimed []*storage.LogoutNotice
	err := s.write(ctx, "claim logout notices", func(c conn) (err error) {
		if claimed, err = due(c, limit); err != nil {
			return err
		}
		for _, n := range claimed {
			n.NextAttemptAt, n.Attempts = until, n.Attempts+1
			if _, err := c.exec(`UPDATE logout_notices SET next_attempt_at = ?, attempts = ? WHERE id = ?`, micros(until), n.Attempts, n.ID[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// RetryLogoutNotice implements [storage.LogoutNotices].
func (s *Store) RetryLogoutNotice(ctx context.Context, id storage.ID, at time.Time) error {
	return s.write(ctx, "retry logout notice", func(c conn) error {
		_, err := c.exec(`UPDATE logout_notices SET next_attempt_at = ? WHERE id = ?`, at.UnixMicro(), id[:])
		return err
	})
}

// FinishLogoutNotice implements [storage.LogoutNotices].
func (s *Store) FinishLogoutNotice(ctx context.Context, id storage.ID) error {
	return s.write(ctx, "finish logout notice", func(c conn) error {
		_, err := c.exec(`DELETE FROM logout_notices WHERE id = ?`, id[:])
		return err
	})
}
