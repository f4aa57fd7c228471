package postgres

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var outboxColumns = row.Names("", row.OutboxMessage)

// insertOutbox writes the messages of parameter n (see outboxMessages) unless they are there. It can be a CTE; where is
// a condition, for a write that depends on another one.
func insertOutbox(n int, where string) string {
	return strings.NewReplacer("$1", "$"+strconv.Itoa(n), "WHERE", where).Replace(`
	INSERT INTO outbox (` + outboxColumns + `)
	SELECT m.id, m.kind, decode(m.key, 'hex'), decode(m.payload, 'hex'), m.created_at, m.next_attempt_at, m.attempts, m.give_up_at, m.expires_at
	FROM jsonb_to_recordset($1::jsonb) AS m (id uuid, kind text, key text, payload text, created_at timestamptz,
		next_attempt_at timestamptz, attempts bigint, give_up_at timestamptz, expires_at timestamptz)
	WHERE ON CONFLICT (kind, key) DO NOTHING`)
}

// withMessages is a CTE that writes the messages of parameter n if the CTE changed has rows.
func withMessages(n int) string {
	return `, letters AS (` + insertOutbox(n, `WHERE EXISTS (SELECT FROM changed)`) + `)`
}

// outboxMessage is an OutboxMessage as insertOutbox reads it.
type outboxMessage struct {
	ID            storage.ID `json:"id"`
	Kind          string     `json:"kind"`
	Key           string     `json:"key"`
	Payload       string     `json:"payload"`
	CreatedAt     string     `json:"created_at"`
	NextAttemptAt string     `json:"next_attempt_at"`
	Attempts      int        `json:"attempts"`
	GiveUpAt      string     `json:"give_up_at"`
	ExpiresAt     string     `json:"expires_at"`
}

// outboxMessages returns the parameter of insertOutbox.
func outboxMessages(messages []*storage.OutboxMessage) string {
	list := make([]outboxMessage, 0, len(messages))
	for _, m := range messages {
		list = append(list, outboxMessage{
			m.ID, m.Kind, hex.EncodeToString(m.Key[:]), hex.EncodeToString(m.Payload), stamp(m.CreatedAt), stamp(m.NextAttemptAt), m.Attempts,
			stamp(m.GiveUpAt), stamp(m.ExpiresAt),
		})
	}
	return encoded(list)
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
	return queryRows(ctx, s, "claim outbox messages", scan(row.OutboxMessage), `
		WITH due AS (
			SELECT id AS due_id, next_attempt_at AS due_at FROM outbox WHERE kind = $4 AND next_attempt_at <= $1
			ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
		), claimed AS (
			UPDATE outbox SET next_attempt_at = $2, attempts = attempts + 1 FROM due WHERE id = due_id
			RETURNING `+outboxColumns+`, due_at
		)
		SELECT `+outboxColumns+` FROM claimed ORDER BY due_at, id`, at(now), at(now.Add(lease)), max(limit, 0), plain(kind))
}

// FinishOutboxMessage implements storage.Outbox.
func (s *Store) FinishOutboxMessage(ctx context.Context, id storage.ID, next ...*storage.OutboxMessage) error {
	return s.exec(ctx, "finish outbox message", `
		WITH next AS (`+insertOutbox(2, "")+`)
		UPDATE outbox SET payload = '', next_attempt_at = NULL WHERE id = $1`, uuid(id), outboxMessages(next))
}
