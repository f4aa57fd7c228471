package postgres

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	registrationTokenColumns = row.Names("", row.RegistrationToken)
	createRegistrationToken  = `WITH log AS (` + insertAudit + `) ` + insert("registration_tokens", 2, row.RegistrationToken)
)

// CreateRegistrationToken implements storage.RegistrationTokens.
func (s *Store) CreateRegistrationToken(ctx context.Context, t *storage.RegistrationToken, audit *storage.AuditEvent) error {
	return s.exec(ctx, "create registration token", createRegistrationToken,
		append([]any{events(audit)}, row.Fields(arg, row.RegistrationToken(t))...)...)
}

// UseRegistrationToken implements storage.RegistrationTokens. A caller that waits for the row's lock finds what is left then.
func (s *Store) UseRegistrationToken(ctx context.Context, hash storage.Digest, now time.Time) (*storage.RegistrationToken, error) {
	return queryRow(ctx, s, "use registration token", scan(row.RegistrationToken), `
		UPDATE registration_tokens SET uses = CASE WHEN uses > 0 THEN uses - 1 ELSE uses END
		WHERE hash = $1 AND uses <> 0 AND (expires_at IS NULL OR expires_at > $2)
		RETURNING `+registrationTokenColumns, digest(hash), at(now))
}

// ListRegistrationTokens implements storage.RegistrationTokens.
func (s *Store) ListRegistrationTokens(ctx context.Context, after storage.ID, limit int) ([]*storage.RegistrationToken, error) {
	return queryRows(ctx, s, "list registration tokens", scan(row.RegistrationToken),
		`SELECT `+registrationTokenColumns+` FROM registration_tokens WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2`,
		uuid(after), max(limit, 0))
}

// RemoveRegistrationToken implements storage.RegistrationTokens.
func (s *Store) RemoveRegistrationToken(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return s.execOne(ctx, "remove registration token",
		`WITH changed AS (DELETE FROM registration_tokens WHERE id = $2 RETURNING id)`+logChanged, events(audit), uuid(id))
}
