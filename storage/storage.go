package storage

import (
	"context"
	"errors"
	"time"
)

// Sentinel errors. Drivers translate their own errors into these at their edge, wrapped with the operation.
var (
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("not found")
	// ErrExists: a row with this key exists already.
	ErrExists = errors.New("already exists")
	// ErrConflict: the row is not in the state that the statement requires; another caller was faster.
	ErrConflict = errors.New("changed by someone else")
	// ErrLimit: there are as many rows of this kind as there may be.
	ErrLimit = errors.New("as many as there may be")
	// ErrElsewhere: what is to be changed is kept in another database, and only changes there.
	ErrElsewhere = errors.New("kept in another database")
	// ErrUnavailable: the database can't be reached, is shutting down, is read-only, or the statement got no connection, no
	// lock or not enough time. Trying again later may succeed. It says nothing about the data.
	ErrUnavailable = errors.New("database unavailable")
)

// Failed reports whether err means that the store could not do its work, and not that the rows do not permit the operation.
func Failed(err error) bool {
	return err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrExists) && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrLimit)
}

// Store is everything that Latchkey stores. Consumers declare the methods that they use.
//
// Every method is one transaction: when it returns nil, all of it has happened, and it survives a crash of the server or of the
// database from then on. Any number of goroutines and processes may call at once.
// A context that ends makes a method return the context's error wrapped with ErrUnavailable when the outcome is unknown.
type Store interface {
	Users
	UserSearch
	Provisioning
	Clients
	Grants
	Throttles
	RevokedTokens
	IssuedTokens
	SigningKeys
	Resources
	AuditEvents
	BrowserSessions
	AuthorizationCodes
	DeviceCodes
	Consents
	PushedRequests
	UsedJTIs
	LogoutNotices
	Outbox
	UndeliveredLetters
	Webhooks
	AccountTokens
	RegistrationTokens
	IdempotencyKeys
	Factors
	Imports
	Absences
	Replicas
	EventCounts

	// Ping makes one round trip.
	Ping(ctx context.Context) error

	// Clock returns the time by the database's clock. It is zero if the database has none of its own, being a file of this
	// machine.
	Clock(ctx context.Context) (time.Time, error)

	// Watch calls changed for each change that any process made to clients, signing keys, resources or webhooks,
	// at most one second after it was committed, until ctx ends; it returns ctx's error then. After a lost connection
	// it reconnects by itself and reports ChangeAll, since changes may have been missed. It calls changed with
	// ChangeAll once at its start. changed must not block.
	Watch(ctx context.Context, changed func(Change)) error

	// Maintain removes what has ended and prepares what will be needed (Postgres: partitions), in batches of at most
	// batch rows, each a statement of its own. It removes one batch of each kind and reports whether there is more.
	// It may run in many processes at once.
	Maintain(ctx context.Context, now time.Time, batch int) (Maintenance, error)

	// PruneAudit removes audit events from before a time, by that of their IDs: Postgres whole months, SQLite a batch of at most batch
	// events. It returns how many events or, for Postgres, which partitions it removed. It may run in many processes at once.
	PruneAudit(ctx context.Context, before time.Time, batch int) (events int64, partitions []string, err error)

	// Stats returns the state of the connections.
	Stats() PoolStats

	Close() error
}

// Earlier returns the earlier of now and the database's clock. What has ended by that time may be removed: a process whose
// clock is ahead must not remove what lives for all others.
func Earlier(ctx context.Context, now time.Time, s interface {
	Clock(ctx context.Context) (time.Time, error)
},
) (time.Time, error) {
	database, err := s.Clock(ctx)
	if err == nil && !database.IsZero() && database.Before(now) {
		now = database
	}
	return now, err
}

// Change names what changed. An empty ID means any row of that kind.
type Change struct {
	Kind ChangeKind
	ID   string
}

// ChangeKind is the kind of row that changed.
type ChangeKind string

// The kinds of changes that are watched: what servers cache.
const (
	ChangeAll         ChangeKind = "all"
	ChangeClient      ChangeKind = "client"
	ChangeSigningKeys ChangeKind = "signing_keys"
	ChangeResources   ChangeKind = "resources"
	ChangeWebhooks    ChangeKind = "webhooks"
)

// Maintenance counts what one call of Maintain removed.
type Maintenance struct {
	Grants, RevokedTokens, Throttles                  int64
	BrowserSessions, AuthorizationCodes, UsedJTIs     int64
	PushedRequests, LogoutNotices, RegistrationTokens int64
	DeviceCodes, IssuedTokens                         int64
	IdempotencyKeys, OutboxMessages, Factors          int64
	AccountTokens, UndeliveredLetters                 int64
	// Clients are those that registered themselves and that no user has used.
	Clients           int64
	PartitionsCreated []string
	PartitionsDropped []string
	// More is true when a batch was full: there is more to remove now.
	More bool
}

// PoolStats is the state of the database connections.
type PoolStats struct {
	Max, InUse, Idle int
	// Waits counts acquisitions that had to wait, WaitTime is how long in all.
	Waits    int64
	WaitTime time.Duration
	// Statements counts what was sent to a server, a batch as one. Several calls may share one: SharedStatements counts those,
	// SharedCalls the calls in them, SharedWait how long calls waited for the statement under way. Zero where there is no server.
	Statements, SharedStatements, SharedCalls int64
	SharedWait                                time.Duration
}
