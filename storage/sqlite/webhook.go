package sqlite

import (
	"context"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateWebhook implements [storage.Webhooks].
func (s *Store) CreateWebhook(ctx context.Context, w *storage.Webhook, limit int, audit *storage.AuditEvent) error {
	stored := *w
	stored.Version = 1
	err := s.write(ctx, "create webhook", func(t *tx) {
		t.room("webhooks", limit)
		t.insert("webhooks", row.Webhook(&stored))
		t.changed(storage.ChangeWebhooks)
		t.audit(audit)
	})
	if err == nil {
		w.Version = 1
	}
	return err
}

// UpdateWebhook implements [storage.Webhooks].
func (s *Store) UpdateWebhook(ctx context.Context, w *storage.Webhook, audit *storage.AuditEvent) error {
	err := s.write(ctx, "update webhook", func(t *tx) {
		t.execOr(storage.ErrConflict, `
			UPDATE webhooks SET url = ?, name = ?, event_types = ?, secret = ?, previous_secret = ?, previous_secret_expires_at = ?,
				updated_at = ?, disabled_at = ?, disabled_reason = ?, cursor = max(cursor, ?), version = version + 1
			WHERE id = ? AND version = ?`,
			row.Plain(w.URL), row.Plain(w.Name), field(&w.Types), w.Secret, w.PreviousSecret, micros(w.PreviousSecretExpiresAt),
			micros(w.UpdatedAt), micros(w.DisabledAt), row.Plain(w.DisabledReason), w.Cursor[:], w.ID[:], w.Version)
		t.changed(storage.ChangeWebhooks)
		t.audit(audit)
	})
	if err == nil {
		w.Version++
	}
	return err
}

// RemoveWebhook implements [storage.Webhooks].
func (s *Store) RemoveWebhook(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove webhook", func(t *tx) {
		t.execOr(storage.ErrNotFound, `DELETE FROM webhooks WHERE id = ?`, id[:])
		t.exec(`DELETE FROM outbox WHERE kind = ?`, storage.WebhookKind(id))
		t.changed(storage.ChangeWebhooks)
		t.audit(audit)
	})
}

// RelayWebhook implements [storage.Webhooks].
func (s *Store) RelayWebhook(ctx context.Context, r storage.WebhookRelay) error {
	return s.write(ctx, "relay webhook", func(t *tx) {
		t.execOr(storage.ErrConflict, `
			UPDATE webhooks SET relay_owner = ?1, relay_until = ?2, cursor = max(cursor, ?3)
			WHERE id = ?4 AND disabled_at IS NULL AND (relay_owner = ?1 OR relay_owner IS NULL OR relay_until <= ?5)`,
			r.Owner[:], r.Until.UnixMicro(), r.Cursor[:], r.ID[:], r.Now.UnixMicro())
		t.enqueue(r.Messages)
	})
}
