package storage

import (
	"context"
	"time"
)

// AuthorizationCode is an authorization code with what PKCE and OpenID Connect need: one row.
type AuthorizationCode struct {
	// Hash is the hash of the code.
	Hash     Digest
	ClientID string
	UserID   int64
	// SessionID is the browser session in which the user allowed it.
	SessionID ID
	// UserEpoch and ClientEpoch are those of the time of issue.
	UserEpoch   int64
	ClientEpoch int64
	// RedirectURI is where the code was sent.
	RedirectURI string
	// CodeChallenge is a challenge of the method S256 (RFC 7636 §4.2).
	CodeChallenge string
	Scope         []string
	Audience      []string
	// Offered are resources that the user was shown, of which the client may name some later (RFC 8707 §2.2); Audience is empty then.
	Offered []string
	// Nonce is OpenID Connect's; empty = none.
	Nonce    string
	AuthTime time.Time
	AMR      []string
	// Claims is the claims parameter (OpenID Connect Core §5.5), a JSON object, or empty.
	Claims string
	// DPoPKey is the thumbprint of the only key that may redeem it (RFC 9449 §10); empty = any.
	DPoPKey   string
	CreatedAt time.Time
	// ValidUntil is the end of the code. The row stays until ExpiresAt, so that a second redemption is recognised.
	ValidUntil time.Time
	ExpiresAt  time.Time

	// Pushed is the hash of the pushed request that the code answers; zero = none. It is not read back.
	Pushed Digest

	// RedeemedAt is zero until the code is redeemed; then GrantID is the grant that came from it.
	RedeemedAt time.Time
	GrantID    ID
}

// LiveAuthorizationCode is a code with the user who allowed it, read at the same instant.
type LiveAuthorizationCode struct {
	AuthorizationCode
	// User is nil when it was removed.
	User *User
}

// AuthorizationCodes stores the authorization codes.
type AuthorizationCodes interface {
	// CreateAuthorizationCode stores c and the audit events: one round trip. ErrExists: the hash is taken.
	//
	// A pushed request that c answers is removed in the same transaction, so of any number of codes for it exactly one is stored. It
	// does nothing and returns ErrConflict when at c.CreatedAt the request does not exist, has expired, or is another client's.
	CreateAuthorizationCode(ctx context.Context, c *AuthorizationCode, audit ...*AuditEvent) error

	// AuthorizationCode reads a code with its user, redeemed or past its end too, or ErrNotFound.
	AuthorizationCode(ctx context.Context, hash Digest) (*LiveAuthorizationCode, error)

	// RedeemAuthorizationCode stores g, makes it the grant of the code, and notes that the client is in use (see
	// Clients.CreateRegisteredClient), in one transaction. Of any number of concurrent callers exactly one gets nil.
	//
	// It does nothing and returns ErrConflict unless, at the instant of the write (g.CreatedAt), the code exists, belongs to
	// g.ClientID and g.UserID, is not redeemed and not past ValidUntil, its user is active with the code's epoch, its client
	// exists, is enabled and has the code's epoch, and its browser session has not been removed.
	RedeemAuthorizationCode(ctx context.Context, hash Digest, g *Grant, audit ...*AuditEvent) error
}
