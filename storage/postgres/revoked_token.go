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
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	return s.do(ctx, "revoke token", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `
			WITH log AS (`+insertAudit+`)
			INSERT INTO revoked_tokens AS t (jti, expires_at) VALUES ($2, $3)
			ON CONFLICT (jti) DO UPDATE SET expires_at = greatest(t.expires_at, excluded.expires_at)`, encoded, jti, at(expiresAt))
		return err
	})
}

// TokenState implements storage.RevokedTokens.
func (s *Store) TokenState(ctx context.Context, jti, clientID string) (*storage.TokenState, error) {
	if !keyed(jti, clientID) {
		return &storage.TokenState{}, nil
	}
	var state storage.TokenState
	err := s.do(ctx, "read token state", func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM revoked_tokens WHERE jti = $1), c.id IS NOT NULL, coalesce(c.disabled, false), coalesce(c.auth_epoch, 0)
			FROM (VALUES (true)) AS always LEFT JOIN clients c ON c.id = $2`,
			jti, clientID).Scan(&state.Revoked, &state.ClientExists, &state.ClientDisabled, &state.ClientAuthEpoch)
	})
	if err != nil {
		return nil, err
	}
	return &state, nil
}
