// Package alike implements the methods of storage.Store whose SQL is the same in both databases. Each database has those that it writes
// in its own way.
package alike

import (
	"context"
	"fmt"
	"slices"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// DB is a database. The parameters of its statements are $1, $2, …. An argument is a value, or a pointer to a field as in row.Column: then
// it is written as that field is.
type DB interface {
	// Keyed reports whether rows can have these texts as keys.
	Keyed(keys ...string) bool
	// Target returns what a field is scanned with.
	Target(field any) any
	// Read runs a statement that changes nothing, and lets a function read the answer, from its beginning at each attempt.
	Read(ctx context.Context, what string, read func(Rows) error, statement string, args ...any) error
	// Write is Read for a statement that changes rows.
	Write(ctx context.Context, what string, read func(Rows) error, statement string, args ...any) error
	// Exec runs a statement that returns nothing.
	Exec(ctx context.Context, what, statement string, args ...any) error
	// Change runs a statement that changes rows, and stores what belongs to the change if it has changed one.
	Change(ctx context.Context, c Change, statement string, args ...any) error
}

// Change is what a statement that changes rows brings about.
type Change struct {
	What string
	// Missing is the error if no row was changed; nil = none.
	Missing error
	// Kind and ID are what Watch reports; an empty kind is nothing.
	Kind storage.ChangeKind
	ID   string
	// Notices, Messages and Audit are stored. Audit may be nil.
	Notices  []*storage.LogoutNotice
	Messages []*storage.OutboxMessage
	Audit    *storage.AuditEvent
}

// Rows are those of an answer.
type Rows interface {
	Next() bool
	Scan(into ...any) error
}

// Methods are those of a storage.Store.
type Methods struct{ db DB }

// New returns the methods for a database.
func New(db DB) Methods { return Methods{db} }

// keyed reports whether rows can have the texts among the arguments, which are keys. Text that is none is given by a pointer.
func keyed(db DB, args []any) bool {
	return !slices.ContainsFunc(args, func(arg any) bool {
		key, ok := arg.(string)
		return ok && !db.Keyed(key)
	})
}

// list reads the columns of the rows that the rest of a SELECT selects: none where rows can't have a key.
func list[T any](ctx context.Context, db DB, what string, columns func(*T) []row.Column, from string, args ...any) (all []*T, err error) {
	if !keyed(db, args) {
		return nil, nil
	}
	err = db.Read(ctx, what, func(rows Rows) error {
		all = []*T{}
		for rows.Next() {
			v := new(T)
			if err := rows.Scan(row.Fields(db.Target, columns(v))...); err != nil {
				return err
			}
			all = append(all, v)
		}
		return nil
	}, `SELECT `+row.Names("", columns)+` `+from, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// one reads the columns of the row that the rest of a SELECT selects. ErrNotFound.
func one[T any](ctx context.Context, db DB, what string, columns func(*T) []row.Column, from string, args ...any) (*T, error) {
	v := new(T)
	if err := read(ctx, db, what, columns(v), from, args...); err != nil {
		return nil, err
	}
	return v, nil
}

// read is one for columns with fields of their own.
func read(ctx context.Context, db DB, what string, columns []row.Column, from string, args ...any) error {
	return first(ctx, db, db.Read, what, columns, `SELECT `+row.Join("", columns)+` `+from, args...)
}

// first runs a statement by Read or Write, and reads the first row that it returns. ErrNotFound.
func first(ctx context.Context, db DB, run func(context.Context, string, func(Rows) error, string, ...any) error,
	what string, columns []row.Column, statement string, args ...any,
) error {
	if !keyed(db, args) {
		return fmt.Errorf("%s: %w", what, storage.ErrNotFound)
	}
	return run(ctx, what, func(rows Rows) error {
		if !rows.Next() {
			return storage.ErrNotFound
		}
		return rows.Scan(row.Fields(db.Target, columns)...)
	}, statement, args...)
}

// change is Change where a row that can't have a key is missing, too.
func change(ctx context.Context, db DB, c Change, statement string, args ...any) error {
	if !keyed(db, args) {
		return fmt.Errorf("%s: %w", c.What, c.Missing)
	}
	return db.Change(ctx, c, statement, args...)
}

// insert stores a row; storable reports whether rows can have its texts.
func insert(ctx context.Context, db DB, what, table string, columns []row.Column, storable bool) error {
	if !storable {
		return fmt.Errorf("%s: %w", what, row.ErrText)
	}
	return db.Exec(ctx, what, row.Insert(table, columns), fields(columns)...)
}

// fields returns the fields of the columns as arguments.
func fields(columns []row.Column) []any {
	return row.Fields(func(field any) any { return field }, columns)
}
