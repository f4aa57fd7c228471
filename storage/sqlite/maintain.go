package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

// Maintain implements [storage.Store]. A revoked grant is kept until its end: a refresh token of another system that
// became this grant must find it revoked for as long as that token lives.
func (s *Store) Maintain(ctx context.Context, now time.Time, batch int) (storage.Maintenance, error) {
	var m storage.Maintenance
	for _, part := range []struct {
		removed *int64
		query   string
	}{
		{&m.Grants, `DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at <= ? LIMIT ?)`},
		{&m.RevokedTokens, `DELETE FROM revoked_tokens WHERE jti IN (SELECT jti FROM revoked_tokens WHERE expires_at <= ? LIMIT ?)`},
		{&m.Throttles, `DELETE FROM throttles WHERE key IN (SELECT key FROM throttles WHERE expires_at <= ? LIMIT ?)`},
	} {
		err := s.write(ctx, "remove what has ended", func(c conn) (err error) {
			*part.removed, err = c.exec(part.query, now.UnixMicro(), max(batch, 1))
			return err
		})
		if err != nil {
			*part.removed = 0
			return m, err
		}
		m.More = m.More || *part.removed >= int64(max(batch, 1))
	}
	return m, nil
}
