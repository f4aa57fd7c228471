package storage

import (
	"context"
	"time"
)

// IssuedTokens stores which refresh tokens another server would accept that has the key which signs them, while it may come back into use.
// The tokens themselves are not stored.
//
// A token is ended when its grant is revoked, when an epoch of its user or client is raised after its grant, when one of them is removed, or
// when it is retired. The first three are noticed by the database in the transaction that does them, whichever process or release that is.
type IssuedTokens interface {
	// RecordIssuedTokens stores tokens, and which ones of the same grant are retired; r may be nil. Recording a token again is no error.
	RecordIssuedTokens(ctx context.Context, tokens []IssuedToken, r *RetiredTokens) error

	// EndedTokens returns up to limit tokens that are ended and not expired at a time.
	EndedTokens(ctx context.Context, now time.Time, limit int) ([]RevokedToken, error)

	// ForgetIssuedTokens removes tokens, by their jtis.
	ForgetIssuedTokens(ctx context.Context, jtis []string) error

	// MissedTokens ends the tokens that were recorded since a time, while their grants were being ended, and returns how many.
	MissedTokens(ctx context.Context, since time.Time) (int64, error)
}

// IssuedToken is a refresh token of a grant.
type IssuedToken struct {
	JTI        string
	GrantID    ID
	Generation int64
	IssuedAt   time.Time
	ExpiresAt  time.Time
}

// RetiredTokens are the tokens of a grant up to a generation, except the current one. They are ended at a time.
type RetiredTokens struct {
	GrantID    ID
	Generation int64
	Current    string
	At         time.Time
}
