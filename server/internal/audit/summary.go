package audit

import (
	"context"
	"time"
)

// ActionSuppressed is the action of the events that Summarise writes.
const ActionSuppressed = "audit_events_suppressed"

// SummaryInterval is how often Run writes what was suppressed.
const SummaryInterval = 10 * time.Minute

const summaryTimeout = 5 * time.Second

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
	e.Details = Details(map[string]any{"since": since.UTC().Truncate(time.Second), "actions": suppressed})
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
