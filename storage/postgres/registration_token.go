package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

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

// RegistrationToken implements storage.RegistrationTokens.
func (s *Store) RegistrationToken(ctx context.Context, hash storage.Digest, now time.Time) (*storage.RegistrationToken, error) {
	return queryRow(ctx, s, "read registration token", scan(row.RegistrationToken),
		`SELECT `+registrationTokenColumns+` FROM registration_tokens WHERE hash = $1 AND uses <> 0 AND (expires_at IS NULL OR expires_at > $2)`,
		digest(hash), at(now))
}

// UseRegistrationToken implements storage.RegistrationTokens. A caller that waits for the row's lock finds what is left then.
func (s *Store) UseRegistrationToken(ctx context.Context, hash storage.Digest, now time.Time, c *storage.Client, audit *storage.AuditEvent) error {
	const what = "use registration token"
	stored, err := newClient(c)
	if err != nil {
		return translate(what, err)
	}
	var created, taken bool
	b := &pgx.Batch{}
	b.Queue(lockSubjects)
	b.Queue(createClientByToken, append(append([]any{events(audit)}, row.Fields(arg, row.Client(stored))...), digest(hash), at(now))...).
		QueryRow(func(r pgx.Row) error { return r.Scan(&created, &taken) })
	if err := s.batch(ctx, what, b); err != nil {
		return err
	}
	switch {
	case taken:
		return fmt.Errorf("%s: a user has the client's id as their subject: %w", what, storage.ErrExists)
	case !created:
		return translate(what, storage.ErrNotFound)
	}
	c.AuthEpoch, c.Version, c.Origin = stored.AuthEpoch, stored.Version, stored.Origin
	return nil
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
