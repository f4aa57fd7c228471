package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
)

// removeCodes and inOrder are a statement that removes codes of the user $1 that are out. The rows are locked in the order of
// their keys: who ends a session and who takes a consent back may want the same ones.
const (
	removeCodes = `DELETE FROM authorization_codes WHERE hash IN (
		SELECT hash FROM authorization_codes WHERE user_id = $1 AND redeemed_at IS NULL`
	inOrder = ` ORDER BY hash FOR UPDATE)`
)

// CreateAuthorizationCode implements storage.AuthorizationCodes.
func (s *Store) CreateAuthorizationCode(ctx context.Context, a *storage.AuthorizationCode, audit ...*storage.AuditEvent) error {
	if !keyed(a.ClientID) || !clean(a.RedirectURI) {
		return fmt.Errorf("create authorization code: %w", errText)
	}
	encoded, err := events(audit...)
	if err != nil {
		return err
	}
	return s.do(ctx, "create authorization code", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `
			WITH log AS (`+insertAudit+`)
			INSERT INTO authorization_codes (hash, client_id, user_id, session_id, user_epoch, client_epoch, redirect_uri, code_challenge,
				scope, audience, nonce, auth_time, amr, claims, created_at, valid_until, expires_at, redeemed_at, grant_id)
			VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
			encoded, digest(a.Hash), a.ClientID, a.UserID, uuid(a.SessionID), a.UserEpoch, a.ClientEpoch, a.RedirectURI, plain(a.CodeChallenge),
			plain(strings.Join(a.Scope, " ")), plain(strings.Join(a.Audience, " ")), plain(a.Nonce), at(a.AuthTime),
			plain(strings.Join(a.AMR, " ")), plain(a.Claims), at(a.CreatedAt), at(a.ValidUntil), at(a.ExpiresAt), at(a.RedeemedAt),
			uuid(a.GrantID))
		return err
	})
}

// AuthorizationCode implements storage.AuthorizationCodes.
func (s *Store) AuthorizationCode(ctx context.Context, hash storage.Digest) (*storage.LiveAuthorizationCode, error) {
	var a storage.LiveAuthorizationCode
	var u userDest
	fields := append([]any{
		(*digestTo)(&a.Hash), &a.ClientID, &a.UserID, (*zeronull.UUID)(&a.SessionID), &a.UserEpoch, &a.ClientEpoch, &a.RedirectURI,
		&a.CodeChallenge, (*wordsTo)(&a.Scope), (*wordsTo)(&a.Audience), &a.Nonce, (*instant)(&a.AuthTime), (*wordsTo)(&a.AMR),
		&a.Claims, (*instant)(&a.CreatedAt), (*instant)(&a.ValidUntil), (*instant)(&a.ExpiresAt), (*instant)(&a.RedeemedAt),
		(*zeronull.UUID)(&a.GrantID),
	}, u.fields()...)
	err := s.do(ctx, "read authorization code", func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, `
			SELECT a.hash, a.client_id, a.user_id, a.session_id, a.user_epoch, a.client_epoch, a.redirect_uri, a.code_challenge, a.scope,
				a.audience, a.nonce, a.auth_time, a.amr, a.claims, a.created_at, a.valid_until, a.expires_at, a.redeemed_at, a.grant_id,
				`+joinedUser+`
			FROM authorization_codes a `+joinUser("a.user_id")+` WHERE a.hash = $1`, digest(hash)).Scan(fields...)
	})
	if err != nil {
		return nil, err
	}
	a.User = u.user()
	return &a, nil
}

// RedeemAuthorizationCode implements storage.AuthorizationCodes.
//
// It holds the session's row, so that who ends the session either waits for the grant, and revokes it, or was faster. Who takes
// the consent back waits for the code's row. An epoch that is raised at this moment needs no lock: the grant carries
// the code's epoch and is dead. Locks are taken in the order session, code, client.
func (s *Store) RedeemAuthorizationCode(ctx context.Context, hash storage.Digest, g *storage.Grant, audit ...*storage.AuditEvent) error {
	if !keyed(g.ClientID) {
		return fmt.Errorf("redeem authorization code: %w", storage.ErrConflict)
	}
	encoded, err := events(audit...)
	if err != nil {
		return err
	}
	// $1 … $23 are those of the grant: $1 its ID, $2 the client, $3 the user, $9 the time.
	statement := `
		WITH session AS (
			SELECT s.id FROM authorization_codes a JOIN browser_sessions s ON s.id = a.session_id AND s.user_id = a.user_id
			WHERE a.hash = $24 FOR KEY SHARE OF s
		), code AS (
			UPDATE authorization_codes a SET redeemed_at = $9::timestamptz, grant_id = $1::uuid
			WHERE a.hash = $24 AND a.client_id = $2::text AND a.user_id = $3::bigint AND a.redeemed_at IS NULL
				AND a.valid_until > $9::timestamptz AND a.session_id = (SELECT id FROM session)
				AND (SELECT auth_epoch FROM users WHERE id = a.user_id AND active) = a.user_epoch
				AND (SELECT auth_epoch FROM clients WHERE id = a.client_id AND NOT disabled) = a.client_epoch
			RETURNING a.hash
		), stored AS (
			INSERT INTO grants (` + grantColumns + `) SELECT ` + grantValues + ` FROM code
		), changed AS (
			UPDATE clients SET expires_at = NULL WHERE id = $2::text AND expires_at IS NOT NULL AND EXISTS (SELECT FROM code)
			RETURNING id
		), ` + tellClient + `, log AS (` + strings.Replace(insertAudit, "$1", "$25", 1) + ` WHERE EXISTS (SELECT FROM code))
		SELECT count(*) FROM code`
	return s.do(ctx, "redeem authorization code", func(ctx context.Context) error {
		n, err := s.count(ctx, statement, append(grantArgs(g), digest(hash), encoded)...)
		if err == nil && n == 0 {
			return storage.ErrConflict
		}
		return err
	})
}
