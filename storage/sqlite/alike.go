package sqlite

import (
	"context"

	"latchkey/storage/internal/alike"
)

// statements runs those of package alike.
type statements struct{ *Store }

// methods returns those of package alike.
func (s *Store) methods() alike.Methods { return alike.New(statements{s}) }

// Keyed implements alike.DB.
func (s statements) Keyed(keys ...string) bool { return keyed(keys...) }

// Target implements alike.DB.
func (s statements) Target(p any) any { return field(p) }

// arguments returns what is stored for the arguments of a statement.
func (s statements) arguments(args []any) []any {
	stored := make([]any, len(args))
	for i, arg := range args {
		stored[i] = field(arg)
	}
	return stored
}

// Read implements alike.DB.
func (s statements) Read(ctx context.Context, what string, read func(alike.Rows) error, statement string, args ...any) error {
	return s.read(ctx, what, func(t *tx) { t.err = t.conn.each(read, statement, s.arguments(args)...) })
}

// Write implements alike.DB.
func (s statements) Write(ctx context.Context, what string, read func(alike.Rows) error, statement string, args ...any) error {
	return s.write(ctx, what, func(t *tx) { t.err = t.conn.each(read, statement, s.arguments(args)...) })
}

// Exec implements alike.DB.
func (s statements) Exec(ctx context.Context, what, statement string, args ...any) error {
	return s.write(ctx, what, func(t *tx) { t.exec(statement, s.arguments(args)...) })
}

// Change implements alike.DB.
func (s statements) Change(ctx context.Context, c alike.Change, statement string, args ...any) error {
	return s.write(ctx, c.What, func(t *tx) {
		if t.exec(statement, s.arguments(args)...) == 0 {
			t.fail(c.Missing)
			return
		}
		if c.Kind != "" {
			t.changed(c.Kind)
		}
		t.notices(c.Notices)
		t.enqueue(c.Messages)
		t.audit(c.Audit)
	})
}
