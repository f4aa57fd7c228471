package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

// tellSigningKeys is the CTE that tells every server when the CTE changed has rows.
const tellSigningKeys = `
	told AS (
		UPDATE changes SET version = version + 1 WHERE kind = 'signing_keys' AND (SELECT count(*) FROM changed) > 0
		RETURNING pg_notify('latchkey_changes', kind || ':' || version || ':')
	)`

// CreateSigningKey implements storage.SigningKeys. The unique sequence number decides between two processes: who
// comes second waits for the first at the insert and then fails, before it has touched the other keys.
func (s *Store) CreateSigningKey(ctx context.Context, k *storage.SigningKey, othersRetireAt, othersExpireAt time.Time, audit *storage.AuditEvent) error {
	if !keyed(k.KID, k.Algorithm) {
		return fmt.Errorf("create signing key: %w", errText)
	}
	public, err := document(k.Public)
	if err != nil {
		return fmt.Errorf("create signing key: public key: %w", err)
	}
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	return s.do(ctx, "create signing key", func(ctx context.Context) error {
		b := &pgx.Batch{}
		b.Queue(`
			WITH changed AS (
				INSERT INTO signing_keys (kid, algorithm, sequence, sealed, public_key, created_at, activates_at, retires_at, expires_at)
				VALUES ($2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10) RETURNING kid
			), `+tellSigningKeys+`, log AS (`+insertAudit+`)
			SELECT count(*) FROM changed`,
			encoded, k.KID, k.Algorithm, k.Sequence, k.Sealed, public, at(k.CreatedAt), at(k.ActivatesAt), at(k.RetiresAt), at(k.ExpiresAt))
		b.Queue(`UPDATE signing_keys SET retires_at = $3, expires_at = $4 WHERE algorithm = $1 AND kid <> $2 AND retires_at IS NULL`,
			k.Algorithm, k.KID, at(othersRetireAt), at(othersExpireAt))
		return s.batch(ctx, b)
	})
}

// ListSigningKeys implements storage.SigningKeys.
func (s *Store) ListSigningKeys(ctx context.Context) (list []*storage.SigningKey, err error) {
	err = s.do(ctx, "list signing keys", func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, `
			SELECT kid, algorithm, sequence, sealed, public_key, created_at, activates_at, retires_at, expires_at
			FROM signing_keys ORDER BY algorithm, sequence`)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*storage.SigningKey, error) {
			var k storage.SigningKey
			return &k, row.Scan(&k.KID, &k.Algorithm, &k.Sequence, &k.Sealed, (*[]byte)(&k.Public), (*instant)(&k.CreatedAt),
				(*instant)(&k.ActivatesAt), (*instant)(&k.RetiresAt), (*instant)(&k.ExpiresAt))
		})
		return err
	})
	return list, err
}

// RetireSigningKey implements storage.SigningKeys.
func (s *Store) RetireSigningKey(ctx context.Context, kid string, retiresAt, expiresAt time.Time, audit *storage.AuditEvent) error {
	if !keyed(kid) {
		return fmt.Errorf("retire signing key: %w", storage.ErrNotFound)
	}
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	return s.one(ctx, "retire signing key", `
		WITH changed AS (UPDATE signing_keys SET retires_at = $3, expires_at = $4 WHERE kid = $2 RETURNING kid),
		`+tellSigningKeys+`, log AS (`+insertAudit+` WHERE EXISTS (SELECT FROM changed))
		SELECT count(*) FROM changed`, encoded, kid, at(retiresAt), at(expiresAt))
}

// RemoveSigningKeys implements storage.SigningKeys.
func (s *Store) RemoveSigningKeys(ctx context.Context, now time.Time) (removed int, err error) {
	err = s.do(ctx, "remove signing keys", func(ctx context.Context) error {
		n, err := s.count(ctx, `
			WITH changed AS (DELETE FROM signing_keys WHERE expires_at <= $1 RETURNING kid), `+tellSigningKeys+`
			SELECT count(*) FROM changed`, at(now))
		removed = int(n)
		return err
	})
	return removed, err
}
