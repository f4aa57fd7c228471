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

// scanGrant returns what reads a row of liveGrantsOf.
func scanGrant(user func(*storage.User) []row.Column) func(scanner) (*storage.LiveGrant, error) {
	return func(r scanner) (*storage.LiveGrant, error) {
		var g storage.LiveGrant
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
	return readOne(ctx, s, "read grant", scanGrant(row.UserWithoutProfile), grantByID, id[:])
}

// GrantWithProfile implements [storage.Grants].
func (s *Store) GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return readOne(ctx, s, "read grant", scanGrant(row.UserWithProfile), grantWithProfile, id[:])
}

// alive is the condition that the grant g, its user and its client are alive at a time.
const alive = `g.revoked_at IS NULL AND g.expires_at > ?
	AND EXISTS (SELECT 1 FROM users AS u WHERE u.id = g.user_id AND u.active AND u.auth_epoch = g.user_epoch)
	AND EXISTS (SELECT 1 FROM clients AS c WHERE c.id = g.client_id AND NOT c.disabled AND c.auth_epoch = g.client_epoch)`

// TouchGrant implements [storage.Grants]. A window that began in the future (by the clock of another process) counts as open if it
// began less than its length ahead.
func (s *Store) TouchGrant(ctx context.Context, id storage.ID, current storage.TokenID, window time.Duration, now time.Time) (time.Time, error) {
	var windowAt time.Time
	err := s.write(ctx, "touch grant", func(t *tx) {
		touched := t.row(`
			UPDATE grants AS g SET last_used_at = ?1,
				window_at = CASE WHEN g.window_at > ?1 - ?2 AND g.window_at < ?1 + ?2 THEN g.window_at ELSE ?1 END
			WHERE g.id = ? AND g.current_id = ? AND `+alive+`
			RETURNING window_at`,
			[]any{now.UnixMicro(), window.Microseconds(), id[:], current[:], now.UnixMicro()}, (*timeField)(&windowAt))
		if !touched {
			t.fail(storage.ErrConflict)
		}
	})
	if err != nil {
		return time.Time{}, err
	}
	return windowAt, nil
}

// AdvanceGrant implements [storage.Grants].
func (s *Store) AdvanceGrant(ctx context.Context, a storage.GrantAdvance, audit *storage.AuditEvent) error {
	retired := cmp.Or(a.Retired, a.From)
	now := a.Now.UnixMicro()
	return s.write(ctx, "advance grant", func(t *tx) {
		t.execOr(storage.ErrConflict, `
			UPDATE grants AS g SET current_id = ?, generation = ?, previous_id = ?,
				window_at = ?, last_used_at = ?, previous_retired_at = ?
			WHERE g.id = ? AND g.current_id = ? AND `+alive,
			a.To[:], a.Generation, (*uuidField)(&retired), now, now, now, a.ID[:], a.From[:], now)
		t.audit(audit)
	})
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
	return readAll(ctx, s, "list grants", scanGrant(row.UserWithoutProfile), liveGrants+` WHERE `+where, args...)
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
