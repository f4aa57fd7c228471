package sqlite

import (
	"context"

	"latchkey/storage"
)

// AppendAudit implements [storage.AuditEvents].
func (s *Store) AppendAudit(ctx context.Context, events ...*storage.AuditEvent) error {
	if len(events) == 0 {
		return nil
	}
	return s.write(ctx, "append audit events", func(t *tx) { t.audit(events...) })
}
