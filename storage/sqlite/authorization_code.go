package sqlite

import (
	"context"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateAuthorizationCode implements [storage.AuthorizationCodes].
func (s *Store) CreateAuthorizationCode(ctx context.Context, c *storage.AuthorizationCode, audit ...*storage.AuditEvent) error {
	return s.write(ctx, "create authorization code", func(t *tx) {
		t.check(keyed(c.ClientID, c.RedirectURI), row.ErrText)
		if !c.Pushed.IsZero() {
			t.execOr(storage.ErrConflict, `DELETE FROM pushed_requests WHERE hash = ? AND client_id = ? AND expires_at > ?`,
				c.Pushed[:], c.ClientID, micros(c.CreatedAt))
		}
		t.insert("authorization_codes", row.AuthorizationCode(c))
		t.audit(audit...)
	})
}

var codeByHash = `
	SELECT ` + row.Names("a.", row.AuthorizationCode) + `, ` + joinedUser(row.UserWithProfile) + `
	FROM authorization_codes AS a LEFT JOIN users AS u ON u.id = a.user_id
	WHERE a.hash = ?`

// AuthorizationCode implements [storage.AuthorizationCodes].
func (s *Store) AuthorizationCode(ctx context.Context, hash storage.Digest) (*storage.LiveAuthorizationCode, error) {
	return readOne(ctx, s, "read authorization code", func(r scanner) (*storage.LiveAuthorizationCode, error) {
		var c storage.LiveAuthorizationCode
		var u storage.User
		err := r.Scan(row.Fields(field, row.AuthorizationCode(&c.AuthorizationCode), row.UserWithProfile(&u))...)
		if err != nil {
			return nil, err
		}
		c.User = found(&u)
		return &c, nil
	}, codeByHash, hash[:])
}

// RedeemAuthorizationCode implements [storage.AuthorizationCodes].
func (s *Store) RedeemAuthorizationCode(ctx context.Context, hash storage.Digest, g *storage.Grant, audit ...*storage.AuditEvent) error {
	now := micros(g.CreatedAt)
	return s.write(ctx, "redeem authorization code", func(t *tx) {
		t.check(keyed(g.ClientID), storage.ErrConflict)
		t.execOr(storage.ErrConflict, `
			UPDATE authorization_codes AS a SET redeemed_at = ?, grant_id = ?
			WHERE a.hash = ? AND a.client_id = ? AND a.user_id = ? AND a.redeemed_at IS NULL AND a.valid_until > ?
				AND EXISTS (SELECT 1 FROM browser_sessions AS s WHERE s.id = a.session_id AND s.user_id = a.user_id)
				AND EXISTS (SELECT 1 FROM users AS u WHERE u.id = a.user_id AND u.active AND u.auth_epoch = a.user_epoch)
				AND EXISTS (SELECT 1 FROM clients AS c WHERE c.id = a.client_id AND NOT c.disabled AND c.auth_epoch = a.client_epoch)`,
			now, g.ID[:], hash[:], g.ClientID, g.UserID, now)
		t.redeemed(g, audit)
	})
}

// redeemed stores the grant of a code that was redeemed, and notes that the client is in use.
func (t *tx) redeemed(g *storage.Grant, audit []*storage.AuditEvent) {
	t.createGrant(g)
	if t.exec(`UPDATE clients SET expires_at = NULL WHERE id = ? AND expires_at IS NOT NULL`, g.ClientID) > 0 {
		t.changed(storage.ChangeClient)
	}
	t.audit(audit...)
}
