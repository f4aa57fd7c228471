package sqlite

import (
	"context"
	"strconv"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

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

// ClaimOutboxMessages implements [storage.Outbox].
func (s *Store) ClaimOutboxMessages(ctx context.Context, kind string, now time.Time, lease time.Duration, limit int) ([]*storage.OutboxMessage, error) {
	until := time.UnixMicro(now.Add(lease).UnixMicro()).UTC()
	return claim(ctx, s, "claim outbox messages", "outbox", row.OutboxMessage, kind, now, until, limit, func(m *storage.OutboxMessage) {
		m.NextAttemptAt, m.Attempts = until, m.Attempts+1
	})
}

// claim returns up to limit rows that are due, of one kind if the table has kinds, and says in the table that they are tried again at until;
// claimed says so in what is returned. It is called often and rarely finds a row, so it looks before it locks the file.
func claim[T any](ctx context.Context, s *Store, what, table string, columns func(*T) []row.Column, kind string, now, until time.Time, limit int,
	claimed func(*T),
) ([]*T, error) {
	where := row.Where{Args: []any{now.UnixMicro(), max(limit, 0)}}
	where.And(kind != "", `kind = ?`, kind)
	due := ` FROM ` + table + ` WHERE next_attempt_at <= $1` + where.Conditions + ` ORDER BY next_attempt_at, id LIMIT $2`
	some, err := one(s.reader(ctx), value[bool], `SELECT EXISTS (SELECT 1`+due+`)`, where.Args...)
	if err != nil || !some {
		return nil, interpret(what, err)
	}
	return writeFor(ctx, s, what, func(t *tx) []*T {
		list, err := all(t.conn, scan(columns), `SELECT `+row.Names("", columns)+due, where.Args...)
		t.check(err == nil, err)
		for _, v := range list {
			claimed(v)
		}
		args := append(where.Args, until.UnixMicro())
		t.exec(`UPDATE `+table+` SET next_attempt_at = $`+strconv.Itoa(len(args))+`, attempts = attempts + 1 WHERE id IN (SELECT id`+due+`)`, args...)
		return list
	})
}

// FinishOutboxMessage implements [storage.Outbox].
func (s *Store) FinishOutboxMessage(ctx context.Context, id storage.ID, next ...*storage.OutboxMessage) error {
	return s.write(ctx, "finish outbox message", func(t *tx) {
		t.exec(`UPDATE outbox SET payload = x'', next_attempt_at = NULL WHERE id = ?`, id[:])
		t.enqueue(next)
	})
}
