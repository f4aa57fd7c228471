package alike

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// RetryLogoutNotice implements storage.LogoutNotices.
func (m Methods) RetryLogoutNotice(ctx context.Context, id storage.ID, at time.Time) error {
	return m.db.Exec(ctx, "retry logout notice", `UPDATE logout_notices SET next_attempt_at = $1 WHERE id = $2`, &at, &id)
}

// FinishLogoutNotice implements storage.LogoutNotices.
func (m Methods) FinishLogoutNotice(ctx context.Context, id storage.ID) error {
	return m.db.Exec(ctx, "finish logout notice", `DELETE FROM logout_notices WHERE id = $1`, &id)
}

// RetryOutboxMessage implements storage.Outbox.
func (m Methods) RetryOutboxMessage(ctx context.Context, id storage.ID, at time.Time) error {
	return m.db.Exec(ctx, "retry outbox message", `UPDATE outbox SET next_attempt_at = $1 WHERE id = $2 AND next_attempt_at IS NOT NULL`, &at, &id)
}

// WaitingOutboxMessages implements storage.Outbox.
func (m Methods) WaitingOutboxMessages(ctx context.Context, kind string) (n int, since time.Time, err error) {
	err = read(ctx, m.db, "count outbox messages", []row.Column{{Name: "count(*)", Field: &n}, {Name: "min(created_at)", Field: &since}},
		`FROM outbox WHERE kind = $1 AND next_attempt_at IS NOT NULL`, kind)
	return n, since, err
}

// ListUndeliveredLetters implements storage.UndeliveredLetters.
func (m Methods) ListUndeliveredLetters(ctx context.Context, f storage.UndeliveredLetterFilter) ([]*storage.UndeliveredLetter, error) {
	var where row.Where
	where.And(!f.Before.IsZero(), `id < ?`, &f.Before)
	where.And(f.UserID != 0, `user_id = ?`, f.UserID)
	limit := where.Limit(f.Limit)
	return list(ctx, m.db, "list undelivered letters", row.UndeliveredLetter,
		`FROM undelivered_letters WHERE true`+where.Conditions+` ORDER BY id DESC`+limit, where.Args...)
}

// UndeliveredLetter implements storage.UndeliveredLetters.
func (m Methods) UndeliveredLetter(ctx context.Context, id storage.ID) (*storage.UndeliveredLetter, error) {
	return one(ctx, m.db, "read undelivered letter", row.UndeliveredLetter, `FROM undelivered_letters WHERE id = $1`, &id)
}

// RemoveUndeliveredLetter implements storage.UndeliveredLetters.
func (m Methods) RemoveUndeliveredLetter(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return change(ctx, m.db, Change{What: "remove undelivered letter", Missing: storage.ErrNotFound, Audit: audit}, `DELETE FROM undelivered_letters WHERE id = $1`, &id)
}

// CountUndeliveredLetters implements storage.UndeliveredLetters.
func (m Methods) CountUndeliveredLetters(ctx context.Context, since time.Time, limit int) (n int, err error) {
	var from storage.ID
	if !since.IsZero() {
		from = storage.FirstID(since)
	}
	err = read(ctx, m.db, "count undelivered letters", []row.Column{{Name: "count(*)", Field: &n}},
		`FROM (SELECT 1 FROM undelivered_letters WHERE id >= $1 LIMIT $2) AS found`, (*row.Token)(&from), max(limit, 0))
	return n, err
}

// ListWebhooks implements storage.Webhooks.
func (m Methods) ListWebhooks(ctx context.Context) ([]*storage.Webhook, error) {
	return list(ctx, m.db, "list webhooks", row.Webhook, `FROM webhooks ORDER BY id`)
}

