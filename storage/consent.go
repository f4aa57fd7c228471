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
	// Fingerprint is the hash of the client's redirect URIs when the user agreed; a consent with another fingerprint does not count.
	Fingerprint Digest
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// ConsentEnd revokes a consent.
type ConsentEnd struct {
	UserID   int64
	ClientID string
	// Reason becomes the revoke reason of the grants that end with it.
	Reason string
	Now    time.Time
}

// Consents stores what users have allowed.
type Consents interface {
	// GrantConsent adds c's scope and audience to what the user has allowed the client, or replaces it when its fingerprint
	// is another one. CreatedAt of the first is kept. Concurrent callers lose none of each other's scopes.
	// ErrNotFound: the user or the client does not exist. Removing either removes the consent.
	GrantConsent(ctx context.Context, c *Consent, audit *AuditEvent) error

	// ListConsents returns up to limit consents of a user by ascending client ID.
	ListConsents(ctx context.Context, userID int64, limit int) ([]*Consent, error)

	// RevokeConsent removes the consent and revokes every grant of this user with this client, in one transaction;
	// unredeemed codes are dead too. It reports whether there was a consent or a live grant. audit is written if and only if so.
	RevokeConsent(ctx context.Context, e ConsentEnd, audit *AuditEvent) (bool, error)
}
