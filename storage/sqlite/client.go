package sqlite

import (
	"cmp"
	"context"
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
	if !keyed(c.ID, string(c.Origin)) {
		return interpret("create client", errText)
	}
	stored := begun(c)
	err := s.write(ctx, "create client", func(tx conn) error { return tx.createClient(stored, audit) })
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

func (c conn) createClient(new *storage.Client, audit *storage.AuditEvent) error {
	if err := c.insert("clients", row.Client(new)); err != nil {
		return err
	}
	return c.changed(storage.ChangeClient, audit)
}

// CreateRegisteredClient implements [storage.Clients].
func (s *Store) CreateRegisteredClient(ctx context.Context, c *storage.Client, limit int, audit *storage.AuditEvent) (*storage.Client, error) {
	if !keyed(c.ID, string(c.Origin)) {
		return nil, interpret("create registered client", errText)
	}
	if c.RegistrationKey.IsZero() {
		return nil, interpret("create registered client", errKey)
	}
	var stored *storage.Client
	err := s.write(ctx, "create registered client", func(tx conn) (err error) {
		stored, err = one(tx, scan(row.Client), clientByRegistration, c.RegistrationKey[:])
		switch {
		case isNoRow(err):
			err = tx.createWithin(begun(c), limit, audit)
		case err == nil && !stored.ExpiresAt.IsZero() && c.ExpiresAt.After(stored.ExpiresAt):
			err = tx.prolong(stored.ID, c.ExpiresAt)
		}
		if err != nil {
			return err
		}
		stored, err = one(tx, scan(row.Client), clientByRegistration, c.RegistrationKey[:])
		return err
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

func (c conn) prolong(client string, expiresAt time.Time) error {
	if _, err := c.exec(`UPDATE clients SET expires_at = ? WHERE id = ?`, micros(expiresAt), client); err != nil {
		return err
	}
	return c.changed(storage.ChangeClient, nil)
}

// createWithin creates a client unless limit clients with an ExpiresAt exist.
func (c conn) createWithin(new *storage.Client, limit int, audit *storage.AuditEvent) error {
	var waiting int
	err := c.row(`SELECT count(*) FROM (SELECT 1 FROM clients WHERE expires_at IS NOT NULL LIMIT ?)`, []any{max(limit, 0)}, &waiting)
	if err != nil {
		return err
	}
	if waiting >= limit {
		return storage.ErrLimit
	}
	return c.createClient(new, audit)
}

// Client implements [storage.Clients].
func (s *Store) Client(ctx context.Context, id string) (*storage.Client, error) {
	return readOne(ctx, s, "read client", scan(row.Client), `SELECT `+clientColumns+` FROM clients WHERE id = ?`, id)
}

// ListClients implements [storage.Clients].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]*storage.Client, error) {
	return readAll(ctx, s, "list clients", scan(row.Client),
		`SELECT `+clientColumns+` FROM clients WHERE id > ? ORDER BY id LIMIT ?`, after, max(limit, 0))
}

// ClientHasOrigin implements [storage.Clients].
func (s *Store) ClientHasOrigin(ctx context.Context, origin string) (bool, error) {
	return readOne(ctx, s, "read client origin", func(row scanner) (known bool, err error) {
		err = row.Scan(&known)
		return known, err
	}, `
		SELECT EXISTS (SELECT 1 FROM client_origins JOIN clients ON clients.id = client_id WHERE client_origins.origin = ? AND NOT disabled)`,
		origin)
}

// UpdateClient implements [storage.Clients].
func (s *Store) UpdateClient(ctx context.Context, c *storage.Client, audit *storage.AuditEvent) error {
	var version, epoch int64
	err := s.write(ctx, "update client", func(tx conn) error {
		err := tx.row(`
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
		if isNoRow(err) {
			return tx.conflict(`SELECT 1 FROM clients WHERE id = ?`, c.ID)
		}
		if err != nil {
			return err
		}
		return tx.changed(storage.ChangeClient, audit)
	})
	if err != nil {
		return err
	}
	c.Version, c.AuthEpoch = version, epoch
	return nil
}

// conflict returns why a guarded statement wrote nothing: the row has changed, or does not exist.
func (c conn) conflict(query string, key any) error {
	var found int
	if err := c.row(query, []any{key}, &found); err != nil {
		return err
	}
	return storage.ErrConflict
}

// RaiseClientEpoch implements [storage.Clients].
func (s *Store) RaiseClientEpoch(ctx context.Context, id string, now time.Time, audit *storage.AuditEvent) error {
	return s.write(ctx, "raise client epoch", func(c conn) error {
		n, err := c.exec(`UPDATE clients SET auth_epoch = `+raiseEpoch+` WHERE id = ? OR ? = ''`, now.UnixMicro(), id, id)
		if err != nil {
			return err
		}
		if n == 0 && id != "" {
			return storage.ErrNotFound
		}
		return c.changed(storage.ChangeClient, audit)
	})
}

// RemoveClient implements [storage.Clients].
func (s *Store) RemoveClient(ctx context.Context, id string, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove client", func(c conn) error {
		if err := c.execOne(audit, `DELETE FROM clients WHERE id = ?`, id); err != nil {
			return err
		}
		return c.changed(storage.ChangeClient, nil)
	})
}
