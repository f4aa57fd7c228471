package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// RecordIssuedTokens implements [storage.IssuedTokens].
func (s *Store) RecordIssuedTokens(ctx context.Context, tokens []storage.IssuedToken, r *storage.RetiredTokens) error {
	return s.write(ctx, "record issued tokens", func(t *tx) {
		if r != nil {
			t.exec(`UPDATE issued_tokens SET ended_at = ? WHERE grant_id = ? AND generation <= ? AND jti <> ? AND ended_at IS NULL`,
				r.At.UnixMicro(), r.GrantID[:], r.Generation, r.Current)
		}
		for i := range tokens {
			k := &tokens[i]
			t.check(keyed(k.JTI), row.ErrText)
			t.exec(`
				INSERT INTO issued_tokens (jti, grant_id, generation, issued_at, expires_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (jti) DO NOTHING`,
				k.JTI, k.GrantID[:], k.Generation, k.IssuedAt.UnixMicro(), k.ExpiresAt.UnixMicro())
		}
	})
}

// EndedTokens implements [storage.IssuedTokens].
func (s *Store) EndedTokens(ctx context.Context, now time.Time, limit int) ([]storage.RevokedToken, error) {
	return readAll(ctx, s, "read ended tokens", func(r scanner) (t storage.RevokedToken, err error) {
		err = r.Scan(&t.JTI, field(&t.ExpiresAt))
		return t, err
	}, `SELECT jti, expires_at FROM issued_tokens WHERE ended_at <= ?1 AND expires_at > ?1 ORDER BY ended_at LIMIT ?2`, now.UnixMicro(), limit)
}

// ForgetIssuedTokens implements [storage.IssuedTokens].
func (s *Store) ForgetIssuedTokens(ctx context.Context, jtis []string) error {
	return s.write(ctx, "forget issued tokens", func(t *tx) {
		for _, jti := range jtis {
			t.exec(`DELETE FROM issued_tokens WHERE jti = ?`, jti)
		}
	})
}

// MissedTokens implements [storage.IssuedTokens]. An epoch is the microsecond of its last raise.
func (s *Store) MissedTokens(ctx context.Context, since time.Time) (int64, error) {
	return writeFor(ctx, s, "end missed tokens", func(t *tx) int64 {
		return t.exec(`
			UPDATE issued_tokens SET ended_at = 0 WHERE issued_at >= ?1 AND ended_at IS NULL AND EXISTS (
				SELECT 1 FROM grants g WHERE g.id = grant_id AND (g.revoked_at IS NOT NULL
					OR EXISTS (SELECT 1 FROM users u WHERE u.id = g.user_id AND u.auth_epoch > g.user_epoch AND u.auth_epoch > ?1)
					OR EXISTS (SELECT 1 FROM clients c WHERE c.id = g.client_id AND c.auth_epoch > g.client_epoch AND c.auth_epoch > ?1)))`,
			since.UnixMicro())
	})
}
