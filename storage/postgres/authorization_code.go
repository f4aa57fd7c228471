package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// removeCodes and inOrder form a statement that removes unredeemed codes of the user $1. The rows are locked in the order of their
// keys, since the end of a session and the end of a consent may remove the same ones.
const (
	removeCodes = `DELETE FROM authorization_codes WHERE hash IN (
		SELECT hash FROM authorization_codes WHERE user_id = $1 AND redeemed_at IS NULL`
	inOrder = ` ORDER BY hash FOR UPDATE)`
)

var createCode = `WITH log AS (` + insertAudit + `) ` + insert("authorization_codes", 2, row.AuthorizationCode)

// createPushedCode stores the code $5 … if it removes the pushed request $2 of the client $3 that has not expired at $4. A caller that
// waits for another to remove the row finds none.
var createPushedCode = `
	WITH pushed AS (
		DELETE FROM pushed_requests WHERE hash = $2 AND client_id = $3 AND expires_at > $4 RETURNING hash
	), log AS (` + insertAudit + ` WHERE EXISTS (SELECT FROM pushed)), stored AS (
		INSERT INTO authorization_codes (` + row.Names("", row.AuthorizationCode) + `) SELECT ` + values(5, row.AuthorizationCode) + ` FROM pushed
	)
	SELECT count(*) FROM pushed`

// CreateAuthorizationCode implements storage.AuthorizationCodes.
func (s *Store) CreateAuthorizationCode(ctx context.Context, c *storage.AuthorizationCode, audit ...*storage.AuditEvent) error {
	if !keyed(c.ClientID) || !row.Clean(c.RedirectURI) {
		return fmt.Errorf("create authorization code: %w", errText)
	}
	fields := row.Fields(arg, row.AuthorizationCode(c))
	if c.Pushed.IsZero() {
		return s.exec(ctx, "create authorization code", createCode, append([]any{events(audit...)}, fields...)...)
	}
	args := append([]any{events(audit...), digest(c.Pushed), c.ClientID, at(c.CreatedAt)}, fields...)
	n, err := s.count(ctx, "create authorization code", createPushedCode, args...)
	return unless(n > 0, err, "create authorization code", storage.ErrConflict)
}

var codeByHash = `
	SELECT ` + row.Names("a.", row.AuthorizationCode) + `, ` + joinedUser(row.UserWithProfile) + `
	FROM authorization_codes a ` + joinUser("a.user_id", row.UserWithProfile) + ` WHERE a.hash = $1`

// AuthorizationCode implements storage.AuthorizationCodes.
func (s *Store) AuthorizationCode(ctx context.Context, hash storage.Digest) (*storage.LiveAuthorizationCode, error) {
	return queryRow(ctx, s, "read authorization code", func(r pgx.CollectableRow) (*storage.LiveAuthorizationCode, error) {
		var c storage.LiveAuthorizationCode
		var u storage.User
		err := r.Scan(row.Fields(target, row.AuthorizationCode(&c.AuthorizationCode), row.UserWithProfile(&u))...)
		c.User = found(&u)
		return &c, err
	}, codeByHash, digest(hash))
}

// redeemCode stores the grant $7 … of the code $1: $2 is the grant's ID, $3 the client, $4 the user, $5 the time, $6 the events.
var redeemCode = `
	WITH session AS (
		SELECT s.id FROM authorization_codes a JOIN browser_sessions s ON s.id = a.session_id AND s.user_id = a.user_id
		WHERE a.hash = $1 FOR KEY SHARE OF s
	), code AS (
		UPDATE authorization_codes a SET redeemed_at = $5, grant_id = $2
		WHERE a.hash = $1 AND a.client_id = $3 AND a.user_id = $4 AND a.redeemed_at IS NULL
			AND a.valid_until > $5 AND a.session_id = (SELECT id FROM session)
			AND (SELECT auth_epoch FROM ` + presentUsers + ` WHERE id = a.user_id AND active) = a.user_epoch
			AND (SELECT auth_epoch FROM clients WHERE id = a.client_id AND NOT disabled) = a.client_epoch
		RETURNING a.hash
	), stored AS (
		INSERT INTO grants (` + grantColumns + `) SELECT ` + values(7, row.Grant) + ` FROM code
	), changed AS (
		UPDATE clients SET expires_at = NULL WHERE id = $3 AND expires_at IS NOT NULL AND EXISTS (SELECT FROM code)
		RETURNING id
	), ` + notify(storage.ChangeClient, "$3") + `, log AS (` + insertAuditOf(6) + ` WHERE EXISTS (SELECT FROM code))
	SELECT count(*) FROM code`

// RedeemAuthorizationCode implements storage.AuthorizationCodes.
//
// It locks the session's row, so that an end of the session either waits for the grant and revokes it, or came first. An end of the
// consent waits for the code's row. An epoch that is raised meanwhile needs no lock: the grant carries the code's epoch and is dead.
// Locks are taken in the order session, code, client.
func (s *Store) RedeemAuthorizationCode(ctx context.Context, hash storage.Digest, g *storage.Grant, audit ...*storage.AuditEvent) error {
	if !keyed(g.ClientID) {
		return fmt.Errorf("redeem authorization code: %w", storage.ErrConflict)
	}
	args := append([]any{digest(hash), uuid(g.ID), g.ClientID, g.UserID, at(g.CreatedAt), events(audit...)}, row.Fields(arg, row.Grant(g))...)
	n, err := s.count(ctx, "redeem authorization code", redeemCode, args...)
	return unless(n > 0, err, "redeem authorization code", storage.ErrConflict)
}
