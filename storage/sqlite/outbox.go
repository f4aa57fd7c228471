package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var outboxColumns = row.Names("", row.OutboxMessage)

// CreateOutboxMessages implements [storage.Outbox].
func (s *Store) CreateOutboxMessages(ctx context.Context, messages ...*storage.OutboxMessage) error {
	if len(messages) == 0 {
		return nil
	}
	return s.write(ctx, "create outbox messages", func(t *tx) { t.enqueue(messages) })
}

// enqueue stores messages, except those that are there.
func (t *tx) enqueue(messages []*storage.OutboxMessage) {
	for _, m := range messages {
		if !t.row(`SELECT 1 FROM outbox WHERE kind = ? AND key = ?`, []any{m.Kind, m.Key[:]}, new(int)) {
			t.insert("outbox", row.OutboxMessage(m))
		}
	}
}

// ClaimOutboxMessages implements [storage.Outbox]. It is called often and rarely finds a message, so it looks before it locks the file.
func (s *Store) ClaimOutboxMessages(ctx context.Context, kind string, now time.Time, lease time.Duration, limit int) ([]*storage.OutboxMessage, error) {
	due := func(c conn, limit int) ([]*storage.OutboxMessage, error) {
		return all(c, scan(row.OutboxMessage), `SELECT `+outboxColumns+` FROM outbox
			WHERE kind = ?1 AND next_attempt_at <= ?2 ORDER BY next_attempt_at, id LIMIT ?3`, kind, now.UnixMicro(), max(limit, 0))
	}
	if some, err := due(s.reader(ctx), min(limit, 1)); err != nil || len(some) == 0 {
		return nil, interpret("claim outbox messages", err)
	}
	until := time.UnixMicro(now.Add(lease).UnixMicro()).UTC()
	var claimed []*storage.OutboxMessage
	err := s.write(ctx, "claim outbox messages", func(t *tx) {
		if claimed, t.err = due(t.conn, limit); t.err != nil {
			return
		}
		for _, m := range claimed {
			m.NextAttemptAt, m.Attempts = until, m.Attempts+1
			t.exec(`UPDATE outbox SET next_attempt_at = ?, attempts = ? WHERE id = ?`, micros(until), m.Attempts, m.ID[:])
		}
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// RetryOutboxMessage implements [storage.Outbox].
func (s *Store) RetryOutboxMessage(ctx context.Context, id storage.ID, at time.Time) error {
	return s.write(ctx, "retry outbox message", func(t *tx) {
		t.exec(`UPDATE outbox SET next_attempt_at = ? WHERE id = ? AND next_attempt_at IS NOT NULL`, at.UnixMicro(), id[:])
	})
}

// FinishOutboxMessage implements [storage.Outbox].
func (s *Store) FinishOutboxMessage(ctx context.Context, id storage.ID, next ...*storage.OutboxMessage) error {
	return s.write(ctx, "finish outbox message", func(t *tx) {
		t.exec(`UPDATE outbox SET payload = x'', next_attempt_at = NULL WHERE id = ?`, id[:])
		t.enqueue(next)
	})
}

// WaitingOutboxMessages implements [storage.Outbox].
func (s *Store) WaitingOutboxMessages(ctx context.Context, kind string) (n int, since time.Time, err error) {
	err = s.read(ctx, "count outbox messages", func(t *tx) {
		t.row(`SELECT count(*), min(created_at) FROM outbox WHERE kind = ? AND next_attempt_at IS NOT NULL`, []any{kind}, &n, field(&since))
	})
	return n, since, err
}
