package token

import (
	"context"
	"time"

	"latchkey/server/internal/request"
	"latchkey/storage"
)

// event begins an audit event with what the request tells; the caller adds whom it is about.
func (s *Service) event(ctx context.Context, action, actor string, now time.Time) *storage.AuditEvent {
	info := request.From(ctx)
	e := &storage.AuditEvent{ID: storage.NewID(now), At: now, Action: action, Actor: actor, RequestID: info.ID}
	if info.Address.IsValid() {
		e.Address = info.Address.String()
	}
	s.metrics.Audit.WithLabelValues(action).Inc()
	return e
}
