package storage

import (
	"context"
	"encoding/json"
	"time"
)

// SigningKey is a key pair that signs tokens.
type SigningKey struct {
	// KID is the RFC 7638 thumbprint of the public key.
	KID string
	// Algorithm is a JWS algorithm (RFC 7518): ES256, EdDSA, RS256.
	Algorithm string
	// Sequence numbers the keys of one algorithm from 1.
	Sequence int64
	// Sealed is the private key, encrypted with a key derived from the root secret.
	Sealed []byte
	// Public is the public key as a JWK (RFC 7517).
	Public json.RawMessage
	// CreatedAt is when it was published, ActivatesAt when it begins to sign.
	CreatedAt   time.Time
	ActivatesAt time.Time
	// RetiresAt is when it stops signing, ExpiresAt when it leaves the key set; zero while not decided.
	RetiresAt time.Time
	ExpiresAt time.Time
}

// SigningKeys stores the key pairs. Watch reports each change.
type SigningKeys interface {
	// CreateSigningKey stores k and, in the same transaction, sets RetiresAt and ExpiresAt of the keys of the same algorithm
	// that have no RetiresAt yet. ErrExists: the sequence number (or the KID) of that algorithm is taken, which
	// means that another process was faster; then nothing was written.
	CreateSigningKey(ctx context.Context, k *SigningKey, othersRetireAt, othersExpireAt time.Time, audit *AuditEvent) error

	// ListSigningKeys returns all keys, by algorithm and sequence.
	ListSigningKeys(ctx context.Context) ([]*SigningKey, error)

	// RetireSigningKey sets the times at which a key stops signing and leaves the key set. ErrNotFound.
	RetireSigningKey(ctx context.Context, kid string, retiresAt, expiresAt time.Time, audit *AuditEvent) error

	// RemoveSigningKeys removes the keys whose ExpiresAt has passed.
	RemoveSigningKeys(ctx context.Context, now time.Time) (int, error)
}
