package clientauth

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"latchkey/clients"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
)

// The limits of the rows that clients which anyone can register make this server store, per process: identifiers of assertions and proofs,
// and revoked access tokens without a session. These rows live for minutes, or as long as an access token.
const (
	quotaBurst, quotaRate       = 200, 20 // of one network, an IPv4 /24 or an IPv6 /48; the rate is by the second
	quotaAllBurst, quotaAllRate = 2000, 200
	// quotaNetworks bounds the memory; beyond it all networks begin anew, within the limit of all.
	quotaNetworks = 10_000
)

// quota counts rows. The zero value is ready for use.
type quota struct {
	mu       sync.Mutex
	networks map[string]*rate.Limiter
	all      *rate.Limiter
}

// take takes one row, and returns zero or how long until there is one again.
func (q *quota) take(network string, now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil {
		q.all = rate.NewLimiter(quotaAllRate, quotaAllBurst)
	}
	if q.networks == nil || len(q.networks) >= quotaNetworks {
		q.networks = make(map[string]*rate.Limiter)
	}
	own := q.networks[network]
	if own == nil {
		own = rate.NewLimiter(quotaRate, quotaBurst)
		q.networks[network] = own
	}
	if !own.AllowN(now, 1) {
		return time.Second
	}
	if !q.all.AllowN(now, 1) {
		return time.Second
	}
	return 0
}

// AllowRow returns nil if a client may make the server store one more short-lived row now: always, if the operator has added or verified
// it. Otherwise the error is a *protocol.Error with status 429 while its network stores too many.
func (a *Authenticator) AllowRow(ctx context.Context, c *clients.Client) error {
	if !c.Unverified() {
		return nil
	}
	network, _ := request.From(ctx).WideNetwork()
	if wait := a.quota.take(network, a.cfg.Now()); wait > 0 {
		return protocol.Throttled(wait, "Too many requests of unverified clients from this network. Try again later; the operator can set verified for the client.")
	}
	return nil
}
