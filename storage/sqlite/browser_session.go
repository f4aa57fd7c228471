package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

const sessionColumns = `s.hash, s.id, s.user_id, s.user_epoch, s.created_at, s.auth_time, s.amr, s.last_seen_at, s.expires_at,
	s.remember, s.address, s.user_agent`

func sessionFields(b *storage.BrowserSession) []any {
	return []any{
		bytesTo(b.Hash[:]), bytesTo(b.ID[:]), &b.UserID, &b.UserEpoch, timeTo(&b.CreatedAt), timeTo(&b.AuthTime), wordsTo(&b.AMR),
		timeTo(&b.LastSeenAt), timeTo(&b.ExpiresAt), &b.Remember, &b.Address, &b.UserAgent,
	}
}

// CreateBrowserSession implements [storage.BrowserSessions].
func (s *Store) CreateBrowserSession(ctx context.Context, b *storage.BrowserSession, replaces storage.Digest, login *storage.Login, audit ...*storage.AuditEvent) error {
	return s.write(ctx, "create browser session", func(c conn) error {
		if err := c.login(login, b.AuthTime); err != nil {
			return err
		}
		if _, err := c.exec(`DELETE FROM browser_sessions WHERE hash = ?`, replaces[:]); err != nil {
			return err
		}
		_, err := c.exec(`
			INSERT INTO browser_sessions (hash, id, user_id, user_epoch, created_at, auth_time, amr, last_seen_at, expires_at,
				remember, address, user_agent)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			b.Hash[:], b.ID[:], b.UserID, b.UserEpoch, micros(b.CreatedAt), micros(b.AuthTime), plain(words(b.AMR)), micros(b.LastSeenAt),
			micros(b.ExpiresAt), b.Remember, plain(b.Address), plain(b.UserAgent))
		if err != nil {
			return err
		}
		return c.audit(audit...)
	})
}

// BrowserSession implements [storage.BrowserSessions].
func (s *Store) BrowserSession(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveBrowserSession, error) {
	live, err := one(s.reader(ctx), scanLiveBrowserSession, `
		SELECT `+sessionColumns+`, `+joinedUser+`, `+joinedConsent+`
		FROM browser_sessions AS s LEFT JOIN users AS u ON u.id = s.user_id
			LEFT JOIN consents AS k ON k.user_id = s.user_id AND k.client_id = ?
		WHERE s.hash = ?`, clientID, hash[:])
	return live, interpret("read browser session", err)
}

func scanLiveBrowserSession(row scanner) (*storage.LiveBrowserSession, error) {
	var live storage.LiveBrowserSession
	var u userDest
	var k consentDest
	fields := append(sessionFields(&live.BrowserSession), u.fields()...)
	if err := row.Scan(append(fields, k.fields()...)...); err != nil {
		return nil, err
	}
	live.User, live.Consent = u.user(), k.consent()
	return &live, nil
}

// TouchBrowserSession implements [storage.BrowserSessions].
func (s *Store) TouchBrowserSession(ctx context.Context, hash storage.Digest, now time.Time) error {
	return s.write(ctx, "touch browser session", func(c conn) error {
		_, err := c.exec(`UPDATE browser_sessions SET last_seen_at = ?1 WHERE hash = ?2 AND last_seen_at < ?1`, now.UnixMicro(), hash[:])
		return err
	})
}

// ListBrowserSessions implements [storage.BrowserSessions].
func (s *Store) ListBrowserSessions(ctx context.Context, userID int64, now time.Time, limit int) ([]*storage.BrowserSession, error) {
	scan := func(row scanner) (*storage.BrowserSession, error) {
		var b storage.BrowserSession
		return &b, row.Scan(sessionFields(&b)...)
	}
	list, err := all(s.reader(ctx), scan, `
		SELECT `+sessionColumns+` FROM browser_sessions AS s
		WHERE s.user_id = ?1 AND s.expires_at > ? AND s.user_epoch = (SELECT auth_epoch FROM users WHERE id = ?1)
		ORDER BY s.auth_time DESC, s.id DESC LIMIT ?`, userID, now.UnixMicro(), max(limit, 0))
	return list, interpret("list browser sessions", err)
}

// withoutOfflineAccess is the condition on grants g that end with the session that they came from.
const withoutOfflineAccess = `instr(' ' || g.scope || ' ', ' offline_access ') = 0`

// EndBrowserSession implements [storage.BrowserSessions].
//
// Codes of the session that are out go with it: the user may sign in again at once, and the session has the same ID then.
func (s *Store) EndBrowserSession(ctx context.Context, e storage.BrowserSessionEnd, audit *storage.AuditEvent) (bool, error) {
	var n int64
	err := s.write(ctx, "end browser session", func(c conn) (err error) {
		n, err = c.exec(`DELETE FROM browser_sessions WHERE id = ? AND user_id = ?`, e.ID[:], e.UserID)
		if err != nil {
			return err
		}
		_, err = c.exec(`DELETE FROM authorization_codes WHERE user_id = ? AND session_id = ? AND redeemed_at IS NULL`, e.UserID, e.ID[:])
		if err != nil {
			return err
		}
		_, err = c.exec(`
			UPDATE grants AS g SET revoked_at = ?, revoke_reason = ?
			WHERE g.user_id = ? AND g.session_id = ? AND g.revoked_at IS NULL AND `+withoutOfflineAccess,
			e.Now.UnixMicro(), plain(e.Reason), e.UserID, e.ID[:])
		if err != nil || n == 0 {
			return err
		}
		if err := c.notices(e.Notices); err != nil {
			return err
		}
		return c.audit(audit)
	})
	return err == nil && n > 0, err
}
