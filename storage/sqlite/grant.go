package sqlite

import (
	"cmp"
	"context"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateGrant implements [storage.Grants].
func (s *Store) CreateGrant(ctx context.Context, g *storage.Grant, login *storage.Login, audit ...*storage.AuditEvent) error {
	if !keyed(g.ClientID) {
		return interpret("create grant", errText)
	}
	return s.write(ctx, "create grant", func(t *tx) {
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
	var moved *storage.LiveGrant
	err := s.write(ctx, "move grant", func(t *tx) {
		now := s.now()
		t.execOr(storage.ErrConflict, moveGrant+alive,
			now.UnixMicro(), (*uuidField)(&m.To), m.Generation, (*uuidField)(&retired), m.Window.Microseconds(), (*timeField)(&m.CurrentExpiresAt),
			(*nullIntField)(&then.Network), then.Elsewhere, then.Joins, then.JoinedGeneration,
			m.ID[:], m.From[:], (*nullIntField)(&was.Network), was.Elsewhere, was.Joins, was.JoinedGeneration,
			(*nullTextField)(&m.NotRevoked), now.UnixMicro())
		if t.err == nil {
			moved, t.err = one(t.conn, scanGrant(row.UserWithoutProfile, now), grantByID, m.ID[:])
		}
		t.audit(audit)
	})
	if err != nil {
		return nil, err
	}
	return moved, nil
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
	if !keyed(a.ClientID, a.NotRevoked) {
		return nil, 0, interpret("attempt grant", storage.ErrConflict)
	}
	read, user := grantByID, row.UserWithoutProfile
	if a.Profile {
		read, user = grantWithProfile, row.UserWithProfile
	}
	err = s.write(ctx, "attempt grant", func(t *tx) {
		now := s.now()
		for i, m := range a.Moves {
			retired := cmp.Or(m.Retired, m.From)
			n := t.exec(attemptGrant+alive,
				now.UnixMicro(), (*uuidField)(&m.To), m.Generation, (*uuidField)(&retired), m.Window.Microseconds(), (*timeField)(&m.CurrentExpiresAt),
				(*nullIntField)(&a.Network), a.ID[:], m.From[:], a.ClientID, m.FromGeneration, a.Idle.Microseconds(),
				(*nullTextField)(&a.NotRevoked), now.UnixMicro())
			if n > 0 {
				which = i
				moved, t.err = one(t.conn, scanGrant(user, now), read, a.ID[:])
				return
			}
		}
		t.fail(storage.ErrConflict)
	})
	if err != nil {
		return nil, 0, err
	}
	return moved, which, nil
}

// RevokeGrant implements [storage.Grants].
func (s *Store) RevokeGrant(ctx context.Context, id storage.ID, reason string, now time.Time, audit *storage.AuditEvent) (bool, error) {
	var n int64
	err := s.write(ctx, "revoke grant", func(t *tx) {
		n = t.exec(`UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE id = ? AND revoked_at IS NULL`,
			now.UnixMicro(), plain(reason), id[:])
		if n > 0 {
			t.audit(audit)
		}
	})
	return err == nil && n > 0, err
}

// RevokeGrants implements [storage.Grants].
func (s *Store) RevokeGrants(ctx context.Context, f storage.GrantFilter, reason string, now time.Time, audit *storage.AuditEvent) (int, error) {
	where, args := selects(f)
	args = append([]any{now.UnixMicro(), plain(reason)}, args...)
	var n int64
	err := s.write(ctx, "revoke grants", func(t *tx) {
		n = t.exec(`
			UPDATE grants SET revoked_at = ?, revoke_reason = ?
			WHERE id IN (SELECT g.id FROM grants AS g WHERE g.revoked_at IS NULL AND `+where+`)`, args...)
		if n > 0 {
			t.audit(audit)
		}
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// ListGrants implements [storage.Grants].
func (s *Store) ListGrants(ctx context.Context, f storage.GrantFilter) ([]*storage.LiveGrant, error) {
	where, args := selects(f)
	return readAll(ctx, s, "list grants", scanGrant(row.UserWithoutProfile, s.now()), liveGrants+` WHERE `+where, args...)
}

// CountGrants implements [storage.Grants].
func (s *Store) CountGrants(ctx context.Context, f storage.GrantFilter) (int, error) {
	where, args := selects(f)
	n, err := readOne(ctx, s, "count grants", func(r scanner) (n int, err error) {
		err = r.Scan(&n)
		return n, err
	},
		`SELECT count(*) FROM (SELECT 1 FROM grants AS g WHERE `+where+`)`, args...)
	return n, err
}

// selects returns the condition, the order and the limit of a filter on grants g, with its arguments.
func selects(f storage.GrantFilter) (string, []any) {
	where, args := []string{`g.id > ?`}, []any{f.After[:]}
	if f.UserID != 0 {
		where, args = append(where, `g.user_id = ?`), append(args, f.UserID)
	}
	if f.ClientID != "" {
		where, args = append(where, `g.client_id = ?`), append(args, f.ClientID)
	}
	if !f.SessionID.IsZero() {
		where, args = append(where, `g.session_id = ?`), append(args, f.SessionID[:])
	}
	if !f.LiveAt.IsZero() {
		where, args = append(where, alive), append(args, f.LiveAt.UnixMicro())
	}
	return strings.Join(where, ` AND `) + ` ORDER BY g.id LIMIT ?`, append(args, limit(f.Limit))
}

// limit returns the LIMIT of a filter whose zero limit means no limit.
func limit(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}
