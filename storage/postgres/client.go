package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

const clientColumns = `id, metadata, secret_mac, previous_secret_mac, previous_secret_expires_at, disabled, auth_epoch,
	version, created_at, updated_at, origin, registration_mac, registration_key, expires_at`

// tellClient is the CTE that tells every server about the client $2 when the CTE changed has rows.
// It counts them, so that it locks the row of changes only after all of theirs, in the same order everywhere.
const tellClient = `
	told AS (
		UPDATE changes SET version = version + 1 WHERE kind = 'client' AND (SELECT count(*) FROM changed) > 0
		RETURNING pg_notify('latchkey_changes', kind || ':' || version || ':' || $2::text)
	)`

func clientFields(c *storage.Client) []any {
	return []any{
		&c.ID, (*[]byte)(&c.Metadata), (*digestTo)(&c.SecretMAC), (*digestTo)(&c.PreviousSecretMAC),
		(*instant)(&c.PreviousSecretExpiresAt), &c.Disabled, &c.AuthEpoch, &c.Version,
		(*instant)(&c.CreatedAt), (*instant)(&c.UpdatedAt), (*string)(&c.Origin), (*digestTo)(&c.RegistrationMAC),
		(*digestTo)(&c.RegistrationKey), (*instant)(&c.ExpiresAt),
	}
}

// clientValues are the values of clientColumns for a new client: $2 … $14, see newClientArgs.
const clientValues = `$2::text, $3::jsonb, $4::bytea, $5::bytea, $6::timestamptz, $7::boolean, $8::bigint, 1, $9::timestamptz, $10::timestamptz,
	$11::text, $12::bytea, $13::bytea, $14::timestamptz`

// newClientArgs are $1 … $14 of the statements that create a client: the audit event and clientValues.
func newClientArgs(c *storage.Client, audit *storage.AuditEvent) ([]any, error) {
	if !keyed(c.ID, string(c.Origin)) {
		return nil, fmt.Errorf("id: %w", errText)
	}
	metadata, err := document(c.Metadata)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	encoded, err := events(audit)
	if err != nil {
		return nil, err
	}
	return []any{
		encoded, c.ID, metadata, digest(c.SecretMAC), digest(c.PreviousSecretMAC), at(c.PreviousSecretExpiresAt), c.Disabled,
		c.CreatedAt.UnixMicro(), at(c.CreatedAt), at(c.UpdatedAt), string(cmp.Or(c.Origin, storage.OriginOperator)),
		digest(c.RegistrationMAC), digest(c.RegistrationKey), at(c.ExpiresAt),
	}, nil
}

// CreateClient implements storage.Clients.
func (s *Store) CreateClient(ctx context.Context, c *storage.Client, audit *storage.AuditEvent) error {
	args, err := newClientArgs(c, audit)
	if err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	err = s.one(ctx, "create client", `
		WITH changed AS (
			INSERT INTO clients (`+clientColumns+`) VALUES (`+clientValues+`) RETURNING id
		), `+tellClient+`, log AS (`+insertAudit+`)
		SELECT count(*) FROM changed`, args...)
	if err != nil {
		return err
	}
	c.AuthEpoch, c.Version, c.Origin = c.CreatedAt.UnixMicro(), 1, cmp.Or(c.Origin, storage.OriginOperator)
	return nil
}

// CreateRegisteredClient implements storage.Clients.
//
// Row locks can enforce neither the limit nor a key that may be absent, so registrations run one at a time, and each sees those
// before it. They are rare, and the lock is held for about a millisecond.
func (s *Store) CreateRegisteredClient(ctx context.Context, c *storage.Client, limit int, audit *storage.AuditEvent) (*storage.Client, error) {
	if c.RegistrationKey.IsZero() {
		return nil, fmt.Errorf("create registered client: %w", errKey)
	}
	args, err := newClientArgs(c, audit)
	if err != nil {
		return nil, fmt.Errorf("create registered client: %w", err)
	}
	var stored storage.Client
	err = s.do(ctx, "create registered client", func(ctx context.Context) error {
		b := &pgx.Batch{}
		b.Queue(`SELECT pg_advisory_xact_lock('clients_registration_key_idx'::regclass::bigint)`)
		b.Queue(`
			WITH changed AS (
				UPDATE clients SET expires_at = $3 WHERE registration_key = $1 AND expires_at < $3 RETURNING id
			), `+tellClient+` SELECT FROM changed`, digest(c.RegistrationKey), "", at(c.ExpiresAt))
		b.Queue(`
			WITH changed AS (
				INSERT INTO clients (`+clientColumns+`) SELECT `+clientValues+`
				WHERE NOT EXISTS (SELECT FROM clients WHERE registration_key = $13::bytea)
					AND (SELECT count(*) FROM (SELECT FROM clients WHERE expires_at IS NOT NULL LIMIT $15) AS counted) < $15
				RETURNING id
			), `+tellClient+`, log AS (`+insertAudit+` WHERE EXISTS (SELECT FROM changed))
			SELECT count(*) FROM changed`, append(args, int64(max(limit, 0)))...)
		b.Queue(`SELECT `+clientColumns+` FROM clients WHERE registration_key = $1`, digest(c.RegistrationKey)).
			QueryRow(func(row pgx.Row) error { return row.Scan(clientFields(&stored)...) })
		err := s.batch(ctx, b)
		if errors.Is(err, pgx.ErrNoRows) {
			return storage.ErrLimit
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &stored, nil
}

// Client implements storage.Clients.
func (s *Store) Client(ctx context.Context, id string) (*storage.Client, error) {
	if !keyed(id) {
		return nil, fmt.Errorf("read client: %w", storage.ErrNotFound)
	}
	var c storage.Client
	err := s.do(ctx, "read client", func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, `SELECT `+clientColumns+` FROM clients WHERE id = $1`, id).Scan(clientFields(&c)...)
	})
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// ListClients implements storage.Clients.
func (s *Store) ListClients(ctx context.Context, after string, limit int) (list []*storage.Client, err error) {
	if !keyed(after) {
		return nil, fmt.Errorf("list clients: after: %w", errText)
	}
	err = s.do(ctx, "list clients", func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, `SELECT `+clientColumns+` FROM clients WHERE id > $1 ORDER BY id LIMIT $2`, after, max(limit, 0))
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*storage.Client, error) {
			var c storage.Client
			return &c, row.Scan(clientFields(&c)...)
		})
		return err
	})
	return list, err
}

