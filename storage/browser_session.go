package storage

import (
	"context"
	"time"
)

// BrowserSession is one browser in which a user is signed in, known by its session cookie.
type BrowserSession struct {
	// ID stays the same when the user signs in again in the same browser. It is the sid of ID tokens and not a secret.
	ID ID
	// Hash is the hash of the cookie's value, which changes at every sign-in.
	Hash   Digest
	UserID int64
	// UserEpoch is that of the sign-in; raising the user's epoch ends the session.
	UserEpoch int64
	CreatedAt time.Time
	// AuthTime is when the user last proved who they are, AMR how (RFC 8176).
	AuthTime time.Time
	AMR      []string
	// LastSeenAt is written now and then, not with every request.
	LastSeenAt time.Time
	// ExpiresAt is the absolute end. Remember: the user wants no idle end before it.
	ExpiresAt time.Time
	Remember  bool
	// Address and UserAgent are those of the last sign-in.
	Address   string
	UserAgent string
}

// LiveBrowserSession is a session with its user and a consent, read at the same instant.
type LiveBrowserSession struct {
	BrowserSession
	// User is nil when it was removed. Its UserProfile is not read.
	User *User
	// SecondFactor is true if the user has a second factor; whether the session's login used one is in AMR.
	SecondFactor bool
	// Consent is what the user has allowed the requested client; nil if nothing.
	Consent *Consent
}

// BrowserSessionEnd ends one session.
type BrowserSessionEnd struct {
	ID     ID
	UserID int64
	// Reason becomes the revoke reason of the grants that end with it.
	Reason string
	Now    time.Time
	// Notices are stored if and only if this call ended the session.
	Notices []*LogoutNotice
}

// BrowserSessions stores the browsers in which users are signed in.
type BrowserSessions interface {
	// CreateBrowserSession stores b, what the sign-in changes and the audit events, and removes the session whose hash is
	// replaces, when that is not zero, all in one transaction. b may have the ID of the session it replaces, but of no other.
	// login may be nil. ErrExists: the hash or the ID is another session's; then nothing was written.
	CreateBrowserSession(ctx context.Context, b *BrowserSession, replaces Digest, login *Login, audit ...*AuditEvent) error

	// BrowserSession reads a session by the hash of its cookie, with its user and, when clientID is not empty, what the user
	// has allowed this client: one round trip. ErrNotFound. The caller checks whether the session has ended.
	BrowserSession(ctx context.Context, hash Digest, clientID string) (*LiveBrowserSession, error)

	// TouchBrowserSession sets LastSeenAt, never to an earlier time. A session that does not exist is no error.
	TouchBrowserSession(ctx context.Context, hash Digest, now time.Time) error

	// ListBrowserSessions returns up to limit sessions of a user that have not reached ExpiresAt nor lost their epoch at now,
	// newest AuthTime first.
	ListBrowserSessions(ctx context.Context, userID int64, now time.Time, limit int) ([]*BrowserSession, error)

	// EndBrowserSession removes the session, if it is this user's, revokes the grants that came from it and whose scope
	// does not have offline_access, and stores the notices, in one transaction. It reports whether this call ended it; one
	// that does not exist is no error. audit is written if and only if this call ended it.
	// If a code of this session is redeemed at the same time, either its grant is revoked here, or the redemption gets
	// ErrConflict. Unredeemed codes are dead, even if a session with this ID is created again.
	EndBrowserSession(ctx context.Context, e BrowserSessionEnd, audit *AuditEvent) (bool, error)
}
