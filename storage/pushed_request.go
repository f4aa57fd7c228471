package storage

import (
	"context"
	"time"
)

// PushedRequest is an authorization request that a client has pushed (RFC 9126), without its credentials.
type PushedRequest struct {
	// Hash is of the reference in the request_uri.
	Hash     Digest
	ClientID string
	// Parameters are form-urlencoded.
	Parameters string
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// PushedRequests keeps pushed authorization requests until they are used.
type PushedRequests interface {
	// CreatePushedRequest stores p. ErrExists: the hash is taken.
	CreatePushedRequest(ctx context.Context, p *PushedRequest) error

	// TakePushedRequest removes and gives the request. Of any number of concurrent callers exactly one gets it. ErrNotFound:
	// it is not there, past its end at now, or another client's, which leaves it where it is.
	TakePushedRequest(ctx context.Context, hash Digest, clientID string, now time.Time) (*PushedRequest, error)
}
