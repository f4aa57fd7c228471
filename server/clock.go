package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/server/replica"
)

// MaxClockDifference is how far a server's clock may be from the database's. Signing keys and tokens allow for as much.
const MaxClockDifference = replica.MaxClockDifference

const (
	clockEvery = 10 * time.Second
	// clockReminder is how often a wrong clock is logged.
	clockReminder = time.Hour
)

// clock compares this machine's clock with the database's. Replicas whose clocks differ would end each other's sessions: one
// whose clock is ahead finds that everything has ended.
type clock struct {
	now      func() time.Time
	database func(context.Context) (time.Time, error)
	logger   *slog.Logger
	// wrong is the result of the last comparison; nil if the clock was right.
	wrong atomic.Pointer[clockError]
	// difference is how far this machine's clock was ahead then.
	difference atomic.Int64

	mu     sync.Mutex
	logged time.Time // zero while the clock is right
}

// clockError says that this machine's clock is wrong.
type clockError struct{ ahead time.Duration }

func (e *clockError) Error() string {
	direction := "ahead of"
	if e.ahead < 0 {
		direction = "behind"
	}
	return fmt.Sprintf("this machine's clock is %s %s the database's, and at most %s is permitted: synchronise both with NTP",
		e.ahead.Abs().Round(time.Second), direction, MaxClockDifference)
}

func isClockError(err error) bool {
	_, is := errors.AsType[*clockError](err)
	return is
}

// earlier compares the clocks and returns the earlier time, by which what has ended may be removed. It returns a *clockError
// if they differ by more than MaxClockDifference.
func (c *clock) earlier(ctx context.Context) (time.Time, error) {
	before := c.now()
	database, err := c.database(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("compare the clocks: %w", err)
	}
	if database.IsZero() { // the database has no clock of its own
		return before, nil
	}
	after := c.now()
	// The database was asked at an unknown time between before and after.
	ahead := time.Duration(0)
	switch {
	case database.Before(before):
		ahead = before.Sub(database)
	case database.After(after):
		ahead = after.Sub(database)
	}
	c.difference.Store(int64(ahead))
	if ahead.Abs() > MaxClockDifference {
		wrong := &clockError{ahead}
		c.wrong.Store(wrong)
		c.log(ctx, wrong)
		return time.Time{}, wrong
	}
	c.wrong.Store(nil)
	c.log(ctx, nil)
	if database.Before(before) {
		return database, nil
	}
	return before, nil
}

// ahead compares the clocks and returns by how much this machine's is ahead, however much that is.
func (c *clock) ahead(ctx context.Context) (time.Duration, error) {
	_, err := c.earlier(ctx)
	if err != nil && !isClockError(err) {
		return 0, err
	}
	return time.Duration(c.difference.Load()), nil
}

// err returns the result of the last comparison.
func (c *clock) err() error {
	if wrong := c.wrong.Load(); wrong != nil {
		return wrong
	}
	return nil
}

// log logs a clock that is wrong, at once and then every hour, and that it is right again.
func (c *clock) log(ctx context.Context, wrong *clockError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now() // about the log, so by the time that passes here
	switch {
	case wrong == nil && c.logged.IsZero():
	case wrong == nil:
		c.logged = time.Time{}
		c.logger.InfoContext(ctx, "this machine's clock agrees with the database's again")
	case c.logged.IsZero() || now.Sub(c.logged) >= clockReminder:
		c.logged = now
		c.logger.ErrorContext(ctx, "this machine's clock is wrong: the server is not ready, removes nothing and rotates no keys",
			slog.String("error", wrong.Error()))
	}
}