// ClientHasOrigin implements storage.Clients.
func (s *Store) ClientHasOrigin(ctx context.Context, origin string) (known bool, err error) {
	if !keyed(origin) {
		return false, nil
	}
	err = s.do(ctx, "read client origin", func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM clients WHERE client_origins(metadata) @> ARRAY[$1::text] AND NOT disabled)`, origin).Scan(&known)
	})
	return known, err
}

// UpdateClient implements storage.Clients.
func (s *Store) UpdateClient(ctx context.Context, c *storage.Client, audit *storage.AuditEvent) error {
	if !keyed(c.ID) {
		return fmt.Errorf("update client: %w", storage.ErrNotFound)
	}
	metadata, err := document(c.Metadata)
	if err != nil {
		return fmt.Errorf("update client: metadata: %w", err)
	}
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	return s.do(ctx, "update client", func(ctx context.Context) error {
		var version, epoch *int64 // NULL: the client exists in another version
		err := s.pool.QueryRow(ctx, `
			WITH changed AS (
				UPDATE clients SET metadata = $3::jsonb, secret_mac = $4, previous_secret_mac = $5, previous_secret_expires_at = $6,
					disabled = $7, auth_epoch = greatest(auth_epoch, $8), version = version + 1, updated_at = $9,
					registration_mac = $11, registration_key = $12, expires_at = CASE WHEN expires_at IS NULL THEN NULL ELSE $13::timestamptz END
				WHERE id = $2::text AND version = $10
				RETURNING id, version, auth_epoch
			), `+tellClient+`, log AS (`+insertAudit+` WHERE EXISTS (SELECT FROM changed))
			SELECT changed.version, changed.auth_epoch FROM clients LEFT JOIN changed USING (id) WHERE clients.id = $2::text`,
			encoded, c.ID, metadata, digest(c.SecretMAC), digest(c.PreviousSecretMAC), at(c.PreviousSecretExpiresAt), c.Disabled,
			c.AuthEpoch, at(c.UpdatedAt), c.Version, digest(c.RegistrationMAC), digest(c.RegistrationKey), at(c.ExpiresAt)).Scan(&version, &epoch)
		if err != nil {
			return err
		}
		if version == nil {
			return storage.ErrConflict
		}
		c.Version, c.AuthEpoch = *version, *epoch
		return nil
	})
}

// RaiseClientEpoch implements storage.Clients.
func (s *Store) RaiseClientEpoch(ctx context.Context, id string, now time.Time, audit *storage.AuditEvent) error {
	if !keyed(id) {
		return fmt.Errorf("raise client epoch: %w", storage.ErrNotFound)
	}
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	return s.do(ctx, "raise client epoch", func(ctx context.Context) error {
		n, err := s.count(ctx, `
			WITH target AS (
				SELECT id FROM clients WHERE $2::text = '' OR id = $2::text ORDER BY id FOR UPDATE
			), changed AS (
				UPDATE clients SET auth_epoch = greatest(auth_epoch + 1, $3) FROM target WHERE clients.id = target.id
				RETURNING clients.id
			), `+tellClient+`, log AS (`+insertAudit+` WHERE $2::text = '' OR EXISTS (SELECT FROM changed))
			SELECT count(*) FROM changed`, encoded, id, now.UnixMicro())
		if err == nil && n == 0 && id != "" {
			return storage.ErrNotFound
		}
		return err
	})
}

// RemoveClient implements storage.Clients.
func (s *Store) RemoveClient(ctx context.Context, id string, audit *storage.AuditEvent) error {
	if !keyed(id) {
		return fmt.Errorf("remove client: %w", storage.ErrNotFound)
	}
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	return s.one(ctx, "remove client", `
		WITH changed AS (DELETE FROM clients WHERE id = $2::text RETURNING id),
		`+tellClient+`, log AS (`+insertAudit+` WHERE EXISTS (SELECT FROM changed))
		SELECT count(*) FROM changed`, encoded, id)
}
