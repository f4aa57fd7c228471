package storage

import (
	"context"
	"time"
)

// FactorKind says what a factor is.
type FactorKind string

// The kinds of factors. Only FactorTOTP and FactorWebAuthn are second factors of their own: the others need one of them, and end with the
// last one.
const (
	// FactorTOTP is an application that shows time-based codes (RFC 6238).
	FactorTOTP FactorKind = "totp"
	// FactorWebAuthn is a passkey or a security key (Web Authentication).
	FactorWebAuthn FactorKind = "webauthn"
	// FactorRecovery is a code that replaces one of the above once.
	FactorRecovery FactorKind = "recovery"
	// FactorBrowser is a browser that the user has asked to remember, so that logins in it need no second factor for a while.
	FactorBrowser FactorKind = "browser"
)

// Second reports whether a user with a factor of this kind has a second factor.
func (k FactorKind) Second() bool { return k == FactorTOTP || k == FactorWebAuthn }

// Factor is something that a user has proved to have, besides knowing the password.
type Factor struct {
	ID     ID
	UserID int64
	Kind   FactorKind
	// Lookup is a digest by which the factor is found, unique within its kind: that of a credential's ID, of a code, of a cookie. Zero if
	// it is found by its user only.
	Lookup Digest
	// Name is the user's name for it.
	Name string
	// Data is a sealed secret, or a public key with what is known of its authenticator. It may be empty.
	Data []byte
	// Counter is the last time step that was accepted (RFC 6238 §5.2), or the signature counter (Web Authentication §6.1.1).
	Counter int64
	// UserEpoch is that of the user when a browser was remembered; raising the user's epoch ends it.
	UserEpoch  int64
	CreatedAt  time.Time
	LastUsedAt time.Time
	// ExpiresAt is the end of a factor that has one.
	ExpiresAt time.Time
}

// NewFactors are factors that are stored together.
type NewFactors struct {
	UserID int64
	// Factors are of the user, and one of them at least.
	Factors []*Factor
	// Replaces, if it is not empty, is a kind whose factors of the user are removed before.
	Replaces FactorKind
	// Limit is how many factors of the kind of the first of Factors the user may have afterwards.
	Limit int
	// Messages are put into the outbox with them.
	Messages []*OutboxMessage
}

// FactorUse is the use of a factor, which nothing else may have used in the same way.
type FactorUse struct {
	ID     ID
	UserID int64
	// Counter becomes the counter, which must be less than that, or both 0.
	Counter int64
	// Data, unless it is nil, replaces the data.
	Data []byte
	Now  time.Time
	// Spend removes the factor: it works once. The other fields but ID and UserID have no meaning then.
	Spend bool
}

// FactorRemoval removes factors of a user.
type FactorRemoval struct {
	UserID int64
	// IDs are the factors; nil stands for all of the user.
	IDs []ID
	// EndSessions raises the user's epoch, which ends all sessions and forgets all browsers.
	EndSessions bool
	// Notices and Messages are stored with the removal.
	Notices  []*LogoutNotice
	Messages []*OutboxMessage
	Now      time.Time
}

// Factors stores what users log in with besides a password.
type Factors interface {
	// CreateFactors stores factors of a user, and removes those that they replace. ErrNotFound: the user does not exist; ErrExists: a lookup
	// is taken; ErrLimit: the user has as many as there may be. Then nothing was written. Of any number of concurrent callers no more
	// succeed than the limit permits.
	CreateFactors(ctx context.Context, f NewFactors, audit *AuditEvent) error

	// ListFactors returns all factors of a user, the oldest first.
	ListFactors(ctx context.Context, userID int64) ([]*Factor, error)

	// FactorByLookup returns a factor. ErrNotFound.
	FactorByLookup(ctx context.Context, kind FactorKind, lookup Digest) (*Factor, error)

	// UseFactor uses a factor as u says. ErrConflict: it does not exist, or was used with this counter or a later one. Of any number of
	// concurrent callers with one counter, or that spend one factor, exactly one succeeds. audit is written if and only if so.
	UseFactor(ctx context.Context, u FactorUse, audit *AuditEvent) error

	// RenameFactor sets the name of a factor of the user. ErrNotFound.
	RenameFactor(ctx context.Context, userID int64, id ID, name string, audit *AuditEvent) error

	// RemoveFactors removes factors, and with the last second factor of the user all the others. ErrNotFound: there was none of them; then
	// nothing has happened. audit is written if and only if one was removed. Removing the user removes their factors.
	RemoveFactors(ctx context.Context, r FactorRemoval, audit *AuditEvent) error
}
