package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	clientColumns        = row.Names("", row.Client)
	clientByRegistration = `SELECT ` + clientColumns + ` FROM clients WHERE registration_key = ?`
)

// CreateClient implements [storage.Clients].
func (s *Store) CreateClient(ctx context.Context, c *storage.Client, audit *storage.AuditEvent) error {
	return s.createClientAfter(ctx, "create client", c, audit, func(*tx) {})
}

// createClientAfter creates a client unless what comes first in its transaction fails.
func (s *Store) createClientAfter(ctx context.Context, what string, c *storage.Client, audit *storage.AuditEvent, first func(*tx)) error {
	stored := begun(c)
	err := s.write(ctx, what, func(t *tx) {
		t.check(keyed(c.ID, string(c.Origin)), row.ErrText)
		first(t)
		if _, found := find(t, row.User, userBySub, c.ID); found {
			t.fail(fmt.Errorf("a user has the id as their subject: %w", storage.ErrExists))
		}
		t.createClient(stored, audit)
	})
	if err != nil {
		return err
	}
	c.AuthEpoch, c.Version, c.Origin = stored.AuthEpoch, stored.Version, stored.Origin
	return nil
}

// begun returns a new client as it is stored.
func begun(c *storage.Client) *storage.Client {
	stored := *c
	stored.AuthEpoch, stored.Version, stored.Origin = c.CreatedAt.UnixMicro(), 1, cmp.Or(c.Origin, storage.OriginOperator)
	return &stored
}

func (t *tx) createClient(new *storage.Client, audit *storage.AuditEvent) {
	t.insert("clients", row.Client(new))
	t.changed(storage.ChangeClient)
	t.audit(audit)
}

// CreateRegisteredClient implements [storage.Clients].
func (s *Store) CreateRegisteredClient(ctx context.Context, c *storage.Client, limit int, audit *storage.AuditEvent) (*storage.Client, error) {
	return writeFor(ctx, s, "create registered client", func(t *tx) *storage.Client {
		t.check(keyed(c.ID, string(c.Origin)), row.ErrText)
		t.check(!c.RegistrationKey.IsZero(), errKey)
		before, found := find(t, row.Client, clientByRegistration, c.RegistrationKey[:])
		switch {
		case !found:
			t.createWithin(begun(c), limit, audit)
		case !before.ExpiresAt.IsZero() && c.ExpiresAt.After(before.ExpiresAt):
			t.exec(`UPDATE clients SET expires_at = ? WHERE id = ?`, micros(c.ExpiresAt), before.ID)
			t.changed(storage.ChangeClient)
		}
		return get(t, scan(row.Client), clientByRegistration, c.RegistrationKey[:])
	})
}

// createWithin creates a client unless limit clients with an ExpiresAt exist.
func (t *tx) createWithin(new *storage.Client, limit int, audit *storage.AuditEvent) {
	var waiting int
	t.row(`SELECT count(*) FROM (SELECT 1 FROM clients WHERE expires_at IS NOT NULL LIMIT ?)`, []any{max(limit, 0)}, &waiting)
	t.check(waiting < limit, storage.ErrLimit)
	t.createClient(new, audit)
}

// ListClients implements [storage.Clients].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]*storage.Client, error) {
	return readAll(ctx, s, "list clients", scan(row.Client),
		`SELECT `+clientColumns+` FROM clients WHERE id > ? ORDER BY id LIMIT ?`, after, max(limit, 0))
}

// ClientHasOrigin implements [storage.Clients].
func (s *Store) ClientHasOrigin(ctx context.Context, origin string) (bool, error) {
	return readOne(ctx, s, "read client origin", value[bool], `
		SELECT EXISTS (SELECT 1 FROM client_origins JOIN clients ON clients.id = client_id WHERE client_origins.origin = ? AND NOT disabled)`,
		origin)
}

// UpdateClient implements [storage.Clients].
func (s *Store) UpdateClient(ctx context.Context, c *storage.Client, audit ...*storage.AuditEvent) error {
	var version, epoch int64
	err := s.write(ctx, "update client", func(t *tx) {
		updated := t.row(`
			UPDATE clients SET metadata = ?, secret_mac = ?, previous_secret_mac = ?, previous_secret_expires_at = ?,
				disabled = ?, auth_epoch = max(auth_epoch, ?), version = version + 1, updated_at = ?,
				registration_mac = ?, registration_key = ?, expires_at = CASE WHEN expires_at IS NULL THEN NULL ELSE ? END
			WHERE id = ? AND version = ?
			RETURNING version, auth_epoch`,
			[]any{
				string(c.Metadata), digest(c.SecretMAC), digest(c.PreviousSecretMAC), micros(c.PreviousSecretExpiresAt),
				c.Disabled, c.AuthEpoch, micros(c.UpdatedAt), digest(c.RegistrationMAC), digest(c.RegistrationKey), micros(c.ExpiresAt),
				c.ID, c.Version,
			}, &version, &epoch)
		switch {
		case updated:
		case t.row(`SELECT version FROM clients WHERE id = ?`, []any{c.ID}, &version):
			t.fail(storage.ErrConflict)
		default:
			t.fail(storage.ErrNotFound)
		}
		if c.DropConsents {
			t.exec(`DELETE FROM consents WHERE client_id = ?`, c.ID)
		}
		t.changed(storage.ChangeClient)
		t.audit(audit...)
	})
	if err != nil {
		return err
	}
	c.Version, c.AuthEpoch = version, epoch
	return nil
}

// RaiseClientEpoch implements [storage.Clients].
func (s *Store) RaiseClientEpoch(ctx context.Context, id string, now time.Time, audit *storage.AuditEvent) error {
	return s.write(ctx, "raise client epoch", func(t *tx) {
		n := t.exec(`UPDATE clients SET auth_epoch = `+raiseEpoch+` WHERE id = ? OR ? = ''`, now.UnixMicro(), id, id)
		t.check(n > 0 || id == "", storage.ErrNotFound)
		t.changed(storage.ChangeClient)
		t.audit(audit)
	})
}
