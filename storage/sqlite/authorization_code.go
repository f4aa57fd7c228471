package sqlite

import (
	"context"

	"latchkey/storage"
)

// CreateAuthorizationCode implements [storage.AuthorizationCodes].
func (s *Store) CreateAuthorizationCode(ctx context.Context, a *storage.AuthorizationCode, audit ...*storage.AuditEvent) error {
	if !keyed(a.ClientID, a.RedirectURI) {
		return interpret("create authorization code", errText)
	}
	return s.write(ctx, "create authorization code", func(c conn) error {
		_, err := c.exec(`
			INSERT INTO authorization_codes (hash, client_id, user_id, session_id, user_epoch, client_epoch, redirect_uri, code_challenge,
				scope, audience, nonce, auth_time, amr, claims, created_at, valid_until, expires_at, redeemed_at, grant_id)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			a.Hash[:], a.ClientID, a.UserID, id(a.SessionID), a.UserEpoch, a.ClientEpoch, a.RedirectURI, plain(a.CodeChallenge),
			plain(words(a.Scope)), plain(words(a.Audience)), plain(a.Nonce), micros(a.AuthTime), plain(words(a.AMR)), plain(a.Claims),
			micros(a.CreatedAt), micros(a.ValidUntil), micros(a.ExpiresAt), micros(a.RedeemedAt), id(a.GrantID))
		if err != nil {
			return err
		}
		return c.audit(audit...)
	})
}

// AuthorizationCode implements [storage.AuthorizationCodes].
func (s *Store) AuthorizationCode(ctx context.Context, hash storage.Digest) (*storage.LiveAuthorizationCode, error) {
	live, err := one(s.reader(ctx), scanLiveAuthorizationCode, `
		SELECT a.hash, a.client_id, a.user_id, a.session_id, a.user_epoch, a.client_epoch, a.redirect_uri, a.code_challenge,
			a.scope, a.audience, a.nonce, a.auth_time, a.amr, a.claims, a.created_at, a.valid_until, a.expires_at, a.redeemed_at,
			a.grant_id, `+joinedUser+`
		FROM authorization_codes AS a LEFT JOIN users AS u ON u.id = a.user_id
		WHERE a.hash = ?`, hash[:])
	return live, interpret("read authorization code", err)
}

func scanLiveAuthorizationCode(row scanner) (*storage.LiveAuthorizationCode, error) {
	var a storage.LiveAuthorizationCode
	var u userDest
	fields := []any{
		bytesTo(a.Hash[:]), &a.ClientID, &a.UserID, bytesTo(a.SessionID[:]), &a.UserEpoch, &a.ClientEpoch, &a.RedirectURI, &a.CodeChallenge,
		wordsTo(&a.Scope), wordsTo(&a.Audience), &a.Nonce, timeTo(&a.AuthTime), wordsTo(&a.AMR), &a.Claims, timeTo(&a.CreatedAt),
		timeTo(&a.ValidUntil), timeTo(&a.ExpiresAt), timeTo(&a.RedeemedAt), bytesTo(a.GrantID[:]),
	}
	if err := row.Scan(append(fields, u.fields()...)...); err != nil {
		return nil, err
	}
	a.User = u.user()
	return &a, nil
}

// RedeemAuthorizationCode implements [storage.AuthorizationCodes].
func (s *Store) RedeemAuthorizationCode(ctx context.Context, hash storage.Digest, g *storage.Grant, audit ...*storage.AuditEvent) error {
	if !keyed(g.ClientID) {
		return interpret("redeem authorization code", storage.ErrConflict)
	}
	now := micros(g.CreatedAt)
	return s.write(ctx, "redeem authorization code", func(c conn) error {
		n, err := c.exec(`
			UPDATE authorization_codes AS a SET redeemed_at = ?, grant_id = ?
			WHERE a.hash = ? AND a.client_id = ? AND a.user_id = ? AND a.redeemed_at IS NULL AND a.valid_until > ?
				AND EXISTS (SELECT 1 FROM browser_sessions AS s WHERE s.id = a.session_id AND s.user_id = a.user_id)
				AND EXISTS (SELECT 1 FROM users AS u WHERE u.id = a.user_id AND u.active AND u.auth_epoch = a.user_epoch)
				AND EXISTS (SELECT 1 FROM clients AS c WHERE c.id = a.client_id AND NOT c.disabled AND c.auth_epoch = a.client_epoch)`,
			now, g.ID[:], hash[:], g.ClientID, g.UserID, now)
		if err != nil {
			return err
		}
		if n == 0 {
			return storage.ErrConflict
		}
		if err := c.createGrant(g); err != nil {
			return err
		}
		n, err = c.exec(`UPDATE clients SET expires_at = NULL WHERE id = ? AND expires_at IS NOT NULL`, g.ClientID)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := c.changed(storage.ChangeClient, nil); err != nil {
				return err
			}
		}
		return c.audit(audit...)
	})
}
