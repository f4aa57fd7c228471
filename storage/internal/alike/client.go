package alike

import (
	"context"
	"fmt"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// Client implements storage.Clients.
func (m Methods) Client(ctx context.Context, id string) (*storage.Client, error) {
	return one(ctx, m.db, "read client", row.Client, `FROM clients WHERE id = $1`, id)
}

// RemoveClient implements storage.Clients.
func (m Methods) RemoveClient(ctx context.Context, id string, audit *storage.AuditEvent) error {
	return change(ctx, m.db, Change{What: "remove client", Missing: storage.ErrNotFound, Kind: storage.ChangeClient, ID: id, Audit: audit},
		`DELETE FROM clients WHERE id = $1`, id)
}

// CreateRegistrationToken implements storage.RegistrationTokens.
func (m Methods) CreateRegistrationToken(ctx context.Context, t *storage.RegistrationToken, audit *storage.AuditEvent) error {
	columns := row.RegistrationToken(t)
	return m.db.Change(ctx, Change{What: "create registration token", Audit: audit}, row.Insert("registration_tokens", columns), fields(columns)...)
}

// RegistrationToken implements storage.RegistrationTokens.
func (m Methods) RegistrationToken(ctx context.Context, hash storage.Digest, now time.Time) (*storage.RegistrationToken, error) {
	return one(ctx, m.db, "read registration token", row.RegistrationToken,
		`FROM registration_tokens WHERE hash = $1 AND uses <> 0 AND (expires_at IS NULL OR expires_at > $2)`, &hash, &now)
}

// ListRegistrationTokens implements storage.RegistrationTokens.
func (m Methods) ListRegistrationTokens(ctx context.Context, after storage.ID, limit int) ([]*storage.RegistrationToken, error) {
	return list(ctx, m.db, "list registration tokens", row.RegistrationToken,
		`FROM registration_tokens WHERE id > $1 ORDER BY id LIMIT $2`, (*row.Token)(&after), max(limit, 0))
}

// RemoveRegistrationToken implements storage.RegistrationTokens.
func (m Methods) RemoveRegistrationToken(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return change(ctx, m.db, Change{What: "remove registration token", Missing: storage.ErrNotFound, Audit: audit}, `DELETE FROM registration_tokens WHERE id = $1`, &id)
}

// CreateResource implements storage.Resources.
func (m Methods) CreateResource(ctx context.Context, r *storage.Resource, audit *storage.AuditEvent) error {
	if !m.db.Keyed(r.Identifier) {
		return fmt.Errorf("create resource: identifier: %w", row.ErrText)
	}
	columns := row.Resource(r)
	return m.db.Change(ctx, Change{What: "create resource", Kind: storage.ChangeResources, ID: r.Identifier, Audit: audit},
		row.Insert("resources", columns), fields(columns)...)
}

// RemoveResource implements storage.Resources.
func (m Methods) RemoveResource(ctx context.Context, identifier string, audit *storage.AuditEvent) error {
	return change(ctx, m.db, Change{What: "remove resource", Missing: storage.ErrNotFound, Kind: storage.ChangeResources, ID: identifier, Audit: audit},
		`DELETE FROM resources WHERE identifier = $1`, identifier)
}

// ListResources implements storage.Resources.
func (m Methods) ListResources(ctx context.Context) ([]*storage.Resource, error) {
	return list(ctx, m.db, "list resources", row.Resource, `FROM resources ORDER BY identifier`)
}

// ListSigningKeys implements storage.SigningKeys.
func (m Methods) ListSigningKeys(ctx context.Context) ([]*storage.SigningKey, error) {
	return list(ctx, m.db, "list signing keys", row.SigningKey, `FROM signing_keys ORDER BY algorithm, sequence`)
}

// RetireSigningKey implements storage.SigningKeys.
func (m Methods) RetireSigningKey(ctx context.Context, kid string, retiresAt, expiresAt time.Time, audit *storage.AuditEvent) error {
	return change(ctx, m.db, Change{What: "retire signing key", Missing: storage.ErrNotFound, Kind: storage.ChangeSigningKeys, Audit: audit},
		`UPDATE signing_keys SET retires_at = $1, expires_at = $2 WHERE kid = $3`, &retiresAt, &expiresAt, kid)
}

// FinishIdempotencyKey implements storage.IdempotencyKeys.
func (m Methods) FinishIdempotencyKey(ctx context.Context, hash storage.Digest, result string, expiresAt time.Time) error {
	return change(ctx, m.db, Change{What: "finish idempotency key", Missing: storage.ErrNotFound},
		`UPDATE idempotency_keys SET result = $1, expires_at = $2 WHERE hash = $3`, &result, &expiresAt, &hash)
}

// RemoveIdempotencyKey implements storage.IdempotencyKeys.
func (m Methods) RemoveIdempotencyKey(ctx context.Context, hash storage.Digest) error {
	return m.db.Change(ctx, Change{What: "remove idempotency key"}, `DELETE FROM idempotency_keys WHERE hash = $1`, &hash)
}
