package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/postgres"
)

// Query is a query of the site's own about a user: at most one row, each column a claim.
type Query struct {
	db      *sql.DB
	text    string
	timeout time.Duration
	columns []string
}

// maxRow is the size in bytes of what a query says of one user: tokens travel in headers.
const maxRow = 8 << 10

// NewQuery returns a Query for Postgres whose one parameter is the user's key. Check must succeed before it is asked.
func NewQuery(db *sql.DB, text string, timeout time.Duration) *Query {
	if timeout <= 0 {
		timeout = time.Second
	}
	// As a part of another query it can't write, and Postgres makes JSON of its columns. The line break ends a comment.
	return &Query{db: db, text: strings.TrimRight(strings.TrimSpace(text), "; \n\t"), timeout: timeout}
}

// NewQuery returns a query in the database that has Django's tables.
func (s *Store) NewQuery(text string, timeout time.Duration) *Query {
	return NewQuery(s.source.db, text, timeout)
}

func (q *Query) row() string { return "SELECT row_to_json(q)::text FROM (" + q.text + "\n) q LIMIT 2" }

// QueryError is a query that can't be used.
type QueryError struct{ Problem string }

func (e *QueryError) Error() string { return e.Problem }

// Check asks the query about a user that does not exist. It returns a *QueryError if it can't be used, and storage.ErrUnavailable while the database is unavailable.
// allowed returns an error for a column that can't be a claim.
func (q *Query) Check(ctx context.Context, allowed func(name string) error) error {
	types, err := q.types(ctx)
	if err != nil {
		return err
	}
	if len(types) == 0 {
		return &QueryError{"returns no columns"}
	}
	q.columns = nil
	for _, t := range types {
		name, kind := t.Name(), strings.TrimPrefix(t.DatabaseTypeName(), "_")
		switch err := allowed(name); {
		case err != nil:
			return &QueryError{err.Error()}
		case slices.Contains(q.columns, name):
			return &QueryError{fmt.Sprintf("has the column %s twice", name)}
		case !slices.Contains(jsonTypes, kind):
			return &QueryError{fmt.Sprintf("has the column %s of the type %s, which is no claim: cast it to text, a number, a boolean or json", name, strings.ToLower(kind))}
		}
		q.columns = append(q.columns, name)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*q.timeout) // the first time it may have to read from the disk
	defer cancel()
	_, err = postgres.ReadOnlyTexts(ctx, q.db, q.row(), "0")
	if postgres.IsNoValue(err) { // a key that is no number
		_, err = postgres.ReadOnlyTexts(ctx, q.db, q.row(), "00000000-0000-0000-0000-000000000000")
	}
	if err != nil {
		return q.unusable(ctx, err)
	}
	return nil
}

// jsonTypes are what row_to_json writes as claims are read.
var jsonTypes = []string{
	"BOOL", "INT2", "INT4", "INT8", "FLOAT4", "FLOAT8", "NUMERIC", "TEXT", "VARCHAR", "BPCHAR", "CHAR", "NAME", "UUID", "DATE", "TIME", "TIMETZ",
	"TIMESTAMP", "TIMESTAMPTZ", "INTERVAL", "INET", "JSON", "JSONB",
}

// types returns the columns of the query, without a row.
func (q *Query) types(ctx context.Context) ([]*sql.ColumnType, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*q.timeout)
	defer cancel()
	tx, err := q.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, away(err)
	}
	defer tx.Rollback()
	rows, err := tx.QueryContext(ctx, "SELECT * FROM ("+q.text+"\n) q WHERE false", nil)
	if err != nil {
		return nil, q.unusable(ctx, err)
	}
	defer rows.Close()
	return rows.ColumnTypes()
}

// unusable returns the error of a query that is wrong, or that of a database that is unavailable.
func (q *Query) unusable(ctx context.Context, err error) error {
	if ctx.Err() != nil || q.db.PingContext(ctx) != nil {
		return away(err)
	}
	text := err.Error()
	if strings.Contains(text, "expected 0 arguments") {
		text = "it has no parameter $1, which is the user's key"
	}
	return &QueryError{"can't be used: " + text}
}

// Columns returns the names of the claims, in their order.
func (q *Query) Columns() []string { return q.columns }

// ErrClaims: the query failed for one user. It says nothing about others.
var ErrClaims = errors.New("the claims query failed for a user")

// Row returns what the query says of a user, a JSON object with the columns in their order, or "" if it has no row. The error is
// storage.ErrUnavailable, with ErrClaims if it is about this user: two rows, more than 8 KiB, a value that can't be computed, or too much time.
func (q *Query) Row(ctx context.Context, subject string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	rows, err := postgres.ReadOnlyTexts(ctx, q.db, q.row(), subject)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w: %w", ErrClaims, storage.ErrUnavailable, err)
	case len(rows) > 1:
		return "", fmt.Errorf("%w: %w: it returns two rows for the key %s", ErrClaims, storage.ErrUnavailable, subject)
	case len(rows) == 0:
		return "", nil
	case len(rows[0]) > maxRow:
		return "", fmt.Errorf("%w: %w: its row for the key %s has %d bytes, more than %d", ErrClaims, storage.ErrUnavailable, subject, len(rows[0]), maxRow)
	}
	return rows[0], nil
}
