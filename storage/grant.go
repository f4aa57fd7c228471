package storage

import (
	"context"
	"time"
)

// TokenID identifies a refresh token of a grant.
type TokenID [16]byte

// Grant is what one client holds for one user, a session: written once at login, then only the state of its
// refresh chain changes. See docs/rotation.md.
type Grant struct {
	ID       ID
	ClientID string
	UserID   int64
	// Scope and Audience are what was granted; they never change.
	Scope    []string
	Audience []string
	// UserEpoch and ClientEpoch are those of the time of issue.
	UserEpoch   int64
	ClientEpoch int64
	// SessionID is the browser session that it came from; zero for a password grant. It outlives that session's row.
	SessionID ID
	// AuthTime is when the user proved who they are, AMR how (RFC 8176); AMR is empty for a password grant.
	AuthTime time.Time
	AMR      []string
	// Claims is the claims parameter (OpenID Connect Core §5.5) that the user agreed to, a JSON object, or empty.
	Claims    string
	CreatedAt time.Time
	// ExpiresAt is the absolute end.
	ExpiresAt time.Time
	// Address and UserAgent are those of the login, for the list of sessions.
	Address   string
	UserAgent string

	// Current is the refresh token that the client is known to have, Generation its position in the chain.
	Current    TokenID
	Generation int64
	// WindowAt is when Current was first presented in the current window; zero before that.
	WindowAt time.Time
	// Previous is the token that was retired last (see GrantAdvance), PreviousRetiredAt when; both zero when there is none.
	Previous          TokenID
	PreviousRetiredAt time.Time
	LastUsedAt        time.Time

	RevokedAt    time.Time
	RevokeReason string
}

// LiveGrant is a grant with the state of its user and client at the same instant, which decides whether it is alive.
type LiveGrant struct {
	Grant
	// User is nil when it was removed. Its PasswordHash is not read, its UserProfile only by GrantWithProfile.
	User *User
	// ClientExists, ClientDisabled and ClientAuthEpoch are the client's.
	ClientExists    bool
	ClientDisabled  bool
	ClientAuthEpoch int64
}

// GrantAdvance moves the chain of a grant to another token.
type GrantAdvance struct {
	ID ID
	// From must be the current token, or nothing happens.
	From TokenID
	// To becomes the current token, at the given generation.
	To         TokenID
	Generation int64
	// Retired becomes the previous token, retired at Now; zero stands for From.
	Retired TokenID
	Now     time.Time
}

// GrantFilter selects grants; zero fields select all.
type GrantFilter struct {
	UserID   int64
	ClientID string
	// SessionID selects those that came from a browser session; UserID goes with it, since there is no index for it alone.
	SessionID ID
	// After selects grants with a higher ID.
	After ID
	Limit int
	// LiveAt, when not zero, leaves out grants that have ended by then (revoked, past their end, epoch raised,
	// user or client disabled or removed).
	LiveAt time.Time
}

// Grants stores the grants.
type Grants interface {
	// CreateGrant stores g and, in the same transaction, what the login changes and the audit events. login may be nil.
	// ErrExists: the ID is taken; then nothing was written.
	CreateGrant(ctx context.Context, g *Grant, login *Login, audit ...*AuditEvent) error

	// Grant reads a grant with the state of its user and client, in one round trip, or ErrNotFound.
	Grant(ctx context.Context, id ID) (*LiveGrant, error)

	// GrantWithProfile is Grant with the user's profile too, which Grant leaves out: a refresh that tells nothing about the user
	// reads nothing about them.
	GrantWithProfile(ctx context.Context, id ID) (*LiveGrant, error)

	// TouchGrant records a presentation of the current token that leaves it current: LastUsedAt becomes now, and
	// WindowAt becomes now unless a window of the given length is open, which is kept. It returns WindowAt.
	// Of any number of concurrent callers within one window all get the same WindowAt.
	//
	// TouchGrant and AdvanceGrant do nothing and return ErrConflict unless, at the instant of the write, the grant's
	// current token is the one named, the grant is not revoked nor past its end, its user is active with the
	// grant's epoch, and its client exists, is enabled and has the grant's epoch.
	TouchGrant(ctx context.Context, id ID, current TokenID, window time.Duration, now time.Time) (time.Time, error)

	// AdvanceGrant makes another token the current one; WindowAt, LastUsedAt and PreviousRetiredAt become a.Now.
	// Of any number of concurrent callers that name the same From exactly one gets nil.
	// audit, which may be nil, is written if and only if the grant was advanced.
	AdvanceGrant(ctx context.Context, a GrantAdvance, audit *AuditEvent) error

	// RevokeGrant ends a grant for good. It reports whether this call ended it; a grant that was revoked before, or that
	// does not exist, is no error. audit is written if and only if this call ended it.
	RevokeGrant(ctx context.Context, id ID, reason string, now time.Time, audit *AuditEvent) (bool, error)

	// RevokeGrants ends up to f.Limit of the grants that f selects and returns how many it ended. audit is written if and
	// only if it ended one.
	RevokeGrants(ctx context.Context, f GrantFilter, reason string, now time.Time, audit *AuditEvent) (int, error)

	// ListGrants returns up to f.Limit grants by ascending ID.
	ListGrants(ctx context.Context, f GrantFilter) ([]*LiveGrant, error)
}
