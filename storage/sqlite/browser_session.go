package sqlite

import (
	"context"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateBrowserSession implements [storage.BrowserSessions].
func (s *Store) CreateBrowserSession(ctx context.Context, b *storage.BrowserSession, replaces storage.Digest, login *storage.Login, audit ...*storage.AuditEvent) error {
	return s.write(ctx, "create browser session", func(t *tx) {
		t.login(login, b.LastSeenAt)
		t.exec(`DELETE FROM browser_sessions WHERE hash = ?`, replaces[:])
		t.insert("browser_sessions", row.BrowserSession(b))
		t.audit(audit...)
	})
}

var sessionByHash = `
	SELECT ` + row.Names("s.", row.BrowserSession) + `, ` + joinedUser(row.UserWithProfile) + `, ` + row.Names("k.", row.Consent) + `,
		EXISTS (SELECT 1 FROM factors WHERE user_id = s.user_id AND ` + row.SecondFactor + `)
	FROM browser_sessions AS s LEFT JOIN users AS u ON u.id = s.user_id
		LEFT JOIN consents AS k ON k.user_id = s.user_id AND k.client_id = ?
	WHERE s.hash = ?`

// BrowserSession implements [storage.BrowserSessions].
func (s *Store) BrowserSession(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveBrowserSession, error) {
	return readOne(ctx, s, "read browser session", func(r scanner) (*storage.LiveBrowserSession, error) {
		var b storage.LiveBrowserSession
		var u storage.User
		var k storage.Consent
		err := r.Scan(append(row.Fields(field, row.BrowserSession(&b.BrowserSession), row.UserWithProfile(&u), row.Consent(&k)), &b.SecondFactor)...)
		if err != nil {
			return nil, err
		}
		if b.User = found(&u); k.UserID != 0 {
			b.Consent = &k
		}
		return &b, nil
	}, sessionByHash, clientID, hash[:])
}

// EndBrowserSession implements [storage.BrowserSessions].
//
// Unredeemed codes of the session are removed too: the user may sign in again at once, and the session has the same ID then.
func (s *Store) EndBrowserSession(ctx context.Context, e storage.BrowserSessionEnd, audit *storage.AuditEvent) (bool, error) {
	return writeFor(ctx, s, "end browser session", func(t *tx) bool {
		n := t.exec(`DELETE FROM browser_sessions WHERE id = ? AND user_id = ?`, e.ID[:], e.UserID)
		t.exec(`DELETE FROM authorization_codes WHERE user_id = ? AND session_id = ? AND redeemed_at IS NULL`, e.UserID, e.ID[:])
		t.exec(`
			UPDATE grants AS g SET revoked_at = ?, revoke_reason = ?
			WHERE g.user_id = ? AND g.session_id = ? AND g.revoked_at IS NULL
				AND instr(' ' || g.scope || ' ', ' offline_access ') = 0`,
			e.Now.UnixMicro(), row.Plain(e.Reason), e.UserID, e.ID[:])
		if n > 0 {
			t.notices(e.Notices)
			t.audit(audit)
		}
		return n > 0
	})
}
