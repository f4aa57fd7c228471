package storage

import (
	"context"
	"time"
)

// IdempotencyKey is a creation that was asked for under a key of the caller's.
type IdempotencyKey struct {
	// Hash is the hash of the key and of its user.
	Hash Digest
	// Request is the hash of the request: another one under the same key is a mistake.
	Request Digest
	// Result is the ID of what was created; empty while that is under way.
	Result    string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// IdempotencyKeys stores which creations were asked for, so that the same request again creates nothing.
type IdempotencyKeys interface {
	// ClaimIdempotencyKey stores k unless there is a key with its hash that has not expired at k.CreatedAt, which it returns then. Of any
	// number of concurrent callers exactly one stores its key and gets nil. ErrLimit: there are limit keys already.
	ClaimIdempotencyKey(ctx context.Context, k *IdempotencyKey, limit int) (*IdempotencyKey, error)

	// FinishIdempotencyKey sets the result of a key, and when it expires. ErrNotFound.
	FinishIdempotencyKey(ctx context.Context, hash Digest, result string, expiresAt time.Time) error

	// RemoveIdempotencyKey removes a key whose creation failed; one that does not exist is no error.
	RemoveIdempotencyKey(ctx context.Context, hash Digest) error
}
