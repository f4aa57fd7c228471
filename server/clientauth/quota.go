package clientauth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
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
	if !own.AllowN(now, 1) || !q.all.AllowN(now, 1) {
		return time.Second
	}
	return 0
}
