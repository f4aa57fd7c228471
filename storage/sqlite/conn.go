package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"latchkey/storage"
	"latchkey/storage/internal/alike"
	"latchkey/storage/internal/row"
	"latchkey/storage/span"
)

// system names the database in traces.
var system = attribute.String("db.system.name", "sqlite")

// conn runs statements, each prepared once: on the writer within its transaction, or on one of the readers.
type conn struct {
	ctx     context.Context
	prepare func(ctx context.Context, query string) (*sql.Stmt, error)
}

// scanner is one row of an answer.
type scanner interface {
	Scan(dest ...any) error
}

// exec runs a statement and returns how many rows it wrote.
func (c conn) exec(query string, args ...any) (int64, error) {
	stmt, err := c.prepare(c.ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(c.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row reads one row, or fails with sql.ErrNoRows.
func (c conn) row(query string, args []any, dest ...any) error {
	stmt, err := c.prepare(c.ctx, query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(c.ctx, args...).Scan(dest...)
}

// isNoRow reports whether row or one found nothing.
func isNoRow(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// scan returns the function that reads one row into a T.
func scan[T any](columns func(*T) []row.Column) func(scanner) (*T, error) {
	return func(r scanner) (*T, error) {
		v := new(T)
		if err := r.Scan(row.Fields(field, columns(v))...); err != nil {
			return nil, err
		}
		return v, nil
	}
}

// value reads a row of one value.
func value[T any](r scanner) (v T, err error) {
	err = r.Scan(&v)
	return v, err
}

// one reads one row.
func one[T any](c conn, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	stmt, err := c.prepare(c.ctx, query)
	if err != nil {
		var zero T
		return zero, err
	}
	return scan(stmt.QueryRowContext(c.ctx, args...))
}

// all reads every row.
func all[T any](c conn, scan func(scanner) (T, error), query string, args ...any) (list []T, err error) {
	err = c.each(func(rows alike.Rows) error {
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			list = append(list, v)
		}
		return nil
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// each lets a function read the rows of an answer. An answer that was cut short is an error, whatever the function makes of it.
func (c conn) each(read func(alike.Rows) error, query string, args ...any) error {
	stmt, err := c.prepare(c.ctx, query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(c.ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	err = read(rows)
	if failed := rows.Err(); failed != nil {
		return failed
	}
	return err
}

// finish ends the span of an operation and returns its error, interpreted.
func finish(traced trace.Span, what string, err error) error {
	err = interpret(what, err)
	if storage.Failed(err) {
		span.Fail(traced)
	}
	traced.End()
	return err
}
