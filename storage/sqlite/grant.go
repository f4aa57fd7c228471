package sqlite

import (
	"cmp"
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateGrant implements [storage.Grants].
func (s *Store) CreateGrant(ctx context.Context, g *storage.Grant, login *storage.Login, audit ...*storage.AuditEvent) error {
	return s.write(ctx, "create grant", func(t *tx) {
		t.check(keyed(g.ClientID), row.ErrText)
		t.createGrant(g)
		t.login(login, g.CreatedAt)
		t.audit(audit...)
	})
}

func (t *tx) createGrant(g *storage.Grant) { t.insert("grants", row.Grant(g)) }

var (
	liveGrants       = liveGrantsOf(row.UserWithoutProfile)
	grantByID        = liveGrants + ` WHERE g.id = ?`
	grantWithProfile = liveGrantsOf(row.UserWithProfile) + ` WHERE g.id = ?`
)

// liveGrantsOf reads grants with the state of their users and clients.
func liveGrantsOf(user func(*storage.User) []row.Column) string {
	return `
	SELECT ` + row.Names("g.", row.Grant) + `, ` + joinedUser(user) + `, ` + row.Names("", row.GrantClient) + `
	FROM grants AS g LEFT JOIN users AS u ON u.id = g.user_id LEFT JOIN clients AS c ON c.id = g.client_id`
}

// now returns the time of the database, which is that of this process, or of the clock that a test has set.
func (s *Store) now() time.Time {
	clock := time.Now
	if test := s.testClock.Load(); test != nil {
		clock = *test
	}
	return clock().UTC().Truncate(time.Microsecond)
}

// SetClock makes the database show the time of another clock, for tests. It concerns the times of chains.
func (s *Store) SetClock(now func() time.Time) { s.testClock.Store(&now) }

// scanGrant returns what reads a row of liveGrantsOf at a time.
func scanGrant(user func(*storage.User) []row.Column, now time.Time) func(scanner) (*storage.LiveGrant, error) {
	return func(r scanner) (*storage.LiveGrant, error) {
		g := storage.LiveGrant{Now: now}
		var u storage.User
		if err := r.Scan(row.Fields(field, row.Grant(&g.Grant), user(&u), row.GrantClient(&g))...); err != nil {
			return nil, err
		}
		g.User = found(&u)
		return &g, nil
	}
}

// Grant implements [storage.Grants].
func (s *Store) Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return readOne(ctx, s, "read grant", scanGrant(row.UserWithoutProfile, s.now()), grantByID, id[:])
}

// GrantWithProfile implements [storage.Grants].
func (s *Store) GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return readOne(ctx, s, "read grant", scanGrant(row.UserWithProfile, s.now()), grantWithProfile, id[:])
}

// alive is the condition that the grant g, its user and its client are alive at a time.
const alive = `g.revoked_at IS NULL AND g.expires_at > ?
	AND EXISTS (SELECT 1 FROM users AS u WHERE u.id = g.user_id AND u.active AND u.auth_epoch = g.user_epoch)
	AND EXISTS (SELECT 1 FROM clients AS c WHERE c.id = g.client_id AND NOT c.disabled AND c.auth_epoch = g.client_epoch)`

// moveGrant is the statement of MoveGrant; ?1 is the time, ?2 the token that becomes current, or NULL.
//
// A window that began in the future (by the clock of another process) counts as open if it began less than its length ahead.
const (
	moveKept  = `(?2 IS NULL AND g.window_at > ?1 - ?5 AND g.window_at < ?1 + ?5)`
	moveChain = `
		current_id = coalesce(?2, g.current_id),
		generation = iif(?2 IS NULL, g.generation, ?3),
		previous_id = iif(?2 IS NULL, g.previous_id, ?4),
		previous_retired_at = iif(?2 IS NULL, g.previous_retired_at, ?1),
		current_expires_at = iif(?2 IS NULL, coalesce(?6, g.current_expires_at), ?6),
		window_at = iif(` + moveKept + `, g.window_at, ?1),
		windows = CASE WHEN ?2 IS NOT NULL THEN 1 WHEN ` + moveKept + ` THEN g.windows ELSE g.windows + 1 END,
		last_used_at = max(coalesce(g.last_used_at, ?1), ?1)`
	moveGrant = `
	UPDATE grants AS g SET ` + moveChain + `,
		network = ?7, elsewhere = ?8, joins = ?9, joined_generation = ?10
	WHERE g.id = ?11 AND g.current_id = ?12
		AND g.network IS ?13 AND g.elsewhere = ?14 AND g.joins = ?15 AND g.joined_generation = ?16
		AND (?17 IS NULL OR NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = ?17))
		AND `
)

// MoveGrant implements [storage.Grants].
func (s *Store) MoveGrant(ctx context.Context, m storage.GrantMove, audit *storage.AuditEvent) (*storage.LiveGrant, error) {
	retired, was, then := cmp.Or(m.Retired, m.From), m.Was, m.Sharing
	return writeFor(ctx, s, "move grant", func(t *tx) *storage.LiveGrant {
		now := s.now()
		t.execOr(storage.ErrConflict, moveGrant+alive,
			now.UnixMicro(), (*uuidField)(&m.To), m.Generation, (*uuidField)(&retired), m.Window.Microseconds(), (*timeField)(&m.CurrentExpiresAt),
			(*nullIntField)(&then.Network), then.Elsewhere, then.Joins, then.JoinedGeneration,
			m.ID[:], m.From[:], (*nullIntField)(&was.Network), was.Elsewhere, was.Joins, was.JoinedGeneration,
			(*nullTextField)(&m.NotRevoked), now.UnixMicro())
		t.audit(audit)
		return get(t, scanGrant(row.UserWithoutProfile, now), grantByID, m.ID[:])
	})
}

