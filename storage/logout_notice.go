package storage

import (
	"cmp"
	"context"
	"strconv"
	"time"
)

// LogoutNotice is a back-channel logout (OpenID Connect Back-Channel Logout 1.0) that has yet to be sent to a client.
type LogoutNotice struct {
	ID       ID
	ClientID string
	UserID   int64
	// Subject is the sub of the user, who may be removed by now; empty stands for the decimal text of UserID.
	Subject string
	// SessionID is the browser session that ended, the sid of its ID tokens.
	SessionID ID
	CreatedAt time.Time
	// NextAttemptAt is when it is to be sent next, Attempts how often it was claimed so far.
	NextAttemptAt time.Time
	Attempts      int
	// ExpiresAt is when no further attempt is made.
	ExpiresAt time.Time
}

// Sub returns the sub of the user.
func (n *LogoutNotice) Sub() string { return cmp.Or(n.Subject, strconv.FormatInt(n.UserID, 10)) }

// LogoutNotices is the outbox of back-channel logouts. It is filled by what ends the sessions, in the same transaction.
type LogoutNotices interface {
	// ClaimLogoutNotices returns up to limit notices that are due at now, those past their end too, oldest NextAttemptAt first,
	// each to one caller only: its NextAttemptAt becomes now plus lease and Attempts one more, in the row and in what is
	// returned. If the caller dies, others can claim the notice once the lease is over.
	ClaimLogoutNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]*LogoutNotice, error)

	// RetryLogoutNotice sets when a notice is to be sent next. One that does not exist is no error.
	RetryLogoutNotice(ctx context.Context, id ID, at time.Time) error

	// FinishLogoutNotice removes a notice. One that does not exist is no error.
	FinishLogoutNotice(ctx context.Context, id ID) error
}
