package backchannel

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"latchkey/server/internal/outbox"
)

const (
	// perHost is how many requests are under way to one host at once.
	perHost = 4
	// busyWait is the delay for a notice whose host had no free slot for turnPatience.
	busyWait     = time.Second
	turnPatience = time.Second
	// manyHosts is the number of hosts from which on idle ones are forgotten.
	manyHosts = 1024
)

// host is the state of a server of one or more clients.
type host struct {
	// turns limits the requests in progress.
	turns chan struct{}
	// active counts the requests that have a turn or wait for one. hosts.mu guards active, failures and until.
	active int
	// failures counts the attempts without a response since the last response. The host gets no requests before until.
	failures int
	until    time.Time
}

// hosts limits requests per host, so that hosts that don't respond do not take all slots.
type hosts struct {
	mu    sync.Mutex
	known map[string]*host
}

// enter returns the host for one request, which must end with leave, failed or answered; or a delay after which to retry. It
// waits up to turnPatience for a turn, so that a fast host gets many notices one after the other, while those of a slow host are
// postponed.
func (h *hosts) enter(ctx context.Context, name string, now time.Time) (*host, time.Duration) {
	to, wait := h.find(name, now)
	if wait > 0 {
		return nil, wait
	}
	if to.takeTurn(ctx) {
		if wait := h.downFor(to, now); wait > 0 { // it has failed in the meantime
			h.leave(to)
			return nil, wait + rand.N(outbox.FirstWait)
		}
		return to, 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	to.active--
	return nil, busyWait/2 + rand.N(busyWait)
}

// takeTurn waits up to turnPatience for a turn and reports whether there was one. A turn that is free at once is taken however long this
// goroutine has to wait for a processor.
func (to *host) takeTurn(ctx context.Context) bool {
	select {
	case to.turns <- struct{}{}:
		return true
	default:
	}
	patience := time.NewTimer(turnPatience)
	defer patience.Stop()
	select {
	case to.turns <- struct{}{}:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
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
		return nil, wait + rand.N(outbox.FirstWait)
	}
	if to.failures > 0 && to.active > 0 {
		// A single request probes whether the host responds again.
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

// forget removes hosts without requests in progress and without a delay.
func (h *hosts) forget(now time.Time) {
	for name, host := range h.known {
		if host.active == 0 && !host.until.After(now) {
			delete(h.known, name)
		}
	}
}

// leave ends a request that was not sent.
func (h *hosts) leave(to *host) { h.end(to, func() {}) }

func (h *hosts) answered(to *host) {
	h.end(to, func() { to.failures, to.until = 0, time.Time{} })
}

// failed records that there was no response, and returns the delay before the next attempt.
func (h *hosts) failed(to *host, now time.Time) (wait time.Duration) {
	h.end(to, func() {
		to.failures++
		wait = outbox.Backoff(to.failures)
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
