package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	clientColumns = row.Names("", row.Client)
	notifyClient  = notify(storage.ChangeClient, "$2::text")
	// createClient creates a client unless its ID is the subject of a user. It returns whether it has done so, and whether a user has the subject.
	createClient = `
		WITH changed AS (
			INSERT INTO clients (` + clientColumns + `) SELECT ` + values(2, row.Client) + `
			WHERE NOT ` + subjectTaken + `
			RETURNING id
		), ` + notifyClient + `, log AS (` + insertAudit + ` WHERE EXISTS (SELECT FROM changed))
		SELECT EXISTS (SELECT FROM changed), ` + subjectTaken
	// createClientByToken is createClient for the caller that has the initial access token $16 at $17, of which it takes one use.
	createClientByToken = `
		WITH used AS (
			UPDATE registration_tokens SET uses = CASE WHEN uses > 0 THEN uses - 1 ELSE uses END
			WHERE hash = $16 AND uses <> 0 AND (expires_at IS NULL OR expires_at > $17) AND NOT ` + subjectTaken + `
			RETURNING id
		), changed AS (
			INSERT INTO clients (` + clientColumns + `) SELECT ` + values(2, row.Client) + ` FROM used
			RETURNING id
		), ` + notifyClient + `, log AS (` + insertAudit + ` WHERE EXISTS (SELECT FROM changed))
		SELECT EXISTS (SELECT FROM changed), ` + subjectTaken
	// createClientWithin creates a client unless its registration key is taken or $16 clients with an end exist.
	createClientWithin = `
		WITH changed AS (
			INSERT INTO clients (` + clientColumns + `) SELECT ` + values(2, row.Client) + `
			WHERE NOT EXISTS (SELECT FROM clients WHERE registration_key = $14)
				AND (SELECT count(*) FROM (SELECT FROM clients WHERE expires_at IS NOT NULL LIMIT $16) AS counted) < $16
			RETURNING id
		), ` + notifyClient + logChanged
)

// subjectTaken is whether a user has the subject $2.
const subjectTaken = `EXISTS (SELECT FROM users WHERE coalesce(subject, users.id::text COLLATE "C") = $2)`

// newClient returns a new client as it is stored.
func newClient(c *storage.Client) (*storage.Client, error) {
	if !keyed(c.ID, string(c.Origin)) {
		return nil, fmt.Errorf("id: %w", errText)
	}
	stored := *c
	stored.AuthEpoch, stored.Version, stored.Origin = c.CreatedAt.UnixMicro(), 1, cmp.Or(c.Origin, storage.OriginOperator)
	return &stored, nil
}

// CreateClient implements storage.Clients.
func (s *Store) CreateClient(ctx context.Context, c *storage.Client, audit *storage.AuditEvent) error {
	return s.createClient(ctx, "create client", c, createClient, audit)
}

// createClient creates a client by a statement that has more arguments than the event and the row. ErrNotFound: it did not.
func (s *Store) createClient(ctx context.Context, what string, c *storage.Client, statement string, audit *storage.AuditEvent, more ...any) error {
	stored, err := newClient(c)
	if err != nil {
		return translate(what, err)
	}
	var created, taken bool
	b := &pgx.Batch{}
	b.Queue(lockSubjects)
	b.Queue(statement, slices.Concat([]any{events(audit)}, row.Fields(arg, row.Client(stored)), more)...).
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

// CreateRegisteredClient implements storage.Clients.
//
// Row locks can enforce neither the limit nor a key that may be absent, so registrations run one at a time, and each sees those
// before it. They are rare, and the lock is held for about a millisecond.
func (s *Store) CreateRegisteredClient(ctx context.Context, c *storage.Client, limit int, audit *storage.AuditEvent) (*storage.Client, error) {
	if c.RegistrationKey.IsZero() {
		return nil, fmt.Errorf("create registered client: %w", errKey)
	}
	created, err := newClient(c)
	if err != nil {
		return nil, fmt.Errorf("create registered client: %w", err)
	}
	var stored storage.Client
	b := &pgx.Batch{}
	b.Queue(`SELECT pg_advisory_xact_lock('clients_registration_key_idx'::regclass::bigint)`)
	b.Queue(`
		WITH changed AS (
			UPDATE clients SET expires_at = $3 WHERE registration_key = $1 AND expires_at < $3 RETURNING id
		), `+notifyClient+` SELECT FROM changed`, digest(c.RegistrationKey), "", at(c.ExpiresAt))
	b.Queue(createClientWithin, append(append([]any{events(audit)}, row.Fields(arg, row.Client(created))...), int64(max(limit, 0)))...)
	b.Queue(`SELECT `+clientColumns+` FROM clients WHERE registration_key = $1`, digest(c.RegistrationKey)).
		QueryRow(func(r pgx.Row) error { return r.Scan(row.Fields(target, row.Client(&stored))...) })
	b.Queue(awaitStandbys) // the client may be one that was stored before
	err = s.batch(ctx, "create registered client", b)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, fmt.Errorf("create registered client: %w", storage.ErrLimit)
	case err != nil:
		return nil, err
	}
	return &stored, nil
}

