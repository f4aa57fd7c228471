package sqlite

import (
	"context"
	"strings"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// AppendAudit implements [storage.AuditEvents].
func (s *Store) AppendAudit(ctx context.Context, events ...*storage.AuditEvent) error {
	if len(events) == 0 {
		return nil
	}
	return s.write(ctx, "append audit events", func(t *tx) { t.audit(events...) })
}

var selectAudit = `SELECT ` + row.Names("", row.AuditEvent) + ` FROM audit_events WHERE `

// ListAudit implements [storage.AuditEvents].
func (s *Store) ListAudit(ctx context.Context, f storage.AuditFilter) ([]*storage.AuditEvent, error) {
	where, args := []string{`TRUE`}, []any(nil)
	and := func(condition string, arg any) { where, args = append(where, condition), append(args, arg) }
	if f.UserID != 0 {
		and(`user_id = ?`, f.UserID)
	}
	if f.ClientID != "" {
		and(`client_id = ?`, f.ClientID)
	}
	if !f.GrantID.IsZero() {
		and(`grant_id = ?`, f.GrantID[:])
	}
	if f.Action != "" {
		and(`action = ?`, f.Action)
	}
	if !f.Before.IsZero() {
		and(`id < ?`, f.Before[:])
	}
	order := ` ORDER BY id DESC LIMIT ?`
	if !f.After.IsZero() {
		and(`id > ?`, f.After[:])
		order = ` ORDER BY id LIMIT ?`
	}
	return readAll(ctx, s, "list audit events", scan(row.AuditEvent),
		selectAudit+strings.Join(where, ` AND `)+order, append(args, limit(f.Limit))...)
}
