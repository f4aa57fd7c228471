package audit

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"latchkey/server/internal/request"
	"latchkey/storage"
)

// ActionSuppressed is the action of the events that Summarise writes.
const ActionSuppressed = "audit_events_suppressed"

// The limits of events whose number others than the operator choose, per process.
const (
	// An action of one client: so many at once, and then one each interval.
	clientBurst, clientInterval = 20, 5 * time.Minute
	// An action of one user at one client, such as a login.
	userBurst, userInterval = 100, time.Minute
	// What no user stands for is limited besides by its network, and in all.
	networkBurst, networkInterval = 100, time.Minute
	allBurst, allInterval         = 200, 10 * time.Second

	// SummaryInterval is how often Run writes what was suppressed.
	SummaryInterval = 10 * time.Minute
	// maxBuckets bounds the memory; beyond it everybody begins anew, within the limit of all.
	maxBuckets     = 10_000
	summaryTimeout = 5 * time.Second
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

// Limited returns the event if it may be written, and nil, which is written nowhere, if there were too many like it of late. Every event
// whose number is chosen by others than the operator goes through it: the trail is kept for long, and must not fill the disk.
func (l *Log) Limited(ctx context.Context, e *storage.AuditEvent) *storage.AuditEvent {
	network, _ := request.From(ctx).WideNetwork()
	if l.limits.allow(e, network, l.Now()) {
		return e
	}
	if l.Metrics != nil {
		l.Metrics.AuditSuppressed.WithLabelValues(e.Action).Inc()
	}
	return nil
}

// Summarise writes one event with the number of those that were suppressed since the last one, by action; none if there were none.
func (l *Log) Summarise(ctx context.Context) error {
	l.limits.mu.Lock()
	suppressed, since := l.limits.suppressed, l.limits.since
	l.limits.suppressed = nil
	l.limits.mu.Unlock()
	if len(suppressed) == 0 {
		return nil
	}
	e := l.Event(ctx, ActionSuppressed, "server")
	e.Details, _ = json.Marshal(map[string]any{"since": since.UTC().Truncate(time.Second), "actions": suppressed})
	return l.Append(ctx, e)
}

// Run summarises each SummaryInterval, and once more when ctx ends.
func (l *Log) Run(ctx context.Context) {
	tick := time.NewTicker(SummaryInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), summaryTimeout)
		_ = l.Summarise(bounded) // the metric has the number
		cancel()
	}
}
