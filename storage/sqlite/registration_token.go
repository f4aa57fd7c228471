package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

// UseRegistrationToken implements [storage.RegistrationTokens].
func (s *Store) UseRegistrationToken(ctx context.Context, hash storage.Digest, now time.Time, c *storage.Client, audit *storage.AuditEvent) error {
	return s.createClientAfter(ctx, "use registration token", c, audit, func(t *tx) {
		t.execOr(storage.ErrNotFound, `
			UPDATE registration_tokens SET uses = CASE WHEN uses > 0 THEN uses - 1 ELSE uses END
			WHERE hash = ? AND uses <> 0 AND (expires_at IS NULL OR expires_at > ?)`, hash[:], now.UnixMicro())
	})
}
