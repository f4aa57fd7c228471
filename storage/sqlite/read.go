package sqlite

import (
	"context"
	"database/sql"

	"latchkey/storage"
	"latchkey/storage/internal/row"
	"latchkey/storage/span"
)

// reader returns the connections that read.
func (s *Store) reader(ctx context.Context) conn {
	return conn{ctx: ctx, prepare: s.prepareRead}
}

func (s *Store) prepareRead(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := s.prepared.Load(query); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := s.readDB.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if other, loaded := s.prepared.LoadOrStore(query, stmt); loaded {
		stmt.Close()
		return other.(*sql.Stmt), nil
	}
	return stmt, nil
}

// readOne reads one row on one of the readers.
func readOne[T any](ctx context.Context, s *Store, what string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	ctx, traced := span.Start(ctx, what, system)
	v, err := one(s.reader(ctx), scan, query, args...)
	return v, finish(traced, what, err)
}

// readAll reads every row on one of the readers.
func readAll[T any](ctx context.Context, s *Store, what string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	ctx, traced := span.Start(ctx, what, system)
	list, err := all(s.reader(ctx), scan, query, args...)
	return list, finish(traced, what, err)
}

// found returns nil for a user who was read together with another row and does not exist.
func found(u *storage.User) *storage.User {
	if u.ID == 0 {
		return nil
	}
	return u
}

// joinedUser returns the columns of the user u of another row; all are NULL if the user was removed.
func joinedUser(columns func(*storage.User) []row.Column) string { return row.Names("u.", columns) }
