// Package replica lets the servers on one database know of each other: each notes every few seconds, in the background, that it runs, and
// operators see who does.
package replica

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"latchkey/storage"
)

const (
	// MaxClockDifference is how far a server's clock may be from the database's. Signing keys and tokens allow for as much.
	MaxClockDifference = time.Minute
	// clockNoticed is the difference from which on doctor and the console report it.
	clockNoticed = time.Second

	every = 20 * time.Second
	// silentAfter is when a replica that says nothing is taken for dead: after four notes that did not come.
	silentAfter = 90 * time.Second
	// kept is how long operators see a replica that has died.
	kept = time.Hour
	// farewell is how long a shutdown may wait for the removal of the row.
	farewell = time.Second
)

// Keeper notes that a replica runs.
type Keeper struct {
	Store storage.Replicas
	// Self is what it says: all but the times and the clock.
	Self storage.Replica
	Now  func() time.Time
	// Ahead returns by how much this machine's clock is ahead of the database's, however wrong it is.
	Ahead  func(context.Context) (time.Duration, error)
	Logger *slog.Logger
}

// Run notes that the replica runs until ctx ends, and then that it does not.
func (k *Keeper) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := k.Note(ctx); err != nil && ctx.Err() == nil {
			k.Logger.DebugContext(ctx, "it could not be noted that this server runs", slog.Any("error", err)) // others log that the database is unavailable
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := k.Store.RemoveReplica(ctx, k.Self.ID); err != nil {
		k.Logger.DebugContext(ctx, "it could not be noted that this server stops", slog.Any("error", err))
	}
}

// Note notes that the replica runs. The times are the database's, so that one with a wrong clock is seen as what it is.
func (k *Keeper) Note(ctx context.Context) error {
	ahead, err := k.Ahead(ctx)
	if err != nil {
		return err
	}
	now := k.Now().Add(-ahead).UTC().Truncate(time.Microsecond)
	if k.Self.StartedAt.IsZero() {
		k.Self.StartedAt = now
	}
	k.Self.SeenAt, k.Self.ClockAhead = now, ahead.Milliseconds()
	return k.Store.NoteReplica(ctx, &k.Self, now.Add(-kept))
}

// View is what operators see of a replica.
type View struct {
	storage.Replica
	// Silent means that it has not been seen for a while: it was killed, or can't reach the database.
	Silent bool
	// Other means that its release or its schema is not that of the replica which has started last.
	Other bool
	// Ahead is by how much its clock is ahead of the database's. Noticed means that operators should know, Wrong that it is not ready.
	Ahead          time.Duration
	Noticed, Wrong bool
}

// List returns all replicas, as of a time by the database's clock.
func List(ctx context.Context, store storage.Replicas, now time.Time) ([]View, error) {
	rows, err := store.ListReplicas(ctx)
	if err != nil {
		return nil, fmt.Errorf("replicas: %w", err)
	}
	var last *storage.Replica
	views := make([]View, 0, len(rows))
	for _, r := range rows {
		v := View{Replica: *r, Silent: now.Sub(r.SeenAt) > silentAfter, Ahead: time.Duration(r.ClockAhead) * time.Millisecond}
		v.Noticed, v.Wrong = v.Ahead.Abs() >= clockNoticed, v.Ahead.Abs() > MaxClockDifference
		if !v.Silent {
			last = r
		}
		views = append(views, v)
	}
	for i := range views {
		v := &views[i]
		v.Other = last != nil && !v.Silent && (v.Release != last.Release || v.Schema != last.Schema)
	}
	return views, nil
}
