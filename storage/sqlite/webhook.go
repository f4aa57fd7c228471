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

// RemoveWebhook implements [storage.Webhooks].
func (s *Store) RemoveWebhook(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove webhook", func(t *tx) {
		t.execOr(storage.ErrNotFound, `DELETE FROM webhooks WHERE id = ?`, id[:])
		t.exec(`DELETE FROM outbox WHERE kind = ?`, storage.WebhookKind(id))
		t.changed(storage.ChangeWebhooks)
		t.audit(audit)
	})
}
