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

// RemoveWebhook implements storage.Webhooks.
func (s *Store) RemoveWebhook(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return s.execOne(ctx, "remove webhook", `
		WITH changed AS (
			DELETE FROM webhooks WHERE id = $2::text::uuid RETURNING id
		), waiting AS (
			DELETE FROM outbox WHERE kind = $3 AND EXISTS (SELECT FROM changed)
		), `+notifyWebhooks+logChanged, events(audit), id.String(), storage.WebhookKind(id))
}
