// Package blacklist reads and writes the blacklist of Django (rest_framework_simplejwt.token_blacklist), in Postgres, MySQL, MariaDB or SQLite.
//
// Reading needs SELECT on the two tables. Writing needs INSERT too, in Postgres also on their sequences. What is there already stays.
package blacklist

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/storage"
	"latchkey/storage/directory"
	"latchkey/storage/postgres"
	"latchkey/storage/sqlite"
)

// timeout limits a call, the wait for a connection included.
const timeout = 10 * time.Second

const (
	outstanding = "token_blacklist_outstandingtoken"
	blacklisted = "token_blacklist_blacklistedtoken"
)

// Blacklist is that of a site. It is safe for concurrent use, in any number of processes.
type Blacklist struct {
	db      *sql.DB
	dialect directory.Dialect
}

// Open returns a Blacklist without connecting. The error is about the URL, which the driver's message may quote: don't show it.
func Open(url string) (*Blacklist, error) {
	db, err := directory.Open(url)
	if err != nil {
		return nil, fmt.Errorf("open Django's database: %w", err)
	}
	db.SetMaxOpenConns(1)
	return &Blacklist{db, directory.DialectOf(url)}, nil
}

// Close ends the connections.
func (b *Blacklist) Close() { b.db.Close() }

// Check returns an error unless the tables are there and this role may write to them. It writes nothing.
func (b *Blacklist) Check(ctx context.Context) error {
	return b.within(ctx, func(tx *sql.Tx) error {
		for _, s := range []struct{ table, columns, values string }{
			{outstanding, "token, jti, created_at, expires_at", "'', id, expires_at, expires_at"},
			{blacklisted, "token_id, blacklisted_at", "id, expires_at"},
		} {
			if _, err := tx.ExecContext(ctx, `INSERT INTO `+s.table+` (`+s.columns+`) SELECT `+s.values+` FROM `+outstanding+` WHERE 1 = 0`); err != nil {
				return err
			}
		}
		if b.dialect != directory.Postgres {
			return nil
		}
		// No row, no value of a sequence: it is asked for by itself. Identity columns of newer releases need no right.
		var missing string
		err := tx.QueryRowContext(ctx, `
			SELECT coalesce(string_agg(pg_get_serial_sequence(t, 'id'), ', '), '') FROM unnest(ARRAY['`+outstanding+`', '`+blacklisted+`']) AS t
			JOIN pg_attribute a ON a.attrelid = t::regclass AND a.attname = 'id' AND a.attidentity = ''
			WHERE NOT has_sequence_privilege(pg_get_serial_sequence(t, 'id'), 'USAGE')`).Scan(&missing)
		if err == nil && missing != "" {
			err = fmt.Errorf("this role has no USAGE on %s", missing)
		}
		return err
	})
}

// Ended returns up to limit tokens that Django has ended and that have not expired, in the order of their ids, after the one with the id after;
// and the id of the last.
func (b *Blacklist) Ended(ctx context.Context, after int64, limit int) (tokens []storage.RevokedToken, last int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 6*timeout) // it may have to pass over as many as have expired
	defer cancel()
	now, parameter := "now()", "$1"
	switch b.dialect { // Django writes UTC
	case directory.MySQL:
		now, parameter = "utc_timestamp(6)", "?"
	case directory.SQLite:
		now, parameter = sqliteNow, "?"
	}
	rows, err := b.db.QueryContext(ctx, fmt.Sprintf(`
		SELECT b.id, o.jti, o.expires_at FROM %s b JOIN %s o ON o.id = b.token_id WHERE b.id > %s AND o.expires_at > %s ORDER BY b.id LIMIT %d`,
		blacklisted, outstanding, parameter, now, limit), after)
	last, tokens = after, make([]storage.RevokedToken, 0, limit)
	if err == nil {
		defer rows.Close()
		var t storage.RevokedToken
		for err == nil && rows.Next() {
			err = rows.Scan(&last, &t.JTI, &t.ExpiresAt)
			tokens = append(tokens, t)
		}
		err = cmp.Or(err, rows.Err())
	}
	if err != nil {
		return nil, after, fmt.Errorf("read the blacklist of Django: %w", err)
	}
	return tokens, last, nil
}

