package token

import (
	"context"
	"fmt"
	"time"

	"latchkey/server/internal/request"
	"latchkey/storage"
)

// event begins an audit event with what the request tells; the caller adds whom it is about, and calls audited when it was
// written.
func (s *Service) event(ctx context.Context, action, actor string, now time.Time) *storage.AuditEvent {
	info := request.From(ctx)
	e := &storage.AuditEvent{ID: storage.NewID(now), At: now, Action: action, Actor: actor, RequestID: info.ID}
	if info.Address.IsValid() {
		e.Address = info.Address.String()
	}
	return e
}

// audited counts an event that was written; nil is none.
func (s *Service) audited(e *storage.AuditEvent) {
	if e != nil {
		s.metrics.Audit.WithLabelValues(e.Action).Inc()
	}
}

// audit writes an event by itself.
func (s *Service) audit(ctx context.Context, e *storage.AuditEvent) error {
	if err := s.store.AppendAudit(ctx, e); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	s.audited(e)
	return nil
}

// revoke ends a grant; the event is written if this is what ended it.
func (s *Service) revoke(ctx context.Context, grant storage.ID, reason string, e *storage.AuditEvent) error {
	ended, err := s.store.RevokeGrant(ctx, grant, reason, e.At, e)
	if err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	if ended {
		s.audited(e)
	}
	return nil
}
