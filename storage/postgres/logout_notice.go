package postgres

import (
	"context"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

const logoutNoticeColumns = `id, client_id, user_id, session_id, created_at, next_attempt_at, attempts, expires_at, subject`

// insertLogoutNotices writes the notices of $1 (see logoutNotices). Like insertAudit it can be a CTE with a condition after it.
const insertLogoutNotices = `
	INSERT INTO logout_notices (` + logoutNoticeColumns + `)
	SELECT n.id, n.client_id, n.user_id, n.session_id, n.created_at, n.next_attempt_at, n.attempts, n.expires_at, n.subject
	FROM jsonb_to_recordset($1::jsonb) AS n (id uuid, client_id text, user_id bigint, session_id uuid, created_at timestamptz,
		next_attempt_at timestamptz, attempts bigint, expires_at timestamptz, subject text)`

// withNotices is a CTE that writes the notices of a parameter if the CTE changed has rows.
func withNotices(parameter string) string {
	return `, notices AS (` + strings.Replace(insertLogoutNotices, "$1", parameter, 1) + ` WHERE EXISTS (SELECT FROM changed))`
}

// logoutNotice is a LogoutNotice as insertLogoutNotices reads it; absent fields are NULL.
type logoutNotice struct {
	ID            storage.ID `json:"id"`
	ClientID      string     `json:"client_id"`
	UserID        int64      `json:"user_id"`
	SessionID     storage.ID `json:"session_id,omitzero"`
	CreatedAt     string     `json:"created_at"`
	NextAttemptAt string     `json:"next_attempt_at"`
	Attempts      int        `json:"attempts"`
	ExpiresAt     string     `json:"expires_at"`
	Subject       string     `json:"subject,omitempty"`
}

// logoutNotices returns the parameter of insertLogoutNotices.
func logoutNotices(notices []*storage.LogoutNotice) string {
	list := make([]logoutNotice, 0, len(notices))
	for _, n := range notices {
		list = append(list, logoutNotice{
			n.ID, n.ClientID, n.UserID, n.SessionID, stamp(n.CreatedAt), stamp(n.NextAttemptAt), n.Attempts, stamp(n.ExpiresAt), n.Subject,
		})
	}
	return encoded(list)
}

// ClaimLogoutNotices implements storage.LogoutNotices. Rows that another replica is claiming are skipped.
func (s *Store) ClaimLogoutNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]*storage.LogoutNotice, error) {
	return queryRows(ctx, s, "claim logout notices", scan(row.LogoutNotice), `
		WITH due AS (
			SELECT id AS due_id, next_attempt_at AS due_at FROM logout_notices WHERE next_attempt_at <= $1
			ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
		), claimed AS (
			UPDATE logout_notices SET next_attempt_at = $2, attempts = attempts + 1 FROM due WHERE id = due_id
			RETURNING `+logoutNoticeColumns+`, due_at
		)
		SELECT `+logoutNoticeColumns+` FROM claimed ORDER BY due_at, id`, at(now), at(now.Add(lease)), max(limit, 0))
}
