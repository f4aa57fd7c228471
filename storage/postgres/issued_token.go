package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

// RecordIssuedTokens implements storage.IssuedTokens.
func (s *Store) RecordIssuedTokens(ctx context.Context, tokens []storage.IssuedToken, r *storage.RetiredTokens) error {
	var jtis []string
	var grants []storage.ID
	var generations []int64
	var issued, ends []time.Time
	for _, t := range tokens {
		if !keyed(t.JTI) {
			return fmt.Errorf("record issued tokens: jti: %w", errText)
		}
		jtis, grants, generations = append(jtis, t.JTI), append(grants, t.GrantID), append(generations, t.Generation)
		issued, ends = append(issued, t.IssuedAt), append(ends, t.ExpiresAt)
	}
	if r == nil {
		r = &storage.RetiredTokens{Generation: -1}
	}
	_, err := s.change(ctx, "record issued tokens", `
		WITH retired AS (
			UPDATE issued_tokens SET ended_at = $9 WHERE grant_id = $6 AND generation <= $7 AND jti <> $8 AND ended_at IS NULL RETURNING 1
		), added AS (
			INSERT INTO issued_tokens (jti, grant_id, generation, issued_at, expires_at)
			SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::timestamptz[])
			ON CONFLICT (jti) DO NOTHING RETURNING 1
		) SELECT (SELECT count(*) FROM retired) + (SELECT count(*) FROM added)`,
		jtis, uuids(grants), generations, issued, ends, uuid(r.GrantID), r.Generation, r.Current, at(r.At))
	return err
}

// EndedTokens implements storage.IssuedTokens.
func (s *Store) EndedTokens(ctx context.Context, now time.Time, limit int) ([]storage.RevokedToken, error) {
	list, err := queryRows(ctx, s, "read ended tokens", pgx.RowToAddrOfStructByPos[storage.RevokedToken], `
		SELECT jti, expires_at FROM issued_tokens WHERE ended_at <= $1 AND expires_at > $1 ORDER BY ended_at LIMIT $2`, at(now), limit)
	tokens := make([]storage.RevokedToken, len(list))
	for i, t := range list {
		tokens[i] = *t
	}
	return tokens, err
}

// ForgetIssuedTokens implements storage.IssuedTokens.
func (s *Store) ForgetIssuedTokens(ctx context.Context, jtis []string) error {
	_, err := s.change(ctx, "forget issued tokens",
		`WITH changed AS (DELETE FROM issued_tokens WHERE jti = ANY ($1::text[]) RETURNING jti) SELECT count(*) FROM changed`, jtis)
	return err
}

// MissedTokens implements storage.IssuedTokens. An epoch is the microsecond of its last raise.
func (s *Store) MissedTokens(ctx context.Context, since time.Time) (int64, error) {
	return s.change(ctx, "end missed tokens", `
		WITH changed AS (
			UPDATE issued_tokens t SET ended_at = '-infinity' FROM grants g
			WHERE t.issued_at >= $1 AND t.ended_at IS NULL AND g.id = t.grant_id AND (g.revoked_at IS NOT NULL
				OR EXISTS (SELECT FROM users u WHERE u.id = g.user_id AND u.auth_epoch > g.user_epoch AND u.auth_epoch > $2)
				OR EXISTS (SELECT FROM clients c WHERE c.id = g.client_id AND c.auth_epoch > g.client_epoch AND c.auth_epoch > $2))
			RETURNING 1
		) SELECT count(*) FROM changed`, at(since), since.UnixMicro())
}
