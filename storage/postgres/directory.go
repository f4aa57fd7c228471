package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// ReadUsersFrom makes what depends on the present state of users read a query, which has the columns of users, instead of that table. No
// other call may be under way.
func (s *Store) ReadUsersFrom(query string) { s.directory.Store(&directory{query: query}) }

// OpenDB prepares connections to another database for statements of others. They also work behind a pooler. The error may quote the URL.
func OpenDB(url string) (*sql.DB, error) {
	cc, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if cc.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		cc.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = 5 * time.Second
	}
	db := stdlib.OpenDB(*cc)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

// DB returns the connections of the store for statements of others. Closing it closes none of them.
func (s *Store) DB() *sql.DB { return stdlib.OpenDBFromPool(s.pool) }

// enterUser has the parameters hash, whether it is of the remembered password, subject as tokens carry it, then the new row.
var enterUser = `
	WITH known AS (
		UPDATE users SET password_hash = $1, account_seen = true, absent_since = NULL, auth_epoch = auth_epoch + CASE WHEN password_hash = $1 OR $2 THEN 0 ELSE 1 END
		WHERE coalesce(subject, id::text COLLATE "C") = $3 RETURNING ` + userColumns + `
	), entered AS (
		INSERT INTO users (` + userColumns + `) SELECT ` + strings.Replace(values(4, row.User), "$4", "coalesce($4::bigint, nextval('users_id_seq'))", 1) + `
		WHERE NOT EXISTS (SELECT FROM known) AND NOT EXISTS (SELECT FROM clients WHERE id = $3)
		ON CONFLICT DO NOTHING RETURNING ` + userColumns + `
	)
	SELECT ` + userColumns + ` FROM known UNION ALL SELECT ` + userColumns + ` FROM entered`

// EnterUser implements storage.Users.
func (s *Store) EnterUser(ctx context.Context, e storage.UserEntry) (*storage.User, error) {
	if !keyed(e.Subject) {
		return nil, fmt.Errorf("enter user: subject: %w", errText)
	}
	args := append([]any{plain(e.PasswordHash), e.SamePassword, e.Sub()}, row.Fields(arg, row.User(e.New()))...)
	for range 2 { // of two first entries at once the second finds neither a row to return nor to insert; then it finds the other's
		list, err := queryRows(ctx, s, "enter user", scan(row.User), enterUser, args...)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			return list[0], nil
		}
	}
	return nil, fmt.Errorf("enter user: the id is that of another user or of a client: %w", storage.ErrExists)
}

// ReadOnlyTexts returns the first column, which is text, of the rows of a query that runs in a transaction that can't write: one round
// trip. Each of its parameters is text that stands for a value of its type.
func ReadOnlyTexts(ctx context.Context, db *sql.DB, query string, args ...any) (texts []string, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		b := &pgx.Batch{}
		b.Queue(`BEGIN READ ONLY`)
		b.Queue(query, args...).Query(func(rows pgx.Rows) error {
			texts, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
		b.Queue(`ROLLBACK`)
		pg := c.(*stdlib.Conn).Conn()
		err := pg.SendBatch(ctx, b).Close()
		if pg.PgConn().TxStatus() != 'I' && !pg.IsClosed() { // the query failed in the transaction
			_, undone := pg.Exec(ctx, `ROLLBACK`)
			err = errors.Join(err, undone)
		}
		return err
	})
	return texts, err
}

// IsNoValue reports whether Postgres could not read a text as a value of the type that is needed.
func IsNoValue(err error) bool { return code(err) == "22P02" }

// IsRefused reports whether a statement failed for good: a table or a column is missing, or the role may not.
func IsRefused(err error) bool {
	return slices.Contains([]string{"42P01", "42703", "42501"}, code(err))
}
