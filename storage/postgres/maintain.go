package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"latchkey/storage"
)

// Maintain implements storage.Store. One kind that fails does not keep the others from their turn.
func (s *Store) Maintain(ctx context.Context, now time.Time, batch int) (storage.Maintenance, error) {
	batch = max(batch, 1)
	var m storage.Maintenance
	var errs []error
	remove := func(n *int64, what, statement string) {
		err := s.do(ctx, what, func(ctx context.Context) (err error) {
			*n, err = s.count(ctx, statement, at(now), batch)
			return err
		})
		errs = append(errs, err)
		m.More = m.More || *n >= int64(batch)
	}
	// Rows that another replica is removing at this moment are skipped; so are those that someone else holds.
	// Only partitions that are never dropped whole are cleaned row by row.
	var adopted, stray int64
	remove(&adopted, "remove adopted grants", `
		WITH gone AS (DELETE FROM grants_adopted WHERE id IN (
			SELECT id FROM grants_adopted WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id)
		SELECT count(*) FROM gone`)
	remove(&stray, "remove stray grants", `
		WITH gone AS (DELETE FROM grants_default WHERE id IN (
			SELECT id FROM grants_default WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id)
		SELECT count(*) FROM gone`)
	m.Grants = adopted + stray
	remove(&m.RevokedTokens, "remove revoked tokens", `
		WITH gone AS (DELETE FROM revoked_tokens WHERE jti IN (
			SELECT jti FROM revoked_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING jti)
		SELECT count(*) FROM gone`)
	remove(&m.Throttles, "remove throttles", `
		WITH gone AS (DELETE FROM throttles WHERE key IN (
			SELECT key FROM throttles WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING key)
		SELECT count(*) FROM gone`)
	for _, kind := range []struct {
		removed    *int64
		table, key string
	}{
		{&m.BrowserSessions, "browser_sessions", "hash"},
		{&m.AuthorizationCodes, "authorization_codes", "hash"},
		{&m.UsedJTIs, "used_jtis", "client_id, jti"},
		{&m.PushedRequests, "pushed_requests", "hash"},
		{&m.LogoutNotices, "logout_notices", "id"},
		{&m.RegistrationTokens, "registration_tokens", "id"},
	} {
		remove(kind.removed, "remove "+kind.table, strings.NewReplacer("TABLE", kind.table, "KEY", kind.key).Replace(`
			WITH gone AS (DELETE FROM TABLE WHERE (KEY) IN (
				SELECT KEY FROM TABLE WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING expires_at)
			SELECT count(*) FROM gone`))
	}
	// Servers keep clients, so they are told; any may have gone.
	remove(&m.Clients, "remove clients", `
		WITH changed AS (DELETE FROM clients WHERE id IN (
			SELECT id FROM clients WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id),
		`+strings.Replace(tellClient, "$2::text", "''", 1)+`
		SELECT count(*) FROM changed`)

	created, err := s.createPartitions(ctx, now)
	m.PartitionsCreated, errs = created, append(errs, err)
	dropped, err := s.dropPartitions(ctx, now)
	m.PartitionsDropped, errs = dropped, append(errs, err)
	return m, errors.Join(errs...)
}
