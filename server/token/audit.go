package token

import (
	"context"
	"fmt"
	"time"

	"latchkey/server/internal/audit"
	"latchkey/storage"
)

// event begins an audit event with what the request tells; the caller adds whom it is about, and calls audited when it was
// written.
func (s *Service) event(ctx context.Context, action, actor string, now time.Time) *storage.AuditEvent {
	return audit.EventAt(ctx, action, actor, now)
}

// audited counts an event that was written; nil is none.
func (s *Service) audited(e *storage.AuditEvent) {
	s.auditLog().Written(e)
}

func (s *Service) auditLog() *audit.Log {
	return &audit.Log{Store: s.store, Metrics: s.metrics, Now: s.clock}
}

// audit writes an event by itself.
func (s *Service) audit(ctx context.Context, e *storage.AuditEvent) error {
	return s.auditLog().Append(ctx, e)
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
