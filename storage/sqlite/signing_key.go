package sqlite

import (
	"context"
	"encoding/json"
	"time"

	"latchkey/storage"
)

// CreateSigningKey implements [storage.SigningKeys].
func (s *Store) CreateSigningKey(ctx context.Context, k *storage.SigningKey, othersRetireAt, othersExpireAt time.Time, audit *storage.AuditEvent) error {
	if !keyed(k.KID, k.Algorithm) {
		return interpret("create signing key", errText)
	}
	return s.write(ctx, "create signing key", func(c conn) error {
		_, err := c.exec(`
			UPDATE signing_keys SET retires_at = ?, expires_at = ? WHERE algorithm = ? AND retires_at IS NULL`,
			micros(othersRetireAt), micros(othersExpireAt), k.Algorithm)
		if err != nil {
			return err
		}
		_, err = c.exec(`
			INSERT INTO signing_keys (kid, algorithm, sequence, sealed, public_key, created_at, activates_at, retires_at, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			k.KID, k.Algorithm, k.Sequence, k.Sealed, string(k.Public), micros(k.CreatedAt), micros(k.ActivatesAt),
			micros(k.RetiresAt), micros(k.ExpiresAt))
		if err != nil {
			return err
		}
		return c.changed(storage.ChangeSigningKeys, audit)
	})
}

// ListSigningKeys implements [storage.SigningKeys].
func (s *Store) ListSigningKeys(ctx context.Context) ([]*storage.SigningKey, error) {
	list, err := all(s.reader(ctx), scanSigningKey, `
		SELECT kid, algorithm, sequence, sealed, public_key, created_at, activates_at, retires_at, expires_at
		FROM signing_keys ORDER BY algorithm, sequence`)
	return list, interpret("list signing keys", err)
}

func scanSigningKey(row scanner) (*storage.SigningKey, error) {
	var k storage.SigningKey
	var public string
	err := row.Scan(&k.KID, &k.Algorithm, &k.Sequence, &k.Sealed, &public, timeTo(&k.CreatedAt), timeTo(&k.ActivatesAt),
		timeTo(&k.RetiresAt), timeTo(&k.ExpiresAt))
	if err != nil {
		return nil, err
	}
	k.Public = json.RawMessage(public)
	return &k, nil
}

// RetireSigningKey implements [storage.SigningKeys].
func (s *Store) RetireSigningKey(ctx context.Context, kid string, retiresAt, expiresAt time.Time, audit *storage.AuditEvent) error {
	return s.write(ctx, "retire signing key", func(c conn) error {
		err := c.must(audit, `UPDATE signing_keys SET retires_at = ?, expires_at = ? WHERE kid = ?`,
			micros(retiresAt), micros(expiresAt), kid)
		if err != nil {
			return err
		}
		return c.changed(storage.ChangeSigningKeys, nil)
	})
}

// RemoveSigningKeys implements [storage.SigningKeys].
func (s *Store) RemoveSigningKeys(ctx context.Context, now time.Time) (int, error) {
	var n int64
	err := s.write(ctx, "remove signing keys", func(c conn) (err error) {
		n, err = c.exec(`DELETE FROM signing_keys WHERE expires_at <= ?`, now.UnixMicro())
		if err != nil || n == 0 {
			return err
		}
		return c.changed(storage.ChangeSigningKeys, nil)
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}
