package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"latchkey/server/internal/metrics"
	"latchkey/server/internal/request"
	"latchkey/storage"
)

// Store is what a Log uses of storage.Store.
type Store interface {
	AppendAudit(ctx context.Context, events ...*storage.AuditEvent) error
}

// Log is the audit trail.
type Log struct {
	Store Store
	// Metrics counts the events that were written; it may be nil.
	Metrics *metrics.Metrics
	Now     func() time.Time

	limits  limits
	pending sync.WaitGroup // events of refusals that are being written
}

// Event returns an event of the present time, as EventAt does.
func (l *Log) Event(ctx context.Context, action, actor string) *storage.AuditEvent {
	return EventAt(ctx, action, actor, l.Now().UTC().Truncate(time.Microsecond))
}

// EventAt returns an event of success, with the id and the address of the request that ctx belongs to. The caller adds the
// user, the client and the grant, and writes it: with Append, or in the statement that makes the change, followed by Written.
func EventAt(ctx context.Context, action, actor string, at time.Time) *storage.AuditEvent {
	e := storage.NewAuditEvent(action, actor, at)
	Stamp(ctx, e)
	return e
}

// Stamp sets what an event says of the request that ctx belongs to: its id, the address, and the person or client that acts in the operator's name.
func Stamp(ctx context.Context, e *storage.AuditEvent) {
	from := request.From(ctx)
	e.RequestID, e.Address, e.ActorID = from.ID, from.AddressText(), from.Operator
}

// Details returns the details of an event, which have texts, numbers and times.
func Details(of any) json.RawMessage {
	raw, err := json.Marshal(of)
	if err != nil {
		panic(err)
	}
	return raw
}

// Append writes an event in a statement of its own, and counts it. A nil event is not written.
func (l *Log) Append(ctx context.Context, e *storage.AuditEvent) error {
	if e == nil {
		return nil
	}
	if err := l.Store.AppendAudit(ctx, e); err != nil {
		return fmt.Errorf("write audit event %s: %w", e.Action, err)
	}
	l.Written(e)
	return nil
}

// Written counts an event that was written in the statement of another change. A nil event is not counted.
func (l *Log) Written(e *storage.AuditEvent) {
	if e != nil && l.Metrics != nil {
		l.Metrics.Audit.WithLabelValues(e.Action).Inc()
	}
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
