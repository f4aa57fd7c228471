package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var registrationTokenColumns = row.Names("", row.RegistrationToken)

// CreateRegistrationToken implements [storage.RegistrationTokens].
func (s *Store) CreateRegistrationToken(ctx context.Context, t *storage.RegistrationToken, audit *storage.AuditEvent) error {
	return s.write(ctx, "create registration token", func(tx *tx) {
		tx.insert("registration_tokens", row.RegistrationToken(t))
		tx.audit(audit)
	})
}

// RegistrationToken implements [storage.RegistrationTokens].
func (s *Store) RegistrationToken(ctx context.Context, hash storage.Digest, now time.Time) (*storage.RegistrationToken, error) {
	return readOne(ctx, s, "read registration token", scan(row.RegistrationToken),
		`SELECT `+registrationTokenColumns+` FROM registration_tokens WHERE hash = ? AND uses <> 0 AND (expires_at IS NULL OR expires_at > ?)`,
		hash[:], now.UnixMicro())
}

// UseRegistrationToken implements [storage.RegistrationTokens].
func (s *Store) UseRegistrationToken(ctx context.Context, hash storage.Digest, now time.Time, c *storage.Client, audit *storage.AuditEvent) error {
	return s.createClientAfter(ctx, "use registration token", c, audit, func(t *tx) {
		t.execOr(storage.ErrNotFound, `
			UPDATE registration_tokens SET uses = CASE WHEN uses > 0 THEN uses - 1 ELSE uses END
			WHERE hash = ? AND uses <> 0 AND (expires_at IS NULL OR expires_at > ?)`, hash[:], now.UnixMicro())
	})
}

// ListRegistrationTokens implements [storage.RegistrationTokens].
func (s *Store) ListRegistrationTokens(ctx context.Context, after storage.ID, limit int) ([]*storage.RegistrationToken, error) {
	return readAll(ctx, s, "list registration tokens", scan(row.RegistrationToken),
		`SELECT `+registrationTokenColumns+` FROM registration_tokens WHERE id > ? ORDER BY id LIMIT ?`, after[:], max(limit, 0))
}

// RemoveRegistrationToken implements [storage.RegistrationTokens].
func (s *Store) RemoveRegistrationToken(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove registration token", func(t *tx) {
		t.execOr(storage.ErrNotFound, `DELETE FROM registration_tokens WHERE id = ?`, id[:])
		t.audit(audit)
	})
}
