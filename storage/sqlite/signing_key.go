package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateSigningKey implements [storage.SigningKeys].
func (s *Store) CreateSigningKey(ctx context.Context, k *storage.SigningKey, othersRetireAt, othersExpireAt time.Time, audit *storage.AuditEvent) error {
	return s.write(ctx, "create signing key", func(t *tx) {
		t.check(keyed(k.KID, k.Algorithm), row.ErrText)
		t.exec(`
			UPDATE signing_keys SET retires_at = ?, expires_at = ? WHERE algorithm = ? AND retires_at IS NULL`,
			micros(othersRetireAt), micros(othersExpireAt), k.Algorithm)
		t.insert("signing_keys", row.SigningKey(k))
		t.changed(storage.ChangeSigningKeys)
		t.audit(audit)
	})
}

// RemoveSigningKeys implements [storage.SigningKeys].
func (s *Store) RemoveSigningKeys(ctx context.Context, now time.Time) (int, error) {
	return writeFor(ctx, s, "remove signing keys", func(t *tx) int {
		n := t.exec(`DELETE FROM signing_keys WHERE expires_at <= ?`, now.UnixMicro())
		if n > 0 {
			t.changed(storage.ChangeSigningKeys)
		}
		return int(n)
	})
}