// attemptGrant is the statement of AttemptGrant; ?1 to ?6 are those of moveGrant.
const attemptGrant = `
	UPDATE grants AS g SET ` + moveChain + `,
		network = iif(?2 IS NULL, g.network, coalesce(?7, g.network)), joined_generation = iif(?2 IS NULL, g.joined_generation, 0)
	WHERE g.id = ?8 AND g.current_id = ?9 AND g.client_id = ?10
		AND (?11 IS NULL OR g.generation = ?11 AND (g.current_expires_at IS NULL OR g.current_expires_at > ?1))
		AND g.dpop_jkt IS NULL AND NOT g.elsewhere AND g.joins = 0 AND (?7 IS NULL OR g.network IS NULL OR g.network = ?7)
		AND (?12 = 0 OR g.last_used_at >= ?1 - ?12)
		AND (?13 IS NULL OR NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = ?13))
		AND `

// AttemptGrant implements [storage.Grants].
func (s *Store) AttemptGrant(ctx context.Context, a storage.GrantAttempt) (moved *storage.LiveGrant, which int, err error) {
	read, user := grantByID, row.UserWithoutProfile
	if a.Profile {
		read, user = grantWithProfile, row.UserWithProfile
	}
	moved, err = writeFor(ctx, s, "attempt grant", func(t *tx) *storage.LiveGrant {
		t.check(keyed(a.ClientID, a.NotRevoked), storage.ErrConflict)
		now := s.now()
		for i, m := range a.Moves {
			retired := cmp.Or(m.Retired, m.From)
			n := t.exec(attemptGrant+alive,
				now.UnixMicro(), (*uuidField)(&m.To), m.Generation, (*uuidField)(&retired), m.Window.Microseconds(), (*timeField)(&m.CurrentExpiresAt),
				(*nullIntField)(&a.Network), a.ID[:], m.From[:], a.ClientID, m.FromGeneration, a.Idle.Microseconds(),
				(*nullTextField)(&a.NotRevoked), now.UnixMicro())
			if n > 0 {
				which = i
				return get(t, scanGrant(user, now), read, a.ID[:])
			}
		}
		t.fail(storage.ErrConflict)
		return nil
	})
	return moved, which, err
}

// RevokeGrant implements [storage.Grants].
func (s *Store) RevokeGrant(ctx context.Context, id storage.ID, reason string, now time.Time, audit *storage.AuditEvent) (bool, error) {
	return writeFor(ctx, s, "revoke grant", func(t *tx) bool {
		n := t.exec(`UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE id = ? AND revoked_at IS NULL`,
			now.UnixMicro(), row.Plain(reason), id[:])
		if n > 0 {
			t.audit(audit)
		}
		return n > 0
	})
}

// RevokeGrants implements [storage.Grants].
func (s *Store) RevokeGrants(ctx context.Context, f storage.GrantFilter, reason string, now time.Time, audit *storage.AuditEvent) (int, error) {
	where, args := selects(f, now.UnixMicro(), row.Plain(reason))
	return writeFor(ctx, s, "revoke grants", func(t *tx) int {
		n := t.exec(`
			UPDATE grants SET revoked_at = $1, revoke_reason = $2
			WHERE id IN (SELECT g.id FROM grants AS g WHERE g.revoked_at IS NULL`+where+`)`, args...)
		if n > 0 {
			t.audit(audit)
		}
		return int(n)
	})
}

// ListGrants implements [storage.Grants].
func (s *Store) ListGrants(ctx context.Context, f storage.GrantFilter) ([]*storage.LiveGrant, error) {
	where, args := selects(f)
	return readAll(ctx, s, "list grants", scanGrant(row.UserWithoutProfile, s.now()), liveGrants+` WHERE true`+where, args...)
}

// CountGrants implements [storage.Grants].
func (s *Store) CountGrants(ctx context.Context, f storage.GrantFilter) (int, error) {
	where, args := selects(f)
	return readOne(ctx, s, "count grants", value[int], `SELECT count(*) FROM (SELECT 1 FROM grants AS g WHERE true`+where+`)`, args...)
}

// selects returns the conditions, the order and the limit of a filter on grants g, and its arguments after others.
func selects(f storage.GrantFilter, others ...any) (string, []any) {
	where := row.Where{Args: others}
	where.And(true, `g.id > ?`, f.After[:])
	where.And(f.UserID != 0, `g.user_id = ?`, f.UserID)
	where.And(f.ClientID != "", `g.client_id = ?`, f.ClientID)
	where.And(!f.SessionID.IsZero(), `g.session_id = ?`, f.SessionID[:])
	where.And(!f.LiveAt.IsZero(), alive, f.LiveAt.UnixMicro())
	limit := where.Limit(f.Limit)
	return where.Conditions + ` ORDER BY g.id` + limit, where.Args
}

// limit returns the LIMIT of a filter whose zero limit means no limit.
func limit(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}
