package storage

import (
	"context"
	"time"
)

// UsedJTIs stores which client assertions (RFC 7523 §3) and DPoP proofs (RFC 9449 §11.1) were used.
type UsedJTIs interface {
	// UseJTI records that a client has used an assertion, until expiresAt. Of any number of concurrent callers with the same
	// client and jti exactly one gets nil, the others ErrExists.
	UseJTI(ctx context.Context, clientID string, jti Digest, expiresAt time.Time) error
}
