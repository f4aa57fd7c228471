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
		var n int
		if t.row(`SELECT count(*) FROM webhooks`, nil, &n); n >= limit {
			t.fail(storage.ErrLimit)
		}
		t.insert("webhooks", row.Webhook(&stored))
		t.changed(storage.ChangeWebhooks)
		t.audit(audit)
	})
	if err == nil {
		w.Version = 1
	}
	return err
}

// ListWebhooks implements [storage.Webhooks].
func (s *Store) ListWebhooks(ctx context.Context) ([]*storage.Webhook, error) {
	return readAll(ctx, s, "list webhooks", scan(row.Webhook), `SELECT `+row.Names("", row.Webhook)+` FROM webhooks ORDER BY id`)
}

// UpdateWebhook implements [storage.Webhooks].
func (s *Store) UpdateWebhook(ctx context.Context, w *storage.Webhook, audit *storage.AuditEvent) error {
	err := s.write(ctx, "update webhook", func(t *tx) {
		t.execOr(storage.ErrConflict, `
			UPDATE webhooks SET url = ?, name = ?, event_types = ?, secret = ?, previous_secret = ?, previous_secret_expires_at = ?,
				updated_at = ?, disabled_at = ?, disabled_reason = ?, cursor = max(cursor, ?), version = version + 1
			WHERE id = ? AND version = ?`,
			plain(w.URL), plain(w.Name), field(&w.Types), w.Secret, w.PreviousSecret, micros(w.PreviousSecretExpiresAt),
			micros(w.UpdatedAt), micros(w.DisabledAt), plain(w.DisabledReason), w.Cursor[:], w.ID[:], w.Version)
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

// NoteWebhook implements [storage.Webhooks].
func (s *Store) NoteWebhook(ctx context.Context, o storage.WebhookOutcome, audit *storage.AuditEvent) error {
	return s.write(ctx, "note webhook", func(t *tx) {
		n := t.exec(`
			UPDATE webhooks SET last_attempt_at = ?1, last_status = ?2, last_error = ?3, abandoned = abandoned + ?4,
				last_success_at = CASE WHEN ?3 = '' THEN ?1 ELSE last_success_at END,
				failing_since = CASE WHEN ?3 = '' THEN NULL ELSE coalesce(failing_since, ?1) END
			WHERE id = ?5`, o.At.UnixMicro(), o.Status, plain(o.Error), o.Abandoned, o.ID[:])
		if n > 0 {
			t.audit(audit)
		}
	})
}
