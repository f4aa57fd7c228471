package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// askEvery bounds what any number of probes cost the database.
	askEvery   = time.Second
	askTimeout = 2 * time.Second
)

// The reasons why a server is not ready, besides the clock's.
const (
	reasonStopping = "shutting down"
	reasonNoKeys   = "signing keys are not loaded"
	reasonAway     = "the database is unavailable"
)

// readiness is whether the server can do its work now.
type readiness struct {
	started  atomic.Bool
	stopping atomic.Bool

	mu sync.Mutex
	// waiting is why the server has not started, once that was tried.
	waiting string
	// asked is when the database was asked last, and problem what was wrong then. This is about the machine, not about tokens,
	// so it goes by the machine's clock.
	asked   time.Time
	problem string
}

// waitFor notes why the start failed.
func (r *readiness) waitFor(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = inShort(err)
}

// check returns the reason why the server is not ready, or an empty string. Concurrent callers share the answer of one ask.
func (r *readiness) check(ctx context.Context, ask func(context.Context) error) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.stopping.Load():
		return reasonStopping
	case !r.started.Load() && r.waiting != "":
		return r.waiting
	case !r.started.Load():
		return reasonNoKeys
	}
	if time.Since(r.asked) >= askEvery {
		// It outlives a probe that is cancelled early, which says nothing about the database.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		r.problem = inShort(ask(ctx))
		r.asked = time.Now()
	}
	return r.problem
}

// inShort returns what readiness says of an error; nothing of the database's own words.
func inShort(err error) string {
	if err == nil {
		return ""
	}
	if wrong, ok := errors.AsType[*clockError](err); ok {
		return wrong.Error()
	}
	return reasonAway
}
