package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateSigningKey implements [storage.SigningKeys].
func (s *Store) CreateSigningKey(ctx context.Context, k *storage.SigningKey, othersRetireAt, othersExpireAt time.Time, audit *storage.AuditEvent) error {
	if !keyed(k.KID, k.Algorithm) {
		return interpret("create signing key", errText)
	}
	return s.write(ctx, "create signing key", func(t *tx) {
		t.exec(`
			UPDATE signing_keys SET retires_at = ?, expires_at = ? WHERE algorithm = ? AND retires_at IS NULL`,
			micros(othersRetireAt), micros(othersExpireAt), k.Algorithm)
		t.insert("signing_keys", row.SigningKey(k))
		t.changed(storage.ChangeSigningKeys)
		t.audit(audit)
	})
}

// ListSigningKeys implements [storage.SigningKeys].
func (s *Store) ListSigningKeys(ctx context.Context) ([]*storage.SigningKey, error) {
	return readAll(ctx, s, "list signing keys", scan(row.SigningKey),
		`SELECT `+row.Names("", row.SigningKey)+` FROM signing_keys ORDER BY algorithm, sequence`)
}

// RetireSigningKey implements [storage.SigningKeys].
func (s *Store) RetireSigningKey(ctx context.Context, kid string, retiresAt, expiresAt time.Time, audit *storage.AuditEvent) error {
	return s.write(ctx, "retire signing key", func(t *tx) {
		t.execOr(storage.ErrNotFound, `UPDATE signing_keys SET retires_at = ?, expires_at = ? WHERE kid = ?`,
			micros(retiresAt), micros(expiresAt), kid)
		t.changed(storage.ChangeSigningKeys)
		t.audit(audit)
	})
}

// RemoveSigningKeys implements [storage.SigningKeys].
func (s *Store) RemoveSigningKeys(ctx context.Context, now time.Time) (int, error) {
	var n int64
	err := s.write(ctx, "remove signing keys", func(t *tx) {
		if n = t.exec(`DELETE FROM signing_keys WHERE expires_at <= ?`, now.UnixMicro()); n > 0 {
			t.changed(storage.ChangeSigningKeys)
		}
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}
