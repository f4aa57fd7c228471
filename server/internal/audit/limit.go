package audit

import (
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"latchkey/storage"
)

// The limits of events whose number others than the operator choose, per process.
const (
	// An action of one client: so many at once, and then one each interval.
	clientBurst, clientInterval = 20, 5 * time.Minute
	// An action of one user at one client, such as a login.
	userBurst, userInterval = 100, time.Minute
	// What no user stands for is limited besides by its network, and in all.
	networkBurst, networkInterval = 100, time.Minute
	allBurst, allInterval         = 200, 10 * time.Second

	// maxBuckets bounds the memory; beyond it everybody begins anew, within the limit of all.
	maxBuckets = 10_000
)

// limits counts events. The zero value is ready for use.
type limits struct {
	mu         sync.Mutex
	buckets    map[string]*rate.Limiter
	suppressed map[string]int
	since      time.Time
}

// allow reports whether an event may be written, and counts it if not.
func (l *limits) allow(e *storage.AuditEvent, network string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buckets == nil || len(l.buckets) >= maxBuckets {
		l.buckets = map[string]*rate.Limiter{"all": l.buckets["all"]}
	}
	own := e.Action + "\x00" + e.ClientID + "\x00" + strconv.FormatInt(e.UserID, 10)
	ok := true
	if e.UserID != 0 {
		ok = l.take("own "+own, userBurst, userInterval, now)
	} else {
		ok = l.take("own "+own, clientBurst, clientInterval, now) && l.take("network "+network, networkBurst, networkInterval, now) &&
			l.take("all", allBurst, allInterval, now)
	}
	if !ok {
		if l.suppressed == nil {
			l.suppressed, l.since = map[string]int{}, now
		}
		l.suppressed[e.Action]++
	}
	return ok
}

func (l *limits) take(key string, burst int, interval time.Duration, now time.Time) bool {
	b := l.buckets[key]
	if b == nil {
		b = rate.NewLimiter(rate.Every(interval), burst)
		l.buckets[key] = b
	}
	return b.AllowN(now, 1)
}
