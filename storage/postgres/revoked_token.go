package postgres

import (
	"context"
	"fmt"
	"time"

	"latchkey/storage"
)

// RevokeToken implements storage.RevokedTokens.
func (s *Store) RevokeToken(ctx context.Context, jti string, expiresAt time.Time, audit *storage.AuditEvent) error {
	if !keyed(jti) {
		return fmt.Errorf("revoke token: jti: %w", errText)
	}
	return s.exec(ctx, "revoke token", `
		WITH log AS (`+insertAudit+`)
		INSERT INTO revoked_tokens AS t (jti, expires_at) VALUES ($2, $3)
		ON CONFLICT (jti) DO UPDATE SET expires_at = greatest(t.expires_at, excluded.expires_at)`, events(audit), jti, at(expiresAt))
}
