package storage

import (
	"context"
	"time"
)

// Replica is a server that runs on this database, as it says itself.
type Replica struct {
	ID ID
	// Host is the name of its machine, Release that of its version.
	Host, Release string
	// Schema is the version of the newest migration that it knows.
	Schema int64
	// Issuer is its own; empty for a server of a release that does not say it.
	Issuer string
	// ClockAhead is by how many milliseconds its clock is ahead of the database's.
	ClockAhead int64
	// StartedAt and SeenAt are by the database's clock.
	StartedAt, SeenAt time.Time
}

// Replicas stores which servers run.
type Replicas interface {
	// NoteReplica stores what a replica says of itself, in place of what it said before, and removes those that were not seen since a time.
	NoteReplica(ctx context.Context, r *Replica, since time.Time) error

	// ListReplicas returns all replicas, the one that has started first at the front.
	ListReplicas(ctx context.Context) ([]*Replica, error)

	// RemoveReplica removes a replica. One that does not exist is no error.
	RemoveReplica(ctx context.Context, id ID) error
}
