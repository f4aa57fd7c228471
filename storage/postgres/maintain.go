package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"latchkey/storage"
)

// expired removes a batch of the rows of a table that have expired. Rows that someone else has locked, such as another replica that
// is removing them, are skipped.
const expired = `DELETE FROM TABLE WHERE (KEY) IN (
	SELECT KEY FROM TABLE WHERE expires_at <= $1 ORDER LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING expires_at`

// Maintain implements storage.Store. If one kind fails, the others are still removed.
func (s *Store) Maintain(ctx context.Context, now time.Time, batch int) (storage.Maintenance, error) {
	batch = max(batch, 1)
	var m storage.Maintenance
	var errs []error
	var adopted, stray int64
	const oldest = `ORDER BY expires_at` // for tables that have an index on it
	for _, kind := range []struct {
		removed                   *int64
		table, key, order, notify string
	}{
		// Only partitions that are never dropped as a whole are cleaned row by row.
		{&adopted, "grants_adopted", "id", "", ""},
		{&stray, "grants_default", "id", "", ""},
		{&m.RevokedTokens, "revoked_tokens", "jti", oldest, ""},
		{&m.IssuedTokens, "issued_tokens", "jti", oldest, ""},
		{&m.Throttles, "throttles", "key", "", ""},
		{&m.BrowserSessions, "browser_sessions", "hash", oldest, ""},
		{&m.AuthorizationCodes, "authorization_codes", "hash", oldest, ""},
		{&m.DeviceCodes, "device_codes", "hash", oldest, ""},
		{&m.UsedJTIs, "used_jtis", "client_id, jti", oldest, ""},
		{&m.PushedRequests, "pushed_requests", "hash", oldest, ""},
		{&m.LogoutNotices, "logout_notices", "id", oldest, ""},
		{&m.RegistrationTokens, "registration_tokens", "id", oldest, ""},
		{&m.IdempotencyKeys, "idempotency_keys", "hash", oldest, ""},
		{&m.AccountTokens, "account_tokens", "hash", oldest, ""},
		{&m.OutboxMessages, "outbox", "id", oldest, ""},
		{&m.UndeliveredLetters, "undelivered_letters", "id", oldest, ""},
		{&m.Factors, "factors", "id", oldest, ""},
		// Servers cache clients, so they are notified that some were removed.
		{&m.Clients, "clients", "id", oldest, ", " + notify(storage.ChangeClient, "''")},
	} {
		remove := strings.NewReplacer("TABLE", kind.table, "KEY", kind.key, "ORDER", kind.order).Replace(expired)
		n, err := s.count(ctx, "clean "+kind.table, `WITH changed AS (`+remove+`)`+kind.notify+` SELECT count(*) FROM changed`, at(now), batch)
		*kind.removed, errs = n, append(errs, err)
		m.More = m.More || n >= int64(batch)
	}
	m.Grants = adopted + stray

	created, err := s.createPartitions(ctx, now)
	m.PartitionsCreated, errs = created, append(errs, err)
	dropped, err := s.dropPartitions(ctx, now)
	m.PartitionsDropped, errs = dropped, append(errs, err)
	return m, errors.Join(errs...)
}
