package storage

import (
	"context"
	"encoding/json"
	"time"
)

// RegistrationToken is an initial access token (RFC 7591 §1.2).
type RegistrationToken struct {
	ID ID
	// Hash is the hash of the token.
	Hash Digest
	// Name is for the operator.
	Name string
	// Uses is how often it may still be used; negative = without limit.
	Uses int
	// Policy is the policy of clients that are registered with it, a JSON object, or empty.
	Policy    json.RawMessage
	CreatedAt time.Time
	// ExpiresAt is the end; zero = none.
	ExpiresAt time.Time
}

// RegistrationTokens stores the initial access tokens.
type RegistrationTokens interface {
	// CreateRegistrationToken stores t. ErrExists: the hash is taken.
	CreateRegistrationToken(ctx context.Context, t *RegistrationToken, audit *AuditEvent) error

	// RegistrationToken returns a token that can be used at now. ErrNotFound: there is no such token, it has expired at now, or it is
	// used up.
	RegistrationToken(ctx context.Context, hash Digest, now time.Time) (*RegistrationToken, error)

	// UseRegistrationToken takes one use and stores c, as CreateClient does: both or neither. Of any number of concurrent callers no more
	// get nil than there are uses. ErrNotFound, as for RegistrationToken; ErrExists, as for CreateClient.
	UseRegistrationToken(ctx context.Context, hash Digest, now time.Time, c *Client, audit *AuditEvent) error

	// ListRegistrationTokens returns up to limit tokens by ascending ID, including those that are used up.
	ListRegistrationTokens(ctx context.Context, after ID, limit int) ([]*RegistrationToken, error)

	// RemoveRegistrationToken removes one. ErrNotFound.
	RemoveRegistrationToken(ctx context.Context, id ID, audit *AuditEvent) error
}
