package sqlite

import (
	"context"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var idempotencyKeyColumns = row.Names("", row.IdempotencyKey)

// ClaimIdempotencyKey implements [storage.IdempotencyKeys].
func (s *Store) ClaimIdempotencyKey(ctx context.Context, k *storage.IdempotencyKey, limit int) (*storage.IdempotencyKey, error) {
	return writeFor(ctx, s, "claim idempotency key", func(t *tx) *storage.IdempotencyKey {
		t.exec(`DELETE FROM idempotency_keys WHERE hash = ? AND expires_at <= ?`, k.Hash[:], k.CreatedAt.UnixMicro())
		other, exists := find(t, row.IdempotencyKey, `SELECT `+idempotencyKeyColumns+` FROM idempotency_keys WHERE hash = ?`, k.Hash[:])
		if exists {
			return other
		}
		t.room("idempotency_keys", limit)
		t.insert("idempotency_keys", row.IdempotencyKey(k))
		return nil
	})
}
