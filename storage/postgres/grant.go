package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
)

// grantColumns, grantValues and grantArgs are what a new grant is made of.
const (
	grantColumns = `id, client_id, user_id, scope, audience, user_epoch, client_epoch, auth_time, created_at, expires_at, address, user_agent,
		current_id, generation, window_at, previous_id, previous_retired_at, last_used_at, revoked_at, revoke_reason,
		session_id, amr, claims`
	grantValues = `$1::uuid, $2::text, $3::bigint, $4::text, $5::text, $6::bigint, $7::bigint, $8::timestamptz, $9::timestamptz,
		$10::timestamptz, $11::text, $12::text, coalesce($13::uuid, '00000000-0000-0000-0000-000000000000'), $14::bigint,
		$15::timestamptz, $16::uuid, $17::timestamptz, $18::timestamptz, $19::timestamptz, $20::text,
		$21::uuid, $22::text, $23::text`
)

func grantArgs(g *storage.Grant) []any {
	return []any{
		uuid(g.ID), g.ClientID, g.UserID, plain(strings.Join(g.Scope, " ")), plain(strings.Join(g.Audience, " ")),
		g.UserEpoch, g.ClientEpoch, at(g.AuthTime), at(g.CreatedAt), at(g.ExpiresAt), plain(g.Address), plain(g.UserAgent),
		uuid(g.Current), g.Generation, at(g.WindowAt), uuid(g.Previous), at(g.PreviousRetiredAt), at(g.LastUsedAt),
		at(g.RevokedAt), plain(g.RevokeReason), uuid(g.SessionID), plain(strings.Join(g.AMR, " ")), plain(g.Claims),
	}
}

// liveGrants reads grants with the state of their users and clients; see joinUser.
var liveGrants = `
	SELECT g.id, g.client_id, g.user_id, g.scope, g.audience, g.user_epoch, g.client_epoch, g.auth_time, g.created_at,
		g.expires_at, g.address, g.user_agent, g.current_id, g.generation, g.window_at, g.previous_id, g.previous_retired_at,
		g.last_used_at, g.revoked_at, g.revoke_reason, g.session_id, g.amr, g.claims, ` + joinedUser + `,
		c.id IS NOT NULL, coalesce(c.disabled, false), coalesce(c.auth_epoch, 0)
	FROM grants g ` + joinUser("g.user_id") + `
	LEFT JOIN LATERAL (SELECT id, disabled, auth_epoch FROM clients WHERE id = g.client_id OFFSET 0) AS c ON true`

// live is the condition that the grant g, its user and its client are alive at the time $3. As subqueries, these take half
// the time of joins to plan.
const live = `
	g.revoked_at IS NULL AND g.expires_at > $3
	AND (SELECT auth_epoch FROM users WHERE id = g.user_id AND active) = g.user_epoch
	AND (SELECT auth_epoch FROM clients WHERE id = g.client_id AND NOT disabled) = g.client_epoch`

// selected is the condition of a GrantFilter: $1 is the limit, $2 After, $3 LiveAt, $4 UserID, $5 ClientID, $6 SessionID; NULL
// selects all. Postgres plans each of these statements with its values, so that what is NULL costs nothing.
const selected = `
	($2::uuid IS NULL OR g.id > $2) AND ($3::timestamptz IS NULL OR (` + live + `))
	AND ($4::bigint IS NULL OR g.user_id = $4) AND ($5::text IS NULL OR g.client_id = $5)
	AND ($6::uuid IS NULL OR g.session_id = $6)`

func scanLiveGrant(row pgx.CollectableRow) (*storage.LiveGrant, error) {
	var g storage.LiveGrant
	var u userDest
	fields := append([]any{
		(*zeronull.UUID)(&g.ID), &g.ClientID, &g.UserID, (*wordsTo)(&g.Scope), (*wordsTo)(&g.Audience), &g.UserEpoch, &g.ClientEpoch,
		(*instant)(&g.AuthTime), (*instant)(&g.CreatedAt), (*instant)(&g.ExpiresAt), &g.Address, &g.UserAgent,
		(*zeronull.UUID)(&g.Current), &g.Generation, (*instant)(&g.WindowAt), (*zeronull.UUID)(&g.Previous),
		(*instant)(&g.PreviousRetiredAt), (*instant)(&g.LastUsedAt), (*instant)(&g.RevokedAt), &g.RevokeReason,
		(*zeronull.UUID)(&g.SessionID), (*wordsTo)(&g.AMR), &g.Claims,
	}, u.fields()...)
	if err := row.Scan(append(fields, &g.ClientExists, &g.ClientDisabled, &g.ClientAuthEpoch)...); err != nil {
		return nil, err
	}
	g.User = u.user()
	return &g, nil
}

