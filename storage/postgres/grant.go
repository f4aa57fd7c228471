package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	grantColumns = row.Names("", row.Grant)
	insertGrant  = insert("grants", 1, row.Grant)
	// liveGrants reads grants with the state of their users and clients; see joinUser.
	liveGrants       = liveGrantsOf("", "grants g", row.UserWithoutProfile)
	readGrant        = readGrantWith(row.UserWithoutProfile)
	readGrantProfile = readGrantWith(row.UserWithProfile)
)

// liveGrantsOf returns the statement that reads, after a first column, grants from a table.
func liveGrantsOf(first, table string, user func(*storage.User) []row.Column) string {
	return `
	SELECT ` + first + row.Names("g.", row.Grant) + `, ` + joinedUser(user) + `, ` + row.Names("", row.GrantClient) + `
	FROM ` + table + ` ` + joinUser("g.user_id", user) + `
	LEFT JOIN LATERAL (SELECT id, disabled, auth_epoch FROM clients WHERE id = g.client_id OFFSET 0) AS c ON true`
}

// readGrantWith reads grants by their IDs.
func readGrantWith(user func(*storage.User) []row.Column) *grantStatement[storage.ID, storage.LiveGrant] {
	return &grantStatement[storage.ID, storage.LiveGrant]{
		one:    liveGrantsOf("1, ", "TABLE g", user) + ` WHERE g.id = $1`,
		many:   liveGrantsOf("m.n, ", "unnest((SELECT $1::uuid[])) WITH ORDINALITY AS m (id, n) JOIN TABLE g ON g.id = m.id", user),
		id:     func(id storage.ID) storage.ID { return id },
		args:   func(id storage.ID) []any { return []any{uuid(id)} },
		argsOf: func(ids []storage.ID) []any { return []any{uuids(ids)} },
		scan: func() (*storage.LiveGrant, []any, func()) {
			g, u := &storage.LiveGrant{}, &storage.User{}
			return g, row.Fields(target, row.Grant(&g.Grant), user(u), row.GrantClient(g)), func() { g.User = found(u) }
		},
	}
}

// live is the condition that the grant g, its user and its client are alive at the time $3. Subqueries take half the time of joins
// to plan.
const live = `
	g.revoked_at IS NULL AND g.expires_at > $3
	AND (SELECT auth_epoch FROM users WHERE id = g.user_id AND active) = g.user_epoch
	AND (SELECT auth_epoch FROM clients WHERE id = g.client_id AND NOT disabled) = g.client_epoch`

// selected is the condition of a GrantFilter: $1 is the limit, $2 After, $3 LiveAt, $4 UserID, $5 ClientID, $6 SessionID; NULL
// selects all. Postgres plans each of these statements for its values, so that a NULL costs nothing.
const selected = `
	($2::uuid IS NULL OR g.id > $2) AND ($3::timestamptz IS NULL OR (` + live + `))
	AND ($4::bigint IS NULL OR g.user_id = $4) AND ($5::text IS NULL OR g.client_id = $5)
	AND ($6::uuid IS NULL OR g.session_id = $6)`

func scanLiveGrant(r pgx.CollectableRow) (*storage.LiveGrant, error) {
	g, fields, filled := readGrant.scan()
	err := r.Scan(fields...)
	filled()
	return g, err
}

// CreateGrant implements storage.Grants.
func (s *Store) CreateGrant(ctx context.Context, g *storage.Grant, login *storage.Login, audit ...*storage.AuditEvent) error {
	if !keyed(g.ClientID) {
		return fmt.Errorf("create grant: client: %w", errText)
	}
	b := &pgx.Batch{}
	b.Queue(insertGrant, row.Fields(arg, row.Grant(g))...)
	if login != nil {
		finishLogin(b, login)
	}
	queueEvents(b, audit)
	return s.batch(ctx, "create grant", b)
}

// Grant implements storage.Grants.
func (s *Store) Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return orNotFound(s.reads.do(ctx, id))
}

// GrantWithProfile implements storage.Grants.
func (s *Store) GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return orNotFound(s.readsWithProfile.do(ctx, id))
}

func orNotFound(g *storage.LiveGrant, err error) (*storage.LiveGrant, error) {
	if err == nil && g == nil {
		err = translate("read grant", storage.ErrNotFound)
	}
	return g, err
}

