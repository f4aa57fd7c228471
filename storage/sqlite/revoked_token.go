package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

// RevokeToken implements [storage.RevokedTokens].
func (s *Store) RevokeToken(ctx context.Context, jti string, expiresAt time.Time, audit *storage.AuditEvent) error {
	if !keyed(jti) {
		return interpret("revoke token", errText)
	}
	return s.write(ctx, "revoke token", func(t *tx) {
		t.exec(`
			INSERT INTO revoked_tokens (jti, expires_at) VALUES (?, ?)
			ON CONFLICT (jti) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`,
			jti, expiresAt.UnixMicro())
		t.audit(audit)
	})
}

// TokenState implements [storage.RevokedTokens].
func (s *Store) TokenState(ctx context.Context, jti, clientID string) (*storage.TokenState, error) {
	return readOne(ctx, s, "read token state", func(row scanner) (*storage.TokenState, error) {
		var t storage.TokenState
		return &t, row.Scan(&t.Revoked, &t.ClientExists, &t.ClientDisabled, &t.ClientAuthEpoch)
	}, `
		SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = ?),
			c.id IS NOT NULL, coalesce(c.disabled, 0), coalesce(c.auth_epoch, 0)
		FROM (SELECT 1) LEFT JOIN clients AS c ON c.id = ?`, jti, clientID)
}
