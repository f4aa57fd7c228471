package postgres

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// target returns the pointer that pgx scans a field with.
func target(field any) any {
	switch p := field.(type) {
	case *storage.ID:
		return (*zeronull.UUID)(p)
	case *storage.TokenID:
		return (*zeronull.UUID)(p)
	case *row.Token:
		return (*zeronull.UUID)(p)
	case *time.Time:
		return (*instant)(p)
	case *storage.Digest:
		return (*digestTo)(p)
	case *[]string:
		return (*wordsTo)(p)
	case *row.Texts:
		return (*textsTo)(p)
	case *string:
		return (*zeronull.Text)(p)
	case *row.NullText:
		return (*zeronull.Text)(p)
	case *int64:
		return (*zeronull.Int8)(p)
	case *row.NullInt:
		return (*zeronull.Int8)(p)
	case *bool:
		return (*boolTo)(p)
	case *json.RawMessage:
		return (*[]byte)(p)
	}
	return field
}

// arg returns a field as the argument of a statement.
func arg(field any) any {
	switch p := field.(type) {
	case *storage.ID:
		return uuid(*p)
	case *storage.TokenID:
		return uuid(*p)
	case *row.Token:
		return pgtype.UUID{Bytes: *p, Valid: true}
	case *time.Time:
		return at(*p)
	case *storage.Digest:
		return digest(*p)
	case *[]string:
		return plain(strings.Join(*p, " "))
	case *row.Texts:
		return texts(*p)
	case *string:
		return plain(*p)
	case *int64:
		return *p
	case *row.NullInt:
		return zeronull.Int8(*p)
	case *row.NullText:
		return zeronull.Text(plain(string(*p)))
	case *bool:
		return *p
	case *json.RawMessage:
		return document(*p)
	case *storage.ScopeAt:
		return encoded(*p)
	}
	return field
}

// insert returns the INSERT of a row whose values are the parameters from first on.
func insert[T any](table string, first int, columns func(*T) []row.Column) string {
	return `INSERT INTO ` + table + ` (` + row.Names("", columns) + `) VALUES (` + values(first, columns) + `)`
}

// values returns the parameters of the columns: $first and those after it.
func values[T any](first int, columns func(*T) []row.Column) string {
	var list []string
	for range columns(new(T)) {
		list = append(list, `$`+strconv.Itoa(first+len(list)))
	}
	return strings.Join(list, ", ")
}

// scan returns the function that reads one row into a T.
func scan[T any](columns func(*T) []row.Column) pgx.RowToFunc[*T] {
	return func(r pgx.CollectableRow) (*T, error) {
		v := new(T)
		return v, r.Scan(row.Fields(target, columns(v))...)
	}
}

// queryRow reads the one row that a statement returns; storage.ErrNotFound if it returns none.
func queryRow[T any](ctx context.Context, s *Store, what string, scan pgx.RowToFunc[*T], statement string, args ...any) (v *T, err error) {
	err = s.do(ctx, what, func(ctx context.Context, conn *pgx.Conn) error {
		rows, _ := conn.Query(ctx, s.text(statement), args...) // rows carries the error
		v, err = pgx.CollectExactlyOneRow(rows, scan)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// queryRows reads all rows that a statement returns.
func queryRows[T any](ctx context.Context, s *Store, what string, scan pgx.RowToFunc[*T], statement string, args ...any) (list []*T, err error) {
	err = s.do(ctx, what, func(ctx context.Context, conn *pgx.Conn) error {
		rows, _ := conn.Query(ctx, s.text(statement), args...) // rows carries the error
		list, err = pgx.CollectRows(rows, scan)
		return err
	})
	return list, err
}

// readInto reads the values of the one row that a statement returns.
func (s *Store) readInto(ctx context.Context, what string, into []any, statement string, args ...any) error {
	return s.do(ctx, what, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, s.text(statement), args...).Scan(into...)
	})
}

// exec runs a statement that returns nothing.
func (s *Store) exec(ctx context.Context, what, statement string, args ...any) error {
	return s.do(ctx, what, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, s.text(statement), args...)
		return err
	})
}

// batch sends b in one round trip; Postgres runs it as one transaction.
func (s *Store) batch(ctx context.Context, what string, b *pgx.Batch) error {
	return s.do(ctx, what, func(ctx context.Context, conn *pgx.Conn) error { return s.send(ctx, conn, b) })
}

// send sends b over a connection or in a transaction. Each attempt sends a copy, since pgx keeps in a batch what one connection has prepared.
func (s *Store) send(ctx context.Context, to interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}, b *pgx.Batch,
) error {
	attempt := &pgx.Batch{}
	for _, q := range b.QueuedQueries {
		attempt.Queue(s.text(q.SQL), q.Arguments...).Fn = q.Fn
	}
	return to.SendBatch(ctx, attempt).Close()
}

// scanTo returns what reads the first row of a statement of a batch into a variable.
func scanTo(v any) func(pgx.Row) error { return func(r pgx.Row) error { return r.Scan(v) } }

// count runs a statement that returns one number.
func (s *Store) count(ctx context.Context, what, statement string, args ...any) (n int64, err error) {
	err = s.readInto(ctx, what, []any{&n}, statement, args...)
	return n, err
}

// change runs a write that returns the number of rows it changed; 0 means that all was done already, durably.
func (s *Store) change(ctx context.Context, what, statement string, args ...any) (n int64, err error) {
	n, err = s.count(ctx, what, statement, args...)
	return n, s.settled(ctx, what, n, err)
}

// execOne runs a statement that returns the number of rows it changed. ErrNotFound: none.
func (s *Store) execOne(ctx context.Context, what, statement string, args ...any) error {
	n, err := s.change(ctx, what, statement, args...)
	if err == nil && n == 0 {
		return translate(what, storage.ErrNotFound)
	}
	return err
}

// settled returns when everything that was committed before is as durable as the server's settings demand, if a write changed
// nothing (n is 0). Such a write had no commit that would have waited, and what it found done may be a commit that was refused to its
// caller because no standby had confirmed it.
func (s *Store) settled(ctx context.Context, what string, n int64, err error) error {
	if err != nil || n > 0 {
		return err
	}
	return s.exec(ctx, what, awaitStandbys)
}

// awaitStandbys makes the commit of its transaction wait for the standbys that the server's settings demand, if any.
const awaitStandbys = `SELECT pg_logical_emit_message(true, 'latchkey', '') WHERE current_setting('synchronous_standby_names') <> ''`
