package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// RevokeToken implements [storage.RevokedTokens].
func (s *Store) RevokeToken(ctx context.Context, jti string, expiresAt time.Time, audit *storage.AuditEvent) error {
	return s.write(ctx, "revoke token", func(t *tx) {
		t.check(keyed(jti), row.ErrText)
		t.exec(`
			INSERT INTO revoked_tokens (jti, expires_at) VALUES (?, ?)
			ON CONFLICT (jti) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`,
			jti, expiresAt.UnixMicro())
		t.audit(audit)
	})
}
