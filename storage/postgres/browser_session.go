package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	sessionColumns = row.Names("", row.BrowserSession)
	sessionValues  = values(1, row.BrowserSession)
)

// CreateBrowserSession implements storage.BrowserSessions.
//
// A replaced row that keeps its ID is updated in place: a redemption that waits for its lock continues with the new row, but would
// not find a deleted one. Locks are taken in the order throttles, user, session.
func (s *Store) CreateBrowserSession(ctx context.Context, b *storage.BrowserSession, replaces storage.Digest, login *storage.Login, audit ...*storage.AuditEvent) error {
	batch := &pgx.Batch{}
	if login != nil {
		finishLogin(batch, login)
	}
	args := append(row.Fields(arg, row.BrowserSession(b)), digest(replaces))
	if !replaces.IsZero() {
		batch.Queue(`DELETE FROM browser_sessions WHERE hash = $1 AND id <> $2`, digest(replaces), uuid(b.ID))
		batch.Queue(`UPDATE browser_sessions SET (`+sessionColumns+`) = (`+sessionValues+`) WHERE hash = $13 AND id = $2`, args...)
	}
	// Another session with the ID or the hash makes this fail, and everything before with it.
	batch.Queue(`
		INSERT INTO browser_sessions (`+sessionColumns+`) SELECT `+sessionValues+`
		WHERE $13::bytea IS NULL OR NOT EXISTS (SELECT FROM browser_sessions WHERE hash = $1 AND id = $2)`, args...)
	queueEvents(batch, audit)
	return s.batch(ctx, "create browser session", batch)
}

var sessionByHash = `
	SELECT ` + row.Names("s.", row.BrowserSession) + `, ` + joinedUser(row.UserWithProfile) + `, ` + row.Names("k.", row.Consent) + `,
		EXISTS (SELECT FROM factors WHERE factors.user_id = s.user_id AND ` + row.SecondFactor + `)
	FROM browser_sessions s ` + joinUser("s.user_id", row.UserWithProfile) + `
	LEFT JOIN LATERAL (SELECT * FROM consents WHERE user_id = s.user_id AND client_id = $2 OFFSET 0) AS k ON true
	WHERE s.hash = $1`

// BrowserSession implements storage.BrowserSessions.
func (s *Store) BrowserSession(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveBrowserSession, error) {
	client := &clientID
	if !keyed(clientID) {
		client = nil
	}
	return queryRow(ctx, s, "read browser session", func(r pgx.CollectableRow) (*storage.LiveBrowserSession, error) {
		var b storage.LiveBrowserSession
		var u storage.User
		var k storage.Consent
		err := r.Scan(append(row.Fields(target, row.BrowserSession(&b.BrowserSession), row.UserWithProfile(&u), row.Consent(&k)), &b.SecondFactor)...)
		if b.User = found(&u); k.UserID != 0 {
			b.Consent = &k
		}
		return &b, err
	}, sessionByHash, digest(hash), client)
}

// EndBrowserSession implements storage.BrowserSessions.
//
// Each of its statements sees what was committed before it. A redemption locks the session's row: the first statement waits for it,
// and the last one finds its grant. A later redemption finds no session.
// Unredeemed codes are removed too: the user may sign in again at once, and the session has the same ID then.
func (s *Store) EndBrowserSession(ctx context.Context, e storage.BrowserSessionEnd, audit *storage.AuditEvent) (bool, error) {
	var n int64
	b := &pgx.Batch{}
	b.Queue(`
		WITH changed AS (
			DELETE FROM browser_sessions WHERE id = $2 AND user_id = $3 RETURNING id
		)`+withNotices("$4")+logChanged,
		events(audit), uuid(e.ID), e.UserID, logoutNotices(e.Notices)).QueryRow(scanTo(&n))
	b.Queue(removeCodes+` AND session_id = $2`+inOrder, e.UserID, uuid(e.ID))
	b.Queue(`
		WITH target AS (
			SELECT id FROM grants
			WHERE user_id = $1 AND session_id = $2 AND revoked_at IS NULL AND NOT 'offline_access' = ANY (string_to_array(scope, ' '))
			ORDER BY id FOR UPDATE
		)
		UPDATE grants SET revoked_at = $3, revoke_reason = $4 FROM target WHERE grants.id = target.id AND grants.revoked_at IS NULL`,
		e.UserID, uuid(e.ID), at(e.Now), plain(e.Reason))
	err := s.batch(ctx, "end browser session", b)
	err = s.settled(ctx, "end browser session", n, err)
	return err == nil && n > 0, err
}
