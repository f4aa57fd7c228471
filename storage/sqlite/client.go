package sqlite

import (
	"context"
	"encoding/json"
	"time"

	"latchkey/storage"
)

const clientColumns = `id, metadata, secret_mac, previous_secret_mac, previous_secret_expires_at, disabled, auth_epoch,
	version, created_at, updated_at`

func scanClient(row scanner) (*storage.Client, error) {
	var c storage.Client
	var metadata string
	err := row.Scan(&c.ID, &metadata, bytesTo(c.SecretMAC[:]), bytesTo(c.PreviousSecretMAC[:]),
		timeTo(&c.PreviousSecretExpiresAt), &c.Disabled, &c.AuthEpoch, &c.Version, timeTo(&c.CreatedAt), timeTo(&c.UpdatedAt))
	if err != nil {
		return nil, err
	}
	c.Metadata = json.RawMessage(metadata)
	return &c, nil
}

// CreateClient implements [storage.Clients].
func (s *Store) CreateClient(ctx context.Context, c *storage.Client, audit *storage.AuditEvent) error {
	if !keyed(c.ID) {
		return interpret("create client", errText)
	}
	epoch := c.CreatedAt.UnixMicro()
	err := s.write(ctx, "create client", func(tx conn) error {
		_, err := tx.exec(`
			INSERT INTO clients (id, metadata, secret_mac, previous_secret_mac, previous_secret_expires_at, disabled,
				auth_epoch, version, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)`,
			c.ID, string(c.Metadata), digest(c.SecretMAC), digest(c.PreviousSecretMAC), micros(c.PreviousSecretExpiresAt),
			c.Disabled, epoch, micros(c.CreatedAt), micros(c.UpdatedAt))
		if err != nil {
			return err
		}
		return tx.changed(storage.ChangeClient, audit)
	})
	if err != nil {
		return err
	}
	c.AuthEpoch, c.Version = epoch, 1
	return nil
}

// Client implements [storage.Clients].
func (s *Store) Client(ctx context.Context, id string) (*storage.Client, error) {
	c, err := one(s.reader(ctx), scanClient, `SELECT `+clientColumns+` FROM clients WHERE id = ?`, id)
	return c, interpret("read client", err)
}

// ListClients implements [storage.Clients].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]*storage.Client, error) {
	list, err := all(s.reader(ctx), scanClient,
		`SELECT `+clientColumns+` FROM clients WHERE id > ? ORDER BY id LIMIT ?`, after, max(limit, 0))
	return list, interpret("list clients", err)
}

// UpdateClient implements [storage.Clients].
func (s *Store) UpdateClient(ctx context.Context, c *storage.Client, audit *storage.AuditEvent) error {
	var version, epoch int64
	err := s.write(ctx, "update client", func(tx conn) error {
		err := tx.row(`
			UPDATE clients SET metadata = ?, secret_mac = ?, previous_secret_mac = ?, previous_secret_expires_at = ?,
				disabled = ?, auth_epoch = max(auth_epoch, ?), version = version + 1, updated_at = ?
			WHERE id = ? AND version = ?
			RETURNING version, auth_epoch`,
			[]any{
				string(c.Metadata), digest(c.SecretMAC), digest(c.PreviousSecretMAC), micros(c.PreviousSecretExpiresAt),
				c.Disabled, c.AuthEpoch, micros(c.UpdatedAt), c.ID, c.Version,
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

// conflict tells why a guarded statement wrote nothing: the row is another one by now, or is not there.
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
		if err := c.must(audit, `DELETE FROM clients WHERE id = ?`, id); err != nil {
			return err
		}
		return c.changed(storage.ChangeClient, nil)
	})
}
