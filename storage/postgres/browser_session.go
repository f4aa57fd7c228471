package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
)

// sessionColumns are those of insertSession's parameters, in their order.
const sessionColumns = `hash, id, user_id, user_epoch, created_at, auth_time, amr, last_seen_at, expires_at, remember, address, user_agent`

func sessionArgs(b *storage.BrowserSession) []any {
	return []any{
		digest(b.Hash), uuid(b.ID), b.UserID, b.UserEpoch, at(b.CreatedAt), at(b.AuthTime), plain(strings.Join(b.AMR, " ")),
		at(b.LastSeenAt), at(b.ExpiresAt), b.Remember, plain(b.Address), plain(b.UserAgent),
	}
}

func sessionFields(b *storage.BrowserSession) []any {
	return []any{
		(*digestTo)(&b.Hash), (*zeronull.UUID)(&b.ID), &b.UserID, &b.UserEpoch, (*instant)(&b.CreatedAt), (*instant)(&b.AuthTime),
		(*wordsTo)(&b.AMR), (*instant)(&b.LastSeenAt), (*instant)(&b.ExpiresAt), &b.Remember, &b.Address, &b.UserAgent,
	}
}

// CreateBrowserSession implements storage.BrowserSessions.
//
// The row that is replaced is changed in place when it keeps its ID: a redemption that waits for it goes on with what it has
// become, while a row that is deleted would be gone for it. Locks are taken in the order throttles, user, session.
func (s *Store) CreateBrowserSession(ctx context.Context, b *storage.BrowserSession, replaces storage.Digest, login *storage.Login, audit ...*storage.AuditEvent) error {
	encoded, err := events(audit...)
	if err != nil {
		return err
	}
	return s.do(ctx, "create browser session", func(ctx context.Context) error {
		batch := &pgx.Batch{}
		if login != nil {
			finishLogin(batch, login)
		}
		if !replaces.IsZero() {
			batch.Queue(`DELETE FROM browser_sessions WHERE hash = $1 AND id <> $2`, digest(replaces), uuid(b.ID))
			batch.Queue(`
				UPDATE browser_sessions SET (`+sessionColumns+`) =
					($1::bytea, $2::uuid, $3::bigint, $4::bigint, $5::timestamptz, $6::timestamptz, $7::text, $8::timestamptz, $9::timestamptz,
					$10::boolean, $11::text, $12::text)
				WHERE hash = $13 AND id = $2::uuid`, append(sessionArgs(b), digest(replaces))...)
		}
		// Another session with the ID or the hash makes this fail, and with it everything before.
		batch.Queue(`
			INSERT INTO browser_sessions (`+sessionColumns+`)
			SELECT $1::bytea, $2::uuid, $3::bigint, $4::bigint, $5::timestamptz, $6::timestamptz, $7::text, $8::timestamptz, $9::timestamptz,
				$10::boolean, $11::text, $12::text
			WHERE $13::bytea IS NULL OR NOT EXISTS (SELECT FROM browser_sessions WHERE hash = $1::bytea AND id = $2::uuid)`,
			append(sessionArgs(b), digest(replaces))...)
		if encoded != "[]" {
			batch.Queue(insertAudit, encoded)
		}
		return s.batch(ctx, batch)
	})
}

// BrowserSession implements storage.BrowserSessions.
func (s *Store) BrowserSession(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveBrowserSession, error) {
	var live storage.LiveBrowserSession
	var u userDest
	var k consentDest
	client := &clientID
	if !keyed(clientID) {
		client = nil
	}
	err := s.do(ctx, "read browser session", func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, `
			SELECT s.hash, s.id, s.user_id, s.user_epoch, s.created_at, s.auth_time, s.amr, s.last_seen_at, s.expires_at, s.remember,
				s.address, s.user_agent, `+joinedUser+`, `+joinedConsent+`
			FROM browser_sessions s `+joinUser("s.user_id")+`
			LEFT JOIN LATERAL (SELECT * FROM consents WHERE user_id = s.user_id AND client_id = $2 OFFSET 0) AS k ON true
			WHERE s.hash = $1`,
			digest(hash), client).Scan(append(append(sessionFields(&live.BrowserSession), u.fields()...), k.fields()...)...)
	})
	if err != nil {
		return nil, err
	}
	live.User, live.Consent = u.user(), k.consent()
	return &live, nil
}

// TouchBrowserSession implements storage.BrowserSessions.
func (s *Store) TouchBrowserSession(ctx context.Context, hash storage.Digest, now time.Time) error {
	return s.do(ctx, "touch browser session", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `UPDATE browser_sessions SET last_seen_at = $2 WHERE hash = $1 AND last_seen_at < $2`, digest(hash), at(now))
		return err
	})
}

// ListBrowserSessions implements storage.BrowserSessions.
func (s *Store) ListBrowserSessions(ctx context.Context, userID int64, now time.Time, limit int) (list []*storage.BrowserSession, err error) {
	err = s.do(ctx, "list browser sessions", func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, `
			SELECT `+sessionColumns+` FROM browser_sessions
			WHERE user_id = $1 AND expires_at > $2 AND user_epoch = (SELECT auth_epoch FROM users WHERE id = $1)
			ORDER BY auth_time DESC, id DESC LIMIT $3`, userID, at(now), max(limit, 0))
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*storage.BrowserSession, error) {
			var b storage.BrowserSession
			return &b, row.Scan(sessionFields(&b)...)
		})
		return err
	})
	return list, err
}

// EndBrowserSession implements storage.BrowserSessions.
//
// Its statements see one after the other what was committed meanwhile. A redemption holds the session's row: the first
// statement waits for it, and the last one finds its grant. One that comes later finds no session.
// Codes that are out go too: the user may sign in again at once, and the session has the same ID then.
func (s *Store) EndBrowserSession(ctx context.Context, e storage.BrowserSessionEnd, audit *storage.AuditEvent) (ended bool, err error) {
	encoded, err := events(audit)
	if err != nil {
		return false, err
	}
	notices, err := logoutNotices(e.Notices)
	if err != nil {
		return false, err
	}
	err = s.do(ctx, "end browser session", func(ctx context.Context) error {
		var n int64
		b := &pgx.Batch{}
		b.Queue(`
			WITH ended AS (
				DELETE FROM browser_sessions WHERE id = $2 AND user_id = $3 RETURNING id
			), notices AS (`+strings.Replace(insertLogoutNotices, "$1", "$4", 1)+` WHERE EXISTS (SELECT FROM ended)),
			log AS (`+insertAudit+` WHERE EXISTS (SELECT FROM ended))
			SELECT count(*) FROM ended`, encoded, uuid(e.ID), e.UserID, notices,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
		b.Queue(removeCodes+` AND session_id = $2`+inOrder, e.UserID, uuid(e.ID))
		b.Queue(`
			WITH target AS (
				SELECT id FROM grants
				WHERE user_id = $1 AND session_id = $2 AND revoked_at IS NULL AND NOT 'offline_access' = ANY (string_to_array(scope, ' '))
				ORDER BY id FOR UPDATE
			)
			UPDATE grants SET revoked_at = $3, revoke_reason = $4 FROM target WHERE grants.id = target.id AND grants.revoked_at IS NULL`,
			e.UserID, uuid(e.ID), at(e.Now), plain(e.Reason))
		err := s.batch(ctx, b)
		ended = n > 0
		return err
	})
	return err == nil && ended, err
}
