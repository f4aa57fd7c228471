package storage

import (
	"context"
	"time"
)

// OutboxMessage is something that has yet to be sent to someone else.
type OutboxMessage struct {
	ID ID
	// Kind says which worker sends it, for example "mail".
	Kind string
	// Key is that of the message among those of its kind: under one key only one message is sent.
	Key Digest
	// Payload is what is sent. The caller seals what proves possession and what is private. It is empty once it was sent.
	Payload   []byte
	CreatedAt time.Time
	// NextAttemptAt is when it is to be sent next, zero once it was; Attempts is how often it was claimed so far.
	NextAttemptAt time.Time
	Attempts      int
	// GiveUpAt is from when on no attempt is made.
	GiveUpAt time.Time
	// ExpiresAt is when the row is removed, after GiveUpAt: until then nothing else is sent under the key.
	ExpiresAt time.Time
}

// Outbox stores what has yet to be sent. Messages are sent at least once.
type Outbox interface {
	// CreateOutboxMessages stores messages, except those whose kind and key are stored already.
	CreateOutboxMessages(ctx context.Context, messages ...*OutboxMessage) error

	// ClaimOutboxMessages returns up to limit messages of a kind that are due at now, those to be dropped too, oldest NextAttemptAt
	// first, each to one caller only: its NextAttemptAt becomes now plus lease and Attempts one more, in the row and in what is
	// returned. If the caller dies, others can claim the message once the lease is over.
	ClaimOutboxMessages(ctx context.Context, kind string, now time.Time, lease time.Duration, limit int) ([]*OutboxMessage, error)

	// RetryOutboxMessage sets when a message is to be sent next. One that does not exist, or is finished, is no error.
	RetryOutboxMessage(ctx context.Context, id ID, at time.Time) error

	// FinishOutboxMessage empties a message that was sent or dropped, and stores what came of it, in the same transaction.
	// One that does not exist is no error.
	FinishOutboxMessage(ctx context.Context, id ID, next ...*OutboxMessage) error

	// WaitingOutboxMessages returns how many messages of a kind have yet to be sent, and since when the oldest of them waits; zero if
	// there is none.
	WaitingOutboxMessages(ctx context.Context, kind string) (n int, since time.Time, err error)
}
