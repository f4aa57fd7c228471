package storage

import (
	"context"
	"encoding/json"
	"time"
)

// UndeliveredLetter is a letter that was abandoned. Nothing in it proves possession: what the letter said, with its link and its code, is gone.
type UndeliveredLetter struct {
	// ID is made when the letter is abandoned: a higher one was abandoned later.
	ID ID
	// Name is that of the letter's template, for example "reset". It is empty, as are the next five fields, if the letter could not be read.
	Name string
	// UserID is the account that it is about, 0 if there is none.
	UserID int64
	// RequestID is that of the account tokens that it brought, zero if none.
	RequestID ID
	// Recipient is its address, and Lang the languages that were wanted, as in Accept-Language.
	Recipient, Lang string
	// Details is what a notice says besides, a JSON object or empty. Never a secret.
	Details json.RawMessage
	// QueuedAt is when it was put into the outbox, and Attempts is how often it was claimed there.
	QueuedAt time.Time
	Attempts int
	// Refused means that no further attempt could succeed; otherwise its time was over.
	Refused bool
	// LastError is why the last attempt failed, empty if that is not known. It has no secret and no address.
	LastError              string
	AbandonedAt, ExpiresAt time.Time
}

// UndeliveredLetterFilter selects letters; zero fields select all.
type UndeliveredLetterFilter struct {
	UserID int64
	// Before selects letters with a lower ID.
	Before ID
	// Limit is at most how many are returned; 0 means no limit.
	Limit int
}

// UndeliveredLetters stores the letters that were abandoned, until they expire or are removed; those of a user are removed with the user.
type UndeliveredLetters interface {
	// AbandonLetter empties a message of the outbox, as FinishOutboxMessage does, and stores that it was abandoned, in the same transaction. It
	// does nothing if the message is finished already or does not exist: another caller has sent or abandoned it. A letter about a
	// user who was removed is not stored.
	AbandonLetter(ctx context.Context, messageID ID, l *UndeliveredLetter) error

	// ListUndeliveredLetters returns letters by descending ID.
	ListUndeliveredLetters(ctx context.Context, f UndeliveredLetterFilter) ([]*UndeliveredLetter, error)

	// UndeliveredLetter returns a letter. ErrNotFound.
	UndeliveredLetter(ctx context.Context, id ID) (*UndeliveredLetter, error)

	// RemoveUndeliveredLetter removes a letter. ErrNotFound.
	RemoveUndeliveredLetter(ctx context.Context, id ID, audit *AuditEvent) error

	// CountUndeliveredLetters counts the letters that were abandoned since a time, but not further than to limit.
	CountUndeliveredLetters(ctx context.Context, since time.Time, limit int) (int, error)
}
