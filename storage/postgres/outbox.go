package postgres

import (
	"context"
	"strconv"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// insertOutbox writes the messages of parameter n (see outboxMessages) unless they are there. It can be a CTE; where is
// a condition, for a write that depends on another one.
func insertOutbox(n int, where string) string {
	return insertRecords("outbox", "$"+strconv.Itoa(n), row.OutboxMessage) + ` ` + where + ` ON CONFLICT (kind, key) DO NOTHING`
}

// withMessages is a CTE that writes the messages of parameter n if the CTE changed has rows.
func withMessages(n int) string {
	return `, letters AS (` + insertOutbox(n, `WHERE EXISTS (SELECT FROM changed)`) + `)`
}

// outboxMessages returns the parameter of insertOutbox.
func outboxMessages(messages []*storage.OutboxMessage) string {
	return records(messages, row.OutboxMessage)
}

// CreateOutboxMessages implements storage.Outbox.
func (s *Store) CreateOutboxMessages(ctx context.Context, messages ...*storage.OutboxMessage) error {
	if len(messages) == 0 {
		return nil
	}
	_, err := s.change(ctx, "create outbox messages",
		`WITH changed AS (`+insertOutbox(1, "")+` RETURNING id) SELECT count(*) FROM changed`, outboxMessages(messages))
	return err
}

// ClaimOutboxMessages implements storage.Outbox. Rows that another replica is claiming are skipped.
func (s *Store) ClaimOutboxMessages(ctx context.Context, kind string, now time.Time, lease time.Duration, limit int) ([]*storage.OutboxMessage, error) {
	return queryRows(ctx, s, "claim outbox messages", scan(row.OutboxMessage), claim("outbox", ` AND kind = $4`, row.OutboxMessage),
		at(now), at(now.Add(lease)), max(limit, 0), plain(kind))
}

// claim returns the statement that claims up to $3 rows of a table that are due at $1, until $2; more is another condition.
func claim[T any](table, more string, columns func(*T) []row.Column) string {
	names := row.Names("", columns)
	return `
		WITH due AS (
			SELECT id AS due_id, next_attempt_at AS due_at FROM ` + table + ` WHERE next_attempt_at <= $1` + more + `
			ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
		), claimed AS (
			UPDATE ` + table + ` SET next_attempt_at = $2, attempts = attempts + 1 FROM due WHERE id = due_id
			RETURNING ` + names + `, due_at
		)
		SELECT ` + names + ` FROM claimed ORDER BY due_at, id`
}

// FinishOutboxMessage implements storage.Outbox.
func (s *Store) FinishOutboxMessage(ctx context.Context, id storage.ID, next ...*storage.OutboxMessage) error {
	return s.exec(ctx, "finish outbox message", `
		WITH next AS (`+insertOutbox(2, "")+`)
		UPDATE outbox SET payload = '', next_attempt_at = NULL WHERE id = $1`, uuid(id), outboxMessages(next))
}
