package storage

import (
	"context"
	"time"
)

// Consent is what a user has allowed a client so far.
type Consent struct {
	UserID   int64
	ClientID string
	Scope    []string
	Audience []string
	// Fingerprint is of what the client was when the user agreed (its redirect URIs); a consent for another one is none.
	Fingerprint Digest
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// ConsentEnd takes a consent back.
type ConsentEnd struct {
	UserID   int64
	ClientID string
	// Reason becomes the revoke reason of the grants that end with it.
	Reason string
	Now    time.Time
}

// Consents keeps what users have allowed.
type Consents interface {
	// GrantConsent adds c's scope and audience to what the user has allowed the client, or replaces it when its fingerprint
	// is another one. CreatedAt of the first stays. Concurrent callers lose nothing of each other.
	// ErrNotFound: the user or the client is not there. A consent goes with either.
	GrantConsent(ctx context.Context, c *Consent, audit *AuditEvent) error

	// ListConsents gives up to limit consents of a user by ascending client ID.
	ListConsents(ctx context.Context, userID int64, limit int) ([]*Consent, error)

	// RevokeConsent removes the consent and revokes every grant of this user with this client, in one act; codes that are
	// still out are dead too. It tells whether there was a consent or a live grant. audit is written if and only if so.
	RevokeConsent(ctx context.Context, e ConsentEnd, audit *AuditEvent) (bool, error)
}
