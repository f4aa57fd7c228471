package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	webhookColumns = row.Names("", row.Webhook)
	notifyWebhooks = notify(storage.ChangeWebhooks, "$2::text")
)

// CreateWebhook implements storage.Webhooks. Creations run one at a time, and each sees those before it.
func (s *Store) CreateWebhook(ctx context.Context, w *storage.Webhook, limit int, audit *storage.AuditEvent) error {
	stored := *w
	stored.Version = 1
	var n int64
	b := &pgx.Batch{}
	b.Queue(`SELECT pg_advisory_xact_lock('webhooks'::regclass::bigint)`)
	b.Queue(`
		WITH changed AS (
			INSERT INTO webhooks (`+webhookColumns+`) SELECT `+values(4, row.Webhook)+` WHERE (SELECT count(*) FROM webhooks) < $3 RETURNING id
		), `+notifyWebhooks+logChanged,
		append([]any{events(audit), w.ID.String(), int64(limit)}, row.Fields(arg, row.Webhook(&stored))...)...).QueryRow(scanTo(&n))
	if err := s.batch(ctx, "create webhook", b); err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("create webhook: %w", storage.ErrLimit)
	}
	w.Version = 1
	return nil
}

// UpdateWebhook implements storage.Webhooks.
func (s *Store) UpdateWebhook(ctx context.Context, w *storage.Webhook, audit *storage.AuditEvent) error {
	n, err := s.count(ctx, "update webhook", `
		WITH changed AS (
			UPDATE webhooks SET url = $4, name = $5, event_types = $6, secret = $7, previous_secret = $8, previous_secret_expires_at = $9,
				updated_at = $10, disabled_at = $11, disabled_reason = $12, cursor = greatest(cursor, $13), version = version + 1
			WHERE id = $2::text::uuid AND version = $3 RETURNING id
		), `+notifyWebhooks+logChanged,
		events(audit), w.ID.String(), w.Version, plain(w.URL), plain(w.Name), arg(&w.Types), w.Secret, w.PreviousSecret,
		at(w.PreviousSecretExpiresAt), at(w.UpdatedAt), at(w.DisabledAt), plain(w.DisabledReason), uuid(w.Cursor))
	switch {
	case err != nil:
		return err
	case n == 0:
		return fmt.Errorf("update webhook: %w", storage.ErrConflict)
	}
	w.Version++
	return nil
}

// RemoveWebhook implements storage.Webhooks.
func (s *Store) RemoveWebhook(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return s.execOne(ctx, "remove webhook", `
		WITH changed AS (
			DELETE FROM webhooks WHERE id = $2::text::uuid RETURNING id
		), waiting AS (
			DELETE FROM outbox WHERE kind = $3 AND EXISTS (SELECT FROM changed)
		), `+notifyWebhooks+logChanged, events(audit), id.String(), storage.WebhookKind(id))
}

// RelayWebhook implements storage.Webhooks.
func (s *Store) RelayWebhook(ctx context.Context, r storage.WebhookRelay) error {
	n, err := s.count(ctx, "relay webhook", `
		WITH changed AS (
			UPDATE webhooks SET relay_owner = $3, relay_until = $5, cursor = greatest(cursor, $6)
			WHERE id = $2 AND disabled_at IS NULL AND (relay_owner = $3 OR relay_owner IS NULL OR relay_until <= $4) RETURNING id
		), messages AS (`+insertOutbox(1, `WHERE EXISTS (SELECT FROM changed)`)+`)
		SELECT count(*) FROM changed`, outboxMessages(r.Messages), uuid(r.ID), uuid(r.Owner), at(r.Now), at(r.Until), uuid(r.Cursor))
	return unless(n > 0, err, "relay webhook", storage.ErrConflict)
}
