package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var idempotencyKeyColumns = row.Names("", row.IdempotencyKey)

// ClaimIdempotencyKey implements storage.IdempotencyKeys. Claims run one at a time, and each sees those before it, as registrations do:
// see CreateRegisteredClient.
func (s *Store) ClaimIdempotencyKey(ctx context.Context, k *storage.IdempotencyKey, limit int) (*storage.IdempotencyKey, error) {
	var found storage.IdempotencyKey
	claimed := false
	b := &pgx.Batch{}
	b.Queue(`SELECT pg_advisory_xact_lock('idempotency_keys'::regclass::bigint)`)
	b.Queue(`DELETE FROM idempotency_keys WHERE hash = $1 AND expires_at <= $2`, digest(k.Hash), at(k.CreatedAt))
	b.Queue(`INSERT INTO idempotency_keys (`+idempotencyKeyColumns+`) SELECT `+values(1, row.IdempotencyKey)+`
		WHERE (SELECT count(*) FROM idempotency_keys) < $6 ON CONFLICT (hash) DO NOTHING`,
		append(row.Fields(arg, row.IdempotencyKey(k)), int64(limit))...).
		Exec(func(tag pgconn.CommandTag) error {
			claimed = tag.RowsAffected() > 0
			return nil
		})
	b.Queue(`SELECT `+idempotencyKeyColumns+` FROM idempotency_keys WHERE hash = $1`, digest(k.Hash)).
		QueryRow(func(r pgx.Row) error { return r.Scan(row.Fields(target, row.IdempotencyKey(&found))...) })
	err := s.batch(ctx, "claim idempotency key", b)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, fmt.Errorf("claim idempotency key: %w", storage.ErrLimit)
	case err != nil || claimed:
		return nil, err
	}
	// What was found may be a result that its own caller has not received, since no standby has confirmed it.
	return &found, s.settled(ctx, "claim idempotency key", 0, nil)
}