// UpdateWebhook implements storage.Webhooks.
func (m Methods) UpdateWebhook(ctx context.Context, w *storage.Webhook, audit *storage.AuditEvent) error {
	err := change(ctx, m.db, Change{What: "update webhook", Missing: storage.ErrConflict, Kind: storage.ChangeWebhooks, ID: w.ID.String(), Audit: audit}, `
		UPDATE webhooks SET url = $1, name = $2, event_types = $3, secret = $4, previous_secret = $5, previous_secret_expires_at = $6,
			updated_at = $7, disabled_at = $8, disabled_reason = $9, cursor = CASE WHEN cursor < $10 THEN $10 ELSE cursor END, version = version + 1
		WHERE id = $11 AND version = $12`,
		&w.URL, &w.Name, &w.Types, w.Secret, w.PreviousSecret, &w.PreviousSecretExpiresAt, &w.UpdatedAt, &w.DisabledAt, &w.DisabledReason,
		&w.Cursor, &w.ID, w.Version)
	if err == nil {
		w.Version++
	}
	return err
}

// RelayWebhook implements storage.Webhooks.
func (m Methods) RelayWebhook(ctx context.Context, r storage.WebhookRelay) error {
	return change(ctx, m.db, Change{What: "relay webhook", Missing: storage.ErrConflict, Messages: r.Messages}, `
		UPDATE webhooks SET relay_owner = $1, relay_until = $2, cursor = CASE WHEN cursor < $3 THEN $3 ELSE cursor END
		WHERE id = $4 AND disabled_at IS NULL AND (relay_owner = $1 OR relay_owner IS NULL OR relay_until <= $5)`,
		&r.Owner, &r.Until, &r.Cursor, &r.ID, &r.Now)
}

// NoteWebhook implements storage.Webhooks.
func (m Methods) NoteWebhook(ctx context.Context, o storage.WebhookOutcome, audit *storage.AuditEvent) error {
	return m.db.Change(ctx, Change{What: "note webhook", Audit: audit}, `
		UPDATE webhooks SET last_attempt_at = $1, last_status = $2, last_error = $3, abandoned = abandoned + $4,
			last_success_at = CASE WHEN CAST($3 AS text) = '' THEN $1 ELSE last_success_at END,
			failing_since = CASE WHEN CAST($3 AS text) = '' THEN NULL ELSE coalesce(failing_since, $1) END
		WHERE id = $5`, &o.At, o.Status, &o.Error, o.Abandoned, &o.ID)
}

// ListAudit implements storage.AuditEvents.
func (m Methods) ListAudit(ctx context.Context, f storage.AuditFilter) ([]*storage.AuditEvent, error) {
	var where row.Where
	where.And(f.UserID != 0, `user_id = ?`, f.UserID)
	where.And(f.ClientID != "", `client_id = ?`, f.ClientID)
	where.And(!f.GrantID.IsZero(), `grant_id = ?`, &f.GrantID)
	where.And(f.Action != "", `action = ?`, f.Action)
	where.And(!f.Before.IsZero(), `id < ?`, &f.Before)
	where.And(!f.After.IsZero(), `id > ?`, &f.After)
	order := ` ORDER BY id DESC`
	if !f.After.IsZero() {
		order = ` ORDER BY id`
	}
	limit := where.Limit(f.Limit)
	return list(ctx, m.db, "list audit events", row.AuditEvent, `FROM audit_events WHERE true`+where.Conditions+order+limit, where.Args...)
}

// ListEventCounts implements storage.EventCounts.
func (m Methods) ListEventCounts(ctx context.Context, from time.Time) ([]*storage.EventCount, error) {
	return list(ctx, m.db, "list event counts", row.EventCount, `FROM event_counts WHERE hour >= $1 ORDER BY hour, action`, &from)
}

// ListReplicas implements storage.Replicas.
func (m Methods) ListReplicas(ctx context.Context) ([]*storage.Replica, error) {
	return list(ctx, m.db, "list replicas", row.Replica, `FROM replicas ORDER BY started_at, id`)
}

// RemoveReplica implements storage.Replicas.
func (m Methods) RemoveReplica(ctx context.Context, id storage.ID) error {
	return m.db.Exec(ctx, "touch replica that stops", `DELETE FROM replicas WHERE id = $1`, &id)
}