// TouchGrant implements storage.Grants.
//
// A caller that waits for the row's lock checks the row as it is then and computes window_at from it, so that all callers within a
// window get the same one. A window that began in the future (by another server's clock) counts as open if it began less than its
// length ahead.
func (s *Store) TouchGrant(ctx context.Context, id storage.ID, current storage.TokenID, window time.Duration, now time.Time) (windowAt time.Time, err error) {
	err = s.do(ctx, "touch grant", func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, `
			UPDATE grants g SET last_used_at = $3, window_at = CASE
				WHEN g.window_at > $3::timestamptz - $4 * interval '1 microsecond'
					AND g.window_at < $3::timestamptz + $4 * interval '1 microsecond' THEN g.window_at ELSE $3 END
			WHERE g.id = $1 AND g.current_id = $2 AND `+live+`
			RETURNING g.window_at`,
			uuid(id), uuid(current), at(now), window.Microseconds()).Scan((*instant)(&windowAt))
		return orConflict(err)
	})
	return windowAt, err
}

const advanceGrant = `
	UPDATE grants g SET current_id = $4, generation = $5, previous_id = $6,
		previous_retired_at = $3, window_at = $3, last_used_at = $3
	WHERE g.id = $1 AND g.current_id = $2 AND ` + live + `
	RETURNING g.id`

var advanceGrantAndLog = `WITH changed AS (` + advanceGrant + `), log AS (` + insertAuditOf(7) + ` WHERE EXISTS (SELECT FROM changed))
	SELECT id FROM changed`

// AdvanceGrant implements storage.Grants.
func (s *Store) AdvanceGrant(ctx context.Context, a storage.GrantAdvance, audit *storage.AuditEvent) error {
	statement := advanceGrant
	args := []any{uuid(a.ID), uuid(a.From), at(a.Now), uuid(a.To), a.Generation, uuid(cmp.Or(a.Retired, a.From))}
	if audit != nil {
		statement, args = advanceGrantAndLog, append(args, events(audit))
	}
	return s.do(ctx, "advance grant", func(ctx context.Context, conn *pgx.Conn) error {
		var id zeronull.UUID
		return orConflict(conn.QueryRow(ctx, statement, args...).Scan(&id))
	})
}

// orConflict: a guarded UPDATE that found no row met a state that it does not apply to.
func orConflict(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return storage.ErrConflict
	}
	return err
}

// RevokeGrant implements storage.Grants.
func (s *Store) RevokeGrant(ctx context.Context, id storage.ID, reason string, now time.Time, audit *storage.AuditEvent) (bool, error) {
	n, err := s.change(ctx, "revoke grant", `
		WITH changed AS (
			UPDATE grants SET revoked_at = $3, revoke_reason = $4 WHERE id = $2 AND revoked_at IS NULL RETURNING id
		)`+logChanged, events(audit), uuid(id), at(now), plain(reason))
	return n > 0, err
}

var revokeGrants = `
	WITH target AS (
		SELECT g.id FROM grants g
		WHERE g.revoked_at IS NULL AND ` + selected + `
		ORDER BY g.id LIMIT $1 FOR UPDATE OF g
	), changed AS (
		UPDATE grants SET revoked_at = $7, revoke_reason = $8 FROM target
		WHERE grants.id = target.id AND grants.revoked_at IS NULL RETURNING grants.id
	), log AS (` + insertAuditOf(9) + ` WHERE EXISTS (SELECT FROM changed))
	SELECT count(*) FROM changed`

// RevokeGrants implements storage.Grants. It waits for rows that a refresh has locked: skipping them would let a session survive.
func (s *Store) RevokeGrants(ctx context.Context, f storage.GrantFilter, reason string, now time.Time, audit *storage.AuditEvent) (int, error) {
	if !keyed(f.ClientID) {
		return 0, nil
	}
	n, err := s.change(ctx, "revoke grants", revokeGrants, append(filterArgs(f), at(now), plain(reason), events(audit))...)
	return int(n), err
}

// ListGrants implements storage.Grants.
func (s *Store) ListGrants(ctx context.Context, f storage.GrantFilter) ([]*storage.LiveGrant, error) {
	if !keyed(f.ClientID) {
		return nil, nil
	}
	return queryRows(ctx, s, "list grants", scanLiveGrant, liveGrants+` WHERE `+selected+` ORDER BY g.id LIMIT $1`, filterArgs(f)...)
}

func filterArgs(f storage.GrantFilter) []any {
	return []any{limited(f.Limit), uuid(f.After), at(f.LiveAt), zeronull.Int8(f.UserID), zeronull.Text(f.ClientID), uuid(f.SessionID)}
}
