package storage

import (
	"context"
	"time"
)

// DeviceCode is a device authorization request (RFC 8628) on its way to a grant.
type DeviceCode struct {
	// Hash is the hash of the device code, UserCode a keyed MAC of the user code: it is short enough to be guessed.
	Hash        Digest
	UserCode    Digest
	ClientID    string
	ClientEpoch int64
	// Scope and Audience are what is asked for.
	Scope    []string
	Audience []string
	// Offered are resources that the user was shown, of which the client may name some later (RFC 8707 §2.2); Audience is empty then.
	Offered []string
	// Address and UserAgent are those of the device.
	Address   string
	UserAgent string
	CreatedAt time.Time
	// ValidUntil is the end of the code. The row stays until ExpiresAt, so that a late poll learns why it fails.
	ValidUntil time.Time
	ExpiresAt  time.Time

	// Interval is how many seconds the device must leave between two polls, PolledAt when it polled last, Slowed whether that was too
	// early. PollDeviceCode keeps them, by the time of the database.
	Interval int64
	PolledAt time.Time
	Slowed   bool

	// Decision is that of a user; empty until there is one. What follows is the user's, who is zero until then.
	Decision  DeviceDecision
	UserID    int64
	UserEpoch int64
	AuthTime  time.Time
	AMR       []string

	// RedeemedAt is zero until the code is redeemed; then GrantID is the grant that came from it.
	RedeemedAt time.Time
	GrantID    ID
}

// DeviceDecision is what a user has decided about a device.
type DeviceDecision string

// The decisions.
const (
	DeviceApproved DeviceDecision = "approved"
	DeviceDenied   DeviceDecision = "denied"
)

// DeviceSlowDown is how much longer the interval becomes, in seconds, by each poll that comes too early (RFC 8628 §3.5);
// DeviceTolerance is how much too early a poll may come: the network delays one more than another.
const (
	DeviceSlowDown  = 5
	DeviceTolerance = 1
)

// LiveDeviceCode is a device code with the user who decided, read at the same instant.
type LiveDeviceCode struct {
	DeviceCode
	// User is nil before the decision, and when the user was removed.
	User *User
}

// DeviceAnswer is the decision of a user about a device code.
type DeviceAnswer struct {
	// Hash is that of the device code.
	Hash      Digest
	Decision  DeviceDecision
	UserID    int64
	UserEpoch int64
	AuthTime  time.Time
	AMR       []string
	Now       time.Time
}

// DeviceCodes stores the device codes.
type DeviceCodes interface {
	// CreateDeviceCode stores c. ErrExists: the hash or the user code is taken.
	CreateDeviceCode(ctx context.Context, c *DeviceCode) error

	// PendingDeviceCode reads by its user code a code that waits for a decision, and is valid at now. ErrNotFound: there is none.
	PendingDeviceCode(ctx context.Context, userCode Digest, now time.Time) (*DeviceCode, error)

	// AnswerDeviceCode stores a decision. Of any number of concurrent callers exactly one gets nil. ErrConflict: the code does not exist,
	// was decided about before, or is past ValidUntil at a.Now; then nothing happens.
	AnswerDeviceCode(ctx context.Context, a DeviceAnswer, audit *AuditEvent) error

	// PollDeviceCode reads a code, or ErrNotFound. If it waits for a decision and belongs to the client, the poll is noted: PolledAt is
	// now, Slowed is whether it came earlier than Interval (less DeviceTolerance) after the one before, and if so, Interval is
	// DeviceSlowDown longer from now on. Of concurrent polls only one can be in time.
	PollDeviceCode(ctx context.Context, hash Digest, clientID string) (*LiveDeviceCode, error)

	// RedeemDeviceCode stores g, makes it the grant of the code, keeps the code until the given time, and notes that the client is in
	// use, in one transaction. Of any number of concurrent callers exactly one gets nil.
	//
	// It does nothing and returns ErrConflict unless, at the instant of the write (g.CreatedAt), the code exists, belongs to g.ClientID
	// and was approved by g.UserID, is not redeemed and not past ValidUntil, its user is active with the code's epoch, and its client
	// exists, is enabled and has the code's epoch.
	RedeemDeviceCode(ctx context.Context, hash Digest, g *Grant, until time.Time, audit ...*AuditEvent) error
}