// CreateGrant implements storage.Grants.
func (s *Store) CreateGrant(ctx context.Context, g *storage.Grant, login *storage.Login, audit ...*storage.AuditEvent) error {
	if !keyed(g.ClientID) {
		return fmt.Errorf("create grant: client: %w", errText)
	}
	encoded, err := events(audit...)
	if err != nil {
		return err
	}
	return s.do(ctx, "create grant", func(ctx context.Context) error {
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO grants (`+grantColumns+`) VALUES (`+grantValues+`)`, grantArgs(g)...)
		if login != nil {
			finishLogin(b, login)
		}
		if encoded != "[]" {
			b.Queue(insertAudit, encoded)
		}
		return s.batch(ctx, b)
	})
}

// Grant implements storage.Grants.
func (s *Store) Grant(ctx context.Context, id storage.ID) (g *storage.LiveGrant, err error) {
	err = s.do(ctx, "read grant", func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, liveGrants+` WHERE g.id = $1`, uuid(id))
		if err != nil {
			return err
		}
		g, err = pgx.CollectExactlyOneRow(rows, scanLiveGrant)
		return err
	})
	return g, err
}

// TouchGrant implements storage.Grants.
//
// Who waits for the row's lock is judged again by the row as it is then, and computes window_at from it: all callers
// within a window get the same one. A window that began in the future (another server's clock) counts as open
// while it is less than its length away.
func (s *Store) TouchGrant(ctx context.Context, id storage.ID, current storage.TokenID, window time.Duration, now time.Time) (windowAt time.Time, err error) {
	err = s.do(ctx, "touch grant", func(ctx context.Context) error {
		err := s.pool.QueryRow(ctx, `
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

// AdvanceGrant implements storage.Grants.
func (s *Store) AdvanceGrant(ctx context.Context, a storage.GrantAdvance, audit *storage.AuditEvent) error {
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	retired := a.Retired
	if retired == (storage.TokenID{}) {
		retired = a.From
	}
	statement := `
		UPDATE grants g SET current_id = $4, generation = $5, previous_id = $6,
			previous_retired_at = $3, window_at = $3, last_used_at = $3
		WHERE g.id = $1 AND g.current_id = $2 AND ` + live + `
		RETURNING g.id`
	args := []any{uuid(a.ID), uuid(a.From), at(a.Now), uuid(a.To), a.Generation, uuid(retired)}
	if audit != nil {
		statement = `WITH changed AS (` + statement + `), log AS (` + strings.Replace(insertAudit, "$1", "$7", 1) + `
			WHERE EXISTS (SELECT FROM changed)) SELECT id FROM changed`
		args = append(args, encoded)
	}
	return s.do(ctx, "advance grant", func(ctx context.Context) error {
		var id zeronull.UUID
		return orConflict(s.pool.QueryRow(ctx, statement, args...).Scan(&id))
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
func (s *Store) RevokeGrant(ctx context.Context, id storage.ID, reason string, now time.Time, audit *storage.AuditEvent) (ended bool, err error) {
	encoded, err := events(audit)
	if err != nil {
		return false, err
	}
	err = s.do(ctx, "revoke grant", func(ctx context.Context) error {
		n, err := s.count(ctx, `
			WITH changed AS (
				UPDATE grants SET revoked_at = $3, revoke_reason = $4 WHERE id = $2 AND revoked_at IS NULL RETURNING id
			), log AS (`+insertAudit+` WHERE EXISTS (SELECT FROM changed))
			SELECT count(*) FROM changed`, encoded, uuid(id), at(now), plain(reason))
		ended = n > 0
		return err
	})
	return ended, err
}

// RevokeGrants implements storage.Grants. It waits for the rows that a refresh holds: skipping them would let a
// session survive.
func (s *Store) RevokeGrants(ctx context.Context, f storage.GrantFilter, reason string, now time.Time, audit *storage.AuditEvent) (ended int, err error) {
	if !keyed(f.ClientID) {
		return 0, nil
	}
	encoded, err := events(audit)
	if err != nil {
		return 0, err
	}
	statement := `
		WITH target AS (
			SELECT g.id FROM grants g
			WHERE g.revoked_at IS NULL AND ` + selected + `
			ORDER BY g.id LIMIT $1 FOR UPDATE OF g
		), changed AS (
			UPDATE grants SET revoked_at = $7, revoke_reason = $8 FROM target
			WHERE grants.id = target.id AND grants.revoked_at IS NULL RETURNING grants.id
		), log AS (` + strings.Replace(insertAudit, "$1", "$9", 1) + ` WHERE EXISTS (SELECT FROM changed))
		SELECT count(*) FROM changed`
	err = s.do(ctx, "revoke grants", func(ctx context.Context) error {
		n, err := s.count(ctx, statement, append(filterArgs(f), at(now), plain(reason), encoded)...)
		ended = int(n)
		return err
	})
	return ended, err
}

// ListGrants implements storage.Grants.
func (s *Store) ListGrants(ctx context.Context, f storage.GrantFilter) (list []*storage.LiveGrant, err error) {
	if !keyed(f.ClientID) {
		return nil, nil
	}
	err = s.do(ctx, "list grants", func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, liveGrants+` WHERE `+selected+` ORDER BY g.id LIMIT $1`, filterArgs(f)...)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, scanLiveGrant)
		return err
	})
	return list, err
}

func filterArgs(f storage.GrantFilter) []any {
	return []any{limited(f.Limit), uuid(f.After), at(f.LiveAt), zeronull.Int8(f.UserID), zeronull.Text(f.ClientID), uuid(f.SessionID)}
}
