package storage

import (
	"context"
	"time"
)

// RevokedTokens stores access tokens without a grant that were revoked before they expired.
type RevokedTokens interface {
	// RevokeToken records that the token with this jti is revoked, until it would have ended anyway.
	// Recording it again is no error.
	RevokeToken(ctx context.Context, jti string, expiresAt time.Time, audit *AuditEvent) error

	// TokenState returns, in one round trip, whether the token was revoked and the state of its client.
	TokenState(ctx context.Context, jti, clientID string) (*TokenState, error)
}

// TokenState is what decides whether an access token without a grant is alive.
type TokenState struct {
	Revoked         bool
	ClientExists    bool
	ClientDisabled  bool
	ClientAuthEpoch int64
}
