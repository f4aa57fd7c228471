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
	// Offered are resources that the user was shown, of which the client may name some later (RFC 8707 §2.2); Audience is empty then.
	Offered []string
	// UserEpoch and ClientEpoch are those of the time of issue.
	UserEpoch   int64
	ClientEpoch int64
	// SessionID is the browser session that it came from; zero for a password grant. It outlives that session's row.
	SessionID ID
	// AuthTime is when the user proved who they are, AMR how (RFC 8176); AMR is empty where that is not known.
	AuthTime time.Time
	AMR      []string
	// Claims is the claims parameter (OpenID Connect Core §5.5) that the user agreed to, a JSON object, or empty.
	Claims string
	// DPoPKey is the thumbprint (RFC 7638) of the key that its refresh tokens are bound to (RFC 9449 §5); empty = none. It never changes.
	DPoPKey   string
	CreatedAt time.Time
	// ExpiresAt is the absolute end.
	ExpiresAt time.Time
	// Address and UserAgent are those of the login, for the list of sessions.
	Address   string
	UserAgent string

	// Current is the refresh token that the client is known to have, Generation its position in the chain.
	Current    TokenID
	Generation int64
	// CurrentExpiresAt is the end of Current; zero when it is not known.
	CurrentExpiresAt time.Time
	// WindowAt is when Current was first presented in the current window; zero before that. Windows counts the windows of Current.
	WindowAt time.Time
	Windows  int64
	// Previous is the token that was retired last (see GrantMove), PreviousRetiredAt when; both zero when there is none.
	Previous          TokenID
	PreviousRetiredAt time.Time
	Sharing           Sharing
	LastUsedAt        time.Time

	RevokedAt    time.Time
	RevokeReason string
}

// Sharing is what a grant remembers about the networks that present its tokens. The rules are in docs/rotation.md; storage only
// keeps it.
type Sharing struct {
	// Network is a keyed hash of the network that the current token was confirmed from; zero when it is not known.
	Network int64
	// Elsewhere is set when the current token was presented from another network too.
	Elsewhere bool
	// Joins counts the retirements in a row after which the retired token was presented from another network; JoinedGeneration is
	// the generation of the last one.
	Joins            int64
	JoinedGeneration int64
}

// LiveGrant is a grant with the state of its user and client at the same instant, which decides whether it is alive.
type LiveGrant struct {
	Grant
	// User is nil when it was removed. Its UserProfile is only read by GrantWithProfile.
	User *User
	// ClientExists, ClientDisabled and ClientAuthEpoch are the client's.
	ClientExists    bool
	ClientDisabled  bool
	ClientAuthEpoch int64
	// Now is the time of the database at that instant. The times of the chain are measured against it, never against the clock of a
	// server.
	Now time.Time
}

// GrantMove is one guarded change of the chain of a grant: a presentation that leaves the current token in place, or that replaces it.
type GrantMove struct {
	ID ID

	// The guard. From must be the current token and Was what is stored about networks, or nothing happens.
	From TokenID
	Was  Sharing
	// NotRevoked, if it is not empty, is the jti of a token that must not have been revoked by itself (see RevokedTokens).
	NotRevoked string

	// To becomes the current token, at the given generation. If it is zero, the current token stays, and so does the generation.
	To         TokenID
	Generation int64
	// Retired becomes the previous token when the current one is replaced; zero stands for From.
	Retired TokenID
	// CurrentExpiresAt is the end of the token that is current after the move. Zero means that it is not known; if the current token
	// stays, what is stored is kept.
	CurrentExpiresAt time.Time
	// Window is how long an open window is kept if the current token stays.
	Window time.Duration
	// Sharing is stored.
	Sharing Sharing
}

// GrantAttempt is a change of a chain that was planned from the token alone, without reading the grant.
type GrantAttempt struct {
	ID ID

	// The guard, besides that of a move. The grant must be ClientID's, have no DPoPKey, and have been used within Idle (zero: no limit). No presentation
	// from another network may be stored, and the network must be Network, or one of the two unknown (zero).
	ClientID   string
	Network    int64
	Idle       time.Duration
	NotRevoked string

	// Moves are the possible ones, two at most, each with another From. Their Was, Sharing and NotRevoked have no meaning.
	Moves []AttemptedMove
	// Profile says that the answer has the user's profile.
	Profile bool

	// Subjects are those that the token names, of which the user has one; none if it names none. Repeatable says that the token works
	// again after the attempt, for a caller who did not get the answer. They matter where users are kept in another database.
	Subjects   []string
	Repeatable bool
}

// AttemptedMove is one move of a GrantAttempt.
type AttemptedMove struct {
	GrantMove
	// FromGeneration, if it is set, must be the generation of the grant, whose current token must not have ended.
	FromGeneration *int64
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

	// GrantWithProfile is Grant with the user's profile too, which Grant leaves out: a refresh that releases nothing about the user
	// reads nothing about them.
	GrantWithProfile(ctx context.Context, id ID) (*LiveGrant, error)

	// MoveGrant changes the chain as m says, and returns the grant as it is then, in one round trip. All times that it stores are
	// those of the database at the instant of the write, which is the Now of the answer.
	//
	// LastUsedAt becomes that time. If the current token is replaced, so do WindowAt and PreviousRetiredAt, and Windows becomes 1. If
	// it stays, a window that is open is kept; otherwise a new one begins, and Windows is raised. Of any number of concurrent callers
	// within one window all get the same WindowAt. Of any number that replace the same From exactly one succeeds.
	//
	// It does nothing and returns ErrConflict unless, at the instant of the write, the guard of m holds, the grant is not revoked nor
	// past its end, its user is active with the grant's epoch, and its client exists, is enabled and has the grant's epoch. audit,
	// which may be nil, is written if and only if the grant was changed.
	MoveGrant(ctx context.Context, m GrantMove, audit *AuditEvent) (*LiveGrant, error)

	// AttemptGrant does what MoveGrant does, without an audit event, for the one move of a whose guard holds, and returns its index. The
	// network that is stored becomes a's, if that is known, when the current token is replaced.
	//
	// The answer has what tokens are made of. The rest may be missing: Offered, DPoPKey, Address, UserAgent, Previous, PreviousRetiredAt,
	// Sharing, and what concerns the client or a revocation.
	//
	// ErrConflict: no guard holds, or the grant does not exist or is not alive; nothing was written, and the caller reads it.
	AttemptGrant(ctx context.Context, a GrantAttempt) (*LiveGrant, int, error)

	// RevokeGrant ends a grant for good. It reports whether this call ended it; a grant that was revoked before, or that
	// does not exist, is no error. audit is written if and only if this call ended it.
	RevokeGrant(ctx context.Context, id ID, reason string, now time.Time, audit *AuditEvent) (bool, error)

	// RevokeGrants ends up to f.Limit of the grants that f selects and returns how many it ended. audit is written if and
	// only if it ended one.
	RevokeGrants(ctx context.Context, f GrantFilter, reason string, now time.Time, audit *AuditEvent) (int, error)

	// CountGrants returns how many grants f selects, at most f.Limit.
	CountGrants(ctx context.Context, f GrantFilter) (int, error)

	// ListGrants returns up to f.Limit grants by ascending ID.
	ListGrants(ctx context.Context, f GrantFilter) ([]*LiveGrant, error)
}
