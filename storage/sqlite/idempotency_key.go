package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var idempotencyKeyColumns = row.Names("", row.IdempotencyKey)

// ClaimIdempotencyKey implements [storage.IdempotencyKeys].
func (s *Store) ClaimIdempotencyKey(ctx context.Context, k *storage.IdempotencyKey, limit int) (found *storage.IdempotencyKey, err error) {
	err = s.write(ctx, "claim idempotency key", func(t *tx) {
		found = nil
		t.exec(`DELETE FROM idempotency_keys WHERE hash = ? AND expires_at <= ?`, k.Hash[:], k.CreatedAt.UnixMicro())
		other, exists := find(t, row.IdempotencyKey, `SELECT `+idempotencyKeyColumns+` FROM idempotency_keys WHERE hash = ?`, k.Hash[:])
		if exists {
			found = other
			return
		}
		var n int
		t.row(`SELECT count(*) FROM idempotency_keys`, nil, &n)
		if n >= limit {
			t.fail(storage.ErrLimit)
		}
		t.insert("idempotency_keys", row.IdempotencyKey(k))
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// FinishIdempotencyKey implements [storage.IdempotencyKeys].
func (s *Store) FinishIdempotencyKey(ctx context.Context, hash storage.Digest, result string, expiresAt time.Time) error {
	return s.write(ctx, "finish idempotency key", func(t *tx) {
		t.execOr(storage.ErrNotFound, `UPDATE idempotency_keys SET result = ?, expires_at = ? WHERE hash = ?`, result, expiresAt.UnixMicro(), hash[:])
	})
}

// RemoveIdempotencyKey implements [storage.IdempotencyKeys].
func (s *Store) RemoveIdempotencyKey(ctx context.Context, hash storage.Digest) error {
	return s.write(ctx, "remove idempotency key", func(t *tx) { t.exec(`DELETE FROM idempotency_keys WHERE hash = ?`, hash[:]) })
}
