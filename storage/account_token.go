package storage

import (
	"context"
	"time"
)

// AccountToken is what a letter brings to prove that somebody reads its mailbox: a link, or a code.
type AccountToken struct {
	// Hash is the hash of the link's secret, or a MAC of the code.
	Hash Digest
	// Purpose says what it is for, for example "reset".
	Purpose string
	// RequestID is common to the tokens of one letter: using one uses them all.
	RequestID ID
	// UserID is the account that it is for; 0 for one that is yet to be made. It is dead once the user's epoch is another than UserEpoch, and
	// with a user who is inactive or removed.
	UserID, UserEpoch int64
	// Data is the caller's, sealed.
	Data      []byte
	CreatedAt time.Time
	ExpiresAt time.Time
}

// AccountTokenUse is what using a token changes: exactly one of PasswordHash, Email and User is set.
type AccountTokenUse struct {
	Hash    Digest
	Purpose string
	Now     time.Time
	// PasswordHash replaces that of the token's user, whose epoch is raised. Notices are stored with it.
	PasswordHash string
	Notices      []*LogoutNotice
	// Email becomes the address of the token's user, verified.
	Email string
	// User is created as by CreateUser.
	User *User
	// Messages are put into the outbox.
	Messages []*OutboxMessage
}

// AccountTokens stores what letters bring.
type AccountTokens interface {
	// CreateAccountTokens stores tokens. If alone is true, others of the same purpose and user are removed. ErrNotFound: the user was
	// removed.
	CreateAccountTokens(ctx context.Context, alone bool, tokens ...*AccountToken) error

	// AccountToken returns a token that lives at now. ErrNotFound.
	AccountToken(ctx context.Context, hash Digest, purpose string, now time.Time) (*AccountToken, error)

	// ListAccountTokens returns up to limit tokens of a purpose that are no user's and live at now, by ascending RequestID, above after.
	ListAccountTokens(ctx context.Context, purpose string, after ID, now time.Time, limit int) ([]*AccountToken, error)

	// RemoveAccountTokens removes the tokens of a purpose with a RequestID. ErrNotFound: none lives at now.
	RemoveAccountTokens(ctx context.Context, purpose string, requestID ID, now time.Time, audit *AuditEvent) error

	// UseAccountToken makes the change and removes the token, with those of the same letter, and of the same purpose and user. Of any number
	// of concurrent callers one gets nil. ErrNotFound: there is no such token that lives; ErrExists, as from CreateUser: the token lives on.
	UseAccountToken(ctx context.Context, use AccountTokenUse, audit *AuditEvent) error
}
