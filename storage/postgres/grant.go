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
	liveGrants       = liveGrantsOf(row.UserWithoutProfile)
	grantByID        = liveGrants + ` WHERE g.id = $1`
	grantWithProfile = liveGrantsOf(row.UserWithProfile) + ` WHERE g.id = $1`
)

func liveGrantsOf(user func(*storage.User) []row.Column) string {
	return `
	SELECT ` + row.Names("g.", row.Grant) + `, ` + joinedUser(user) + `, ` + row.Names("", row.GrantClient) + `
	FROM grants g ` + joinUser("g.user_id", user) + `
	LEFT JOIN LATERAL (SELECT id, disabled, auth_epoch FROM clients WHERE id = g.client_id OFFSET 0) AS c ON true`
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

// scanGrant returns what reads a row of liveGrantsOf.
func scanGrant(user func(*storage.User) []row.Column) pgx.RowToFunc[*storage.LiveGrant] {
	return func(r pgx.CollectableRow) (*storage.LiveGrant, error) {
		var g storage.LiveGrant
		var u storage.User
		err := r.Scan(row.Fields(target, row.Grant(&g.Grant), user(&u), row.GrantClient(&g))...)
		g.User = found(&u)
		return &g, err
	}
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
	return queryRow(ctx, s, "read grant", scanGrant(row.UserWithoutProfile), grantByID, uuid(id))
}

// GrantWithProfile implements storage.Grants.
func (s *Store) GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return queryRow(ctx, s, "read grant", scanGrant(row.UserWithProfile), grantWithProfile, uuid(id))
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
	return queryRows(ctx, s, "list grants", scanGrant(row.UserWithoutProfile), liveGrants+` WHERE `+selected+` ORDER BY g.id LIMIT $1`, filterArgs(f)...)
}

func filterArgs(f storage.GrantFilter) []any {
	return []any{limited(f.Limit), uuid(f.After), at(f.LiveAt), zeronull.Int8(f.UserID), zeronull.Text(f.ClientID), uuid(f.SessionID)}
}
