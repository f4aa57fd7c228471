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

// TokenState implements storage.RevokedTokens.
func (s *Store) TokenState(ctx context.Context, jti, clientID string) (*storage.TokenState, error) {
	var state storage.TokenState
	if !keyed(jti, clientID) {
		return &state, nil
	}
	err := s.readInto(ctx, "read token state", []any{&state.Revoked, &state.ClientExists, &state.ClientDisabled, &state.ClientAuthEpoch}, `
			SELECT EXISTS (SELECT FROM revoked_tokens WHERE jti = $1), c.id IS NOT NULL, coalesce(c.disabled, false), coalesce(c.auth_epoch, 0)
			FROM (VALUES (true)) AS always LEFT JOIN clients c ON c.id = $2`,
		jti, clientID)
	if err != nil {
		return nil, err
	}
	return &state, nil
}