// maxJTI is the length of the column in characters. Django can neither list a longer id nor refuse it.
const maxJTI = 255

// Add ends tokens in Django, all of them or, with an error, none. Adding one again is no error. Django shows them without the token, which
// is not known, and without a user.
func (b *Blacklist) Add(ctx context.Context, tokens []storage.RevokedToken) error {
	jtis, ends := make([]string, 0, len(tokens)), make([]time.Time, 0, len(tokens))
	for _, t := range tokens {
		if utf8.RuneCountInString(t.JTI) <= maxJTI {
			jtis, ends = append(jtis, t.JTI), append(ends, t.ExpiresAt.UTC())
		}
	}
	if len(jtis) == 0 {
		return nil
	}
	return b.within(ctx, func(tx *sql.Tx) error {
		switch b.dialect {
		case directory.MySQL:
			return addMySQL(ctx, tx, jtis, ends)
		case directory.SQLite:
			return addSQLite(ctx, tx, jtis, ends)
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO token_blacklist_outstandingtoken (token, jti, created_at, expires_at)
			SELECT '', jti, now(), at FROM unnest($1::text[], $2::timestamptz[]) AS t (jti, at)
			ON CONFLICT DO NOTHING`, jtis, ends); err != nil {
			return err
		}
		// The token may have been there: Django lists those of logins.
		_, err := tx.ExecContext(ctx, `
			INSERT INTO token_blacklist_blacklistedtoken (token_id, blacklisted_at)
			SELECT id, now() FROM token_blacklist_outstandingtoken WHERE jti = ANY ($1::text[])
			ON CONFLICT DO NOTHING`, jtis)
		return err
	})
}

// addMySQL adds rows that are not there. IGNORE passes over those that are; ON DUPLICATE KEY UPDATE would need the right to update.
func addMySQL(ctx context.Context, tx *sql.Tx, jtis []string, ends []time.Time) error {
	var rows, ids []any
	for i, jti := range jtis {
		rows, ids = append(rows, jti, ends[i]), append(ids, jti)
	}
	places := func(one string) string { return strings.TrimSuffix(strings.Repeat(one+", ", len(jtis)), ", ") }
	if _, err := tx.ExecContext(ctx, `INSERT IGNORE INTO `+outstanding+` (token, created_at, jti, expires_at) VALUES `+places("('', utc_timestamp(6), ?, ?)"), rows...); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT IGNORE INTO `+blacklisted+` (token_id, blacklisted_at) SELECT id, utc_timestamp(6) FROM `+outstanding+` WHERE jti IN (`+places("?")+`)`, ids...)
	return err
}

// sqliteNow is the present time as Django writes one into SQLite.
const sqliteNow = "strftime('%Y-%m-%d %H:%M:%f', 'now')"

// addSQLite adds rows that are not there.
func addSQLite(ctx context.Context, tx *sql.Tx, jtis []string, ends []time.Time) error {
	for i, jti := range jtis {
		if _, err := tx.ExecContext(ctx, `INSERT INTO `+outstanding+` (token, created_at, jti, expires_at) VALUES ('', `+sqliteNow+`, ?, ?) ON CONFLICT DO NOTHING`,
			jti, directory.SQLiteTime(ends[i])); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO `+blacklisted+` (token_id, blacklisted_at) SELECT id, `+sqliteNow+` FROM `+outstanding+` WHERE jti = ? ON CONFLICT DO NOTHING`,
			jti); err != nil {
			return err
		}
	}
	return nil
}

func (b *Blacklist) within(ctx context.Context, do func(*sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tx, err := b.db.BeginTx(ctx, nil)
	if err == nil {
		defer tx.Rollback()
		if err = do(tx); err == nil {
			err = tx.Commit()
		}
	}
	switch {
	case err == nil:
		return nil
	case postgres.IsRefused(err) || directory.IsRefused(err) || sqlite.IsRefused(err) || sqlite.IsReadOnly(err):
		return fmt.Errorf("the blacklist of Django can't be written: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the blacklist of Django does not answer within %s: %w", timeout, err)
	}
	return fmt.Errorf("write to the blacklist of Django: %w", err)
}
