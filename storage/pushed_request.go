package storage

import (
	"context"
	"time"
)

// PushedRequest is an authorization request that a client has pushed (RFC 9126), without its credentials.
type PushedRequest struct {
	// Hash is the hash of the reference in the request_uri.
	Hash     Digest
	ClientID string
	// Parameters are sealed by the server: they may hold personal data, such as an id_token_hint.
	Parameters string
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// PushedRequests stores pushed authorization requests until they are answered.
type PushedRequests interface {
	// CreatePushedRequest stores p. ErrExists: the hash is taken.
	CreatePushedRequest(ctx context.Context, p *PushedRequest) error

	// PushedRequest reads the request. ErrNotFound as for TakePushedRequest.
	PushedRequest(ctx context.Context, hash Digest, clientID string, now time.Time) (*PushedRequest, error)

	// TakePushedRequest removes and returns the request. Of any number of concurrent callers exactly one gets it. ErrNotFound:
	// it does not exist, has expired at now, or is another client's, which is not removed.
	TakePushedRequest(ctx context.Context, hash Digest, clientID string, now time.Time) (*PushedRequest, error)
}
