// Package blacklist writes to the blacklist of Django (rest_framework_simplejwt.token_blacklist), in a Postgres database.
//
// It needs INSERT and SELECT on the two tables and their sequences, and uses nothing else. What is there already stays.
package blacklist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"latchkey/storage"
)

// timeout limits a call, the wait for a connection included.
const timeout = 10 * time.Second

// Blacklist is that of a site. It is safe for concurrent use, in any number of processes.
type Blacklist struct{ pool *pgxpool.Pool }

// Open returns a Blacklist without connecting. The error is about the URL, which pgx's message may quote: don't show it.
func Open(url string) (*Blacklist, error) {
	pc, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("parse the URL of Django's database: %w", err)
	}
	pc.MaxConns, pc.MinConns = 1, 0
	pc.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // also behind a pooler
	pc.ConnConfig.ConnectTimeout = timeout
	pool, err := pgxpool.NewWithConfig(context.Background(), pc)
	if err != nil {
		return nil, fmt.Errorf("open Django's database: %w", err)
	}
	return &Blacklist{pool}, nil
}

// Close ends the connections.
func (b *Blacklist) Close() { b.pool.Close() }

// Check returns an error unless the tables are there and this role may write to them. It writes nothing.
func (b *Blacklist) Check(ctx context.Context) error {
	return b.within(ctx, func(tx pgx.Tx) error {
		var missing string
		// has_table_privilege is an error where there is no such table.
		err := tx.QueryRow(ctx, `
			SELECT coalesce(string_agg(t, ', '), '') FROM unnest(ARRAY['token_blacklist_outstandingtoken', 'token_blacklist_blacklistedtoken']) AS t
			WHERE to_regclass(t) IS NULL OR NOT has_table_privilege(t, 'SELECT') OR NOT has_table_privilege(t, 'INSERT')`).Scan(&missing)
		if err == nil && missing != "" {
			err = fmt.Errorf("the table %s is missing, or this role has no SELECT and INSERT on it", missing)
		}
		return err
	})
}

// Add ends tokens in Django, all of them or, with an error, none. Adding one again is no error. Django shows them without the token, which
// is not known, and without a user.
func (b *Blacklist) Add(ctx context.Context, tokens []storage.RevokedToken) error {
	jtis, ends := make([]string, len(tokens)), make([]time.Time, len(tokens))
	for i, t := range tokens {
		jtis[i], ends[i] = t.JTI, t.ExpiresAt
	}
	return b.within(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO token_blacklist_outstandingtoken (token, jti, created_at, expires_at)
			SELECT '', jti, now(), at FROM unnest($1::text[], $2::timestamptz[]) AS t (jti, at)
			ON CONFLICT DO NOTHING`, jtis, ends); err != nil {
			return err
		}
		// The token may have been there: Django lists those of logins.
		_, err := tx.Exec(ctx, `
			INSERT INTO token_blacklist_blacklistedtoken (token_id, blacklisted_at)
			SELECT id, now() FROM token_blacklist_outstandingtoken WHERE jti = ANY ($1::text[])
			ON CONFLICT DO NOTHING`, jtis)
		return err
	})
}

func (b *Blacklist) within(ctx context.Context, do func(pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := pgx.BeginFunc(ctx, b.pool, do)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && (refused.Code == "42P01" || refused.Code == "42501"): // undefined_table, insufficient_privilege
		return fmt.Errorf("the blacklist of Django can't be written: %w", err)
	case err != nil:
		return fmt.Errorf("write to the blacklist of Django: %w", err)
	}
	return nil
}
