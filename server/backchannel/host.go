package backchannel

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// perHost is how many requests are under way to one host at once.
	perHost   = 4
	firstWait = 5 * time.Second
	mostWait  = 30 * time.Minute
	// busyWait is for a notice whose host has enough to do, after turnPatience.
	busyWait     = time.Second
	turnPatience = time.Second
	// manyHosts is when hosts that nothing is known of are forgotten.
	manyHosts = 1024
)

// backoff is how long to wait after the given number of attempts, one at least: twice as long each time, and spread, so that what
// failed together does not come back together.
func backoff(attempts int) time.Duration {
	wait := mostWait
	if doublings := max(attempts, 1) - 1; doublings < 16 {
		wait = min(firstWait<<doublings, mostWait)
	}
	return wait*3/4 + rand.N(wait/2)
}

// host is the server of one or more clients.
type host struct {
	// turns has a place for each request under way.
	turns chan struct{}
	// active are those that have a turn or wait for one. It, failures and until are guarded by hosts.mu.
	active int
	// failures counts those without an answer since the last answer, until is how long it is left alone after them.
	failures int
	until    time.Time
}

// hosts keeps those that don't answer from taking everything.
type hosts struct {
	mu    sync.Mutex
	known map[string]*host
}

// enter gives the host for one request, which ends with leave, failed or answered; or a time to wait before trying again. It waits
// a little for a turn: a host that answers quickly gets its many notices one after the other, a slow one has them put off.
func (h *hosts) enter(ctx context.Context, name string, now time.Time) (*host, time.Duration) {
	to, wait := h.find(name, now)
	if wait > 0 {
		return nil, wait
	}
	patience := time.NewTimer(turnPatience)
	defer patience.Stop()
	select {
	case to.turns <- struct{}{}:
		if wait := h.downFor(to, now); wait > 0 { // meanwhile
			h.leave(to)
			return nil, wait + rand.N(firstWait)
		}
		return to, 0
	case <-patience.C:
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	to.active--
	return nil, busyWait/2 + rand.N(busyWait)
}

func (h *hosts) find(name string, now time.Time) (*host, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.known) >= manyHosts {
		h.forget(now)
	}
	to := h.known[name]
	if to == nil {
		to = &host{turns: make(chan struct{}, perHost)}
		h.known[name] = to
	}
	if wait := to.until.Sub(now); wait > 0 {
		return nil, wait + rand.N(firstWait)
	}
	if to.failures > 0 && to.active > 0 {
		// One request finds out whether the host is back.
		return nil, busyWait/2 + rand.N(busyWait)
	}
	to.active++
	return to, 0
}

func (h *hosts) downFor(to *host, now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return to.until.Sub(now)
}

// forget drops the hosts that have nothing under way and need not be waited for.
func (h *hosts) forget(now time.Time) {
	for name, host := range h.known {
		if host.active == 0 && !host.until.After(now) {
			delete(h.known, name)
		}
	}
}

// leave ends a request that was not made.
func (h *hosts) leave(to *host) { h.end(to, func() {}) }

func (h *hosts) answered(to *host) {
	h.end(to, func() { to.failures, to.until = 0, time.Time{} })
}

// failed notes that there was no answer, and says how long to wait now.
func (h *hosts) failed(to *host, now time.Time) (wait time.Duration) {
	h.end(to, func() {
		to.failures++
		wait = backoff(to.failures)
		to.until = now.Add(wait)
	})
	return wait
}

func (h *hosts) end(to *host, note func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	<-to.turns
	to.active--
	note()
}
