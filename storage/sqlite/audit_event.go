package sqlite

import (
	"context"
	"encoding/json"
	"strings"

	"latchkey/storage"
)

// AppendAudit implements [storage.AuditEvents].
func (s *Store) AppendAudit(ctx context.Context, events ...*storage.AuditEvent) error {
	if len(events) == 0 {
		return nil
	}
	return s.write(ctx, "append audit events", func(c conn) error { return c.audit(events...) })
}

// audit writes the events that are there.
func (c conn) audit(events ...*storage.AuditEvent) error {
	for _, e := range events {
		if e == nil {
			continue
		}
		var user any
		if e.UserID != 0 {
			user = e.UserID
		}
		_, err := c.exec(`
			INSERT INTO audit_events (id, at, action, actor, user_id, client_id, grant_id, address, request_id, outcome, reason, details)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			e.ID[:], micros(e.At), plain(e.Action), plain(e.Actor), user, text(plain(e.ClientID)), id(e.GrantID), plain(e.Address),
			plain(e.RequestID), plain(e.Outcome), plain(e.Reason), text(plain(string(e.Details))))
		if err != nil {
			return err
		}
	}
	return nil
}

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
	list, err := all(s.reader(ctx), scanAuditEvent, `
		SELECT id, at, action, actor, coalesce(user_id, 0), coalesce(client_id, ''), grant_id, address, request_id,
			outcome, reason, coalesce(details, '')
		FROM audit_events WHERE `+strings.Join(where, ` AND `)+` ORDER BY id DESC LIMIT ?`, append(args, limit(f.Limit))...)
	return list, interpret("list audit events", err)
}

func scanAuditEvent(row scanner) (*storage.AuditEvent, error) {
	var e storage.AuditEvent
	var details string
	err := row.Scan(bytesTo(e.ID[:]), timeTo(&e.At), &e.Action, &e.Actor, &e.UserID, &e.ClientID, bytesTo(e.GrantID[:]),
		&e.Address, &e.RequestID, &e.Outcome, &e.Reason, &details)
	if err != nil {
		return nil, err
	}
	if details != "" {
		e.Details = json.RawMessage(details)
	}
	return &e, nil
}