// ListClients implements storage.Clients.
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]*storage.Client, error) {
	if !keyed(after) {
		return nil, fmt.Errorf("list clients: after: %w", errText)
	}
	return queryRows(ctx, s, "list clients", scan(row.Client),
		`SELECT `+clientColumns+` FROM clients WHERE id > $1 ORDER BY id LIMIT $2`, after, max(limit, 0))
}

// ClientHasOrigin implements storage.Clients.
func (s *Store) ClientHasOrigin(ctx context.Context, origin string) (known bool, err error) {
	if !keyed(origin) {
		return false, nil
	}
	err = s.readInto(ctx, "read client origin", []any{&known}, `
			SELECT EXISTS (SELECT FROM clients WHERE client_origins(metadata) @> ARRAY[$1::text] AND NOT disabled)`, origin)
	return known, err
}

// UpdateClient implements storage.Clients.
func (s *Store) UpdateClient(ctx context.Context, c *storage.Client, audit ...*storage.AuditEvent) error {
	if !keyed(c.ID) {
		return fmt.Errorf("update client: %w", storage.ErrNotFound)
	}
	return s.do(ctx, "update client", func(ctx context.Context, conn *pgx.Conn) error {
		var version, epoch *int64 // NULL: the client exists in another version
		err := conn.QueryRow(ctx, `
			WITH changed AS (
				UPDATE clients SET metadata = $3::jsonb, secret_mac = $4, previous_secret_mac = $5, previous_secret_expires_at = $6,
					disabled = $7, auth_epoch = greatest(auth_epoch, $8), version = version + 1, updated_at = $9,
					registration_mac = $11, registration_key = $12, expires_at = CASE WHEN expires_at IS NULL THEN NULL ELSE $13::timestamptz END
				WHERE id = $2::text AND version = $10
				RETURNING id, version, auth_epoch
			), dropped AS (
				DELETE FROM consents USING changed WHERE $14::boolean AND consents.client_id = changed.id
			), `+notifyClient+`, log AS (`+insertAudit+` WHERE EXISTS (SELECT FROM changed))
			SELECT changed.version, changed.auth_epoch FROM clients LEFT JOIN changed USING (id) WHERE clients.id = $2::text`,
			events(audit...), c.ID, document(c.Metadata), digest(c.SecretMAC), digest(c.PreviousSecretMAC), at(c.PreviousSecretExpiresAt), c.Disabled,
			c.AuthEpoch, at(c.UpdatedAt), c.Version, digest(c.RegistrationMAC), digest(c.RegistrationKey), at(c.ExpiresAt), c.DropConsents).Scan(&version, &epoch)
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
	n, err := s.change(ctx, "raise client epoch", `
		WITH target AS (
			SELECT id FROM clients WHERE $2::text = '' OR id = $2::text ORDER BY id FOR UPDATE
		), changed AS (
			UPDATE clients SET auth_epoch = greatest(auth_epoch + 1, $3) FROM target WHERE clients.id = target.id
			RETURNING clients.id
		), `+notifyClient+`, log AS (`+insertAudit+` WHERE $2::text = '' OR EXISTS (SELECT FROM changed))
		SELECT count(*) FROM changed`, events(audit), id, now.UnixMicro())
	if err == nil && n == 0 && id != "" {
		return fmt.Errorf("raise client epoch: %w", storage.ErrNotFound)
	}
	return err
}
