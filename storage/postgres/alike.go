package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/alike"
)

// statements runs those of package alike.
type statements struct{ *Store }

// Keyed implements alike.DB.
func (s statements) Keyed(keys ...string) bool { return keyed(keys...) }

// Target implements alike.DB.
func (s statements) Target(field any) any { return target(field) }

// arguments returns what is sent for the arguments of a statement.
func (s statements) arguments(args []any) []any {
	sent := make([]any, len(args))
	for i, a := range args {
		sent[i] = arg(a)
	}
	return sent
}

// Read implements alike.DB.
func (s statements) Read(ctx context.Context, what string, read func(alike.Rows) error, statement string, args ...any) error {
	return s.do(ctx, what, func(ctx context.Context, conn *pgx.Conn) error {
		rows, _ := conn.Query(ctx, s.text(statement), s.arguments(args)...) // rows carries the error
		err := read(rows)
		rows.Close()
		if failed := rows.Err(); failed != nil {
			return failed
		}
		return err
	})
}

// Write implements alike.DB.
func (s statements) Write(ctx context.Context, what string, read func(alike.Rows) error, statement string, args ...any) error {
	return s.Read(ctx, what, read, statement, args...)
}

// Exec implements alike.DB.
func (s statements) Exec(ctx context.Context, what, statement string, args ...any) error {
	return s.exec(ctx, what, statement, s.arguments(args)...)
}

// Change implements alike.DB. A conflict is refused as one, and so nothing that was done has to be durable.
func (s statements) Change(ctx context.Context, c alike.Change, statement string, args ...any) error {
	sent := arguments(s.arguments(args))
	statement = `WITH changed AS (` + statement + ` RETURNING 1)`
	if c.Kind != "" {
		statement += `, ` + notify(c.Kind, sent.add(c.ID)+`::text`)
	}
	if len(c.Notices) > 0 {
		statement += withNotices(sent.add(logoutNotices(c.Notices)))
	}
	if len(c.Messages) > 0 {
		sent.add(outboxMessages(c.Messages))
		statement += withMessages(len(sent))
	}
	if c.Audit != nil {
		sent.add(events(c.Audit))
		statement += `, log AS (` + insertAuditOf(len(sent)) + ` WHERE EXISTS (SELECT FROM changed))`
	}
	run := s.change
	if errors.Is(c.Missing, storage.ErrConflict) {
		run = s.count
	}
	n, err := run(ctx, c.What, statement+` SELECT count(*) FROM changed`, sent...)
	return unless(n > 0, err, c.What, c.Missing)
}
