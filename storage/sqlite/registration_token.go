package sqlite

import (
	"context"
	"encoding/json"
	"time"

	"latchkey/storage"
)

const registrationTokenColumns = `id, hash, name, uses, coalesce(policy, ''), created_at, expires_at`

func scanRegistrationToken(row scanner) (*storage.RegistrationToken, error) {
	var t storage.RegistrationToken
	var policy string
	err := row.Scan(bytesTo(t.ID[:]), bytesTo(t.Hash[:]), &t.Name, &t.Uses, &policy, timeTo(&t.CreatedAt), timeTo(&t.ExpiresAt))
	if err != nil {
		return nil, err
	}
	if policy != "" {
		t.Policy = json.RawMessage(policy)
	}
	return &t, nil
}

// CreateRegistrationToken implements [storage.RegistrationTokens].
func (s *Store) CreateRegistrationToken(ctx context.Context, t *storage.RegistrationToken, audit *storage.AuditEvent) error {
	return s.write(ctx, "create registration token", func(c conn) error {
		_, err := c.exec(`
			INSERT INTO registration_tokens (id, hash, name, uses, policy, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			t.ID[:], t.Hash[:], plain(t.Name), t.Uses, text(string(t.Policy)), micros(t.CreatedAt), micros(t.ExpiresAt))
		if err != nil {
			return err
		}
		return c.audit(audit)
	})
}

// UseRegistrationToken implements [storage.RegistrationTokens].
func (s *Store) UseRegistrationToken(ctx context.Context, hash storage.Digest, now time.Time) (*storage.RegistrationToken, error) {
	var t *storage.RegistrationToken
	err := s.write(ctx, "use registration token", func(c conn) (err error) {
		t, err = one(c, scanRegistrationToken, `
			UPDATE registration_tokens SET uses = CASE WHEN uses > 0 THEN uses - 1 ELSE uses END
			WHERE hash = ? AND uses <> 0 AND (expires_at IS NULL OR expires_at > ?)
			RETURNING `+registrationTokenColumns, hash[:], now.UnixMicro())
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// ListRegistrationTokens implements [storage.RegistrationTokens].
func (s *Store) ListRegistrationTokens(ctx context.Context, after storage.ID, limit int) ([]*storage.RegistrationToken, error) {
	list, err := all(s.reader(ctx), scanRegistrationToken,
		`SELECT `+registrationTokenColumns+` FROM registration_tokens WHERE id > ? ORDER BY id LIMIT ?`, after[:], max(limit, 0))
	return list, interpret("list registration tokens", err)
}

// RemoveRegistrationToken implements [storage.RegistrationTokens].
func (s *Store) RemoveRegistrationToken(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove registration token", func(c conn) error {
		return c.must(audit, `DELETE FROM registration_tokens WHERE id = ?`, id[:])
	})
}
