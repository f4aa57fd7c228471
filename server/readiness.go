package server

import (
	"context"
	"sync"
	"time"
)

const (
	// pingEvery bounds what any number of probes cost the database.
	pingEvery   = time.Second
	pingTimeout = 2 * time.Second
)

// readiness is whether the server can do its work now.
type readiness struct {
	mu       sync.Mutex
	started  bool
	stopping bool
	// pinged is when the database was asked last, and away whether it failed then. This is about the machine, not about
	// tokens, so it goes by the machine's clock.
	pinged time.Time
	away   bool
}

func (r *readiness) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = true
}

func (r *readiness) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = true
}

// check returns the reason why the server is not ready, or an empty string. Concurrent callers share the result of one ping.
func (r *readiness) check(ctx context.Context, ping func(context.Context) error) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.stopping:
		return "shutting down"
	case !r.started:
		return "signing keys are not loaded"
	}
	if time.Since(r.pinged) >= pingEvery {
		// The ping outlives a probe that is cancelled early, which says nothing about the database.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
		defer cancel()
		r.away = ping(ctx) != nil
		r.pinged = time.Now()
	}
	if r.away {
		return "the database is unavailable"
	}
	return ""
}
