package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
)

const logoutNoticeColumns = `id, client_id, user_id, session_id, created_at, next_attempt_at, attempts, expires_at`

// insertLogoutNotices writes the notices of $1 (see logoutNotices). Like insertAudit it can be a CTE with a condition behind it.
const insertLogoutNotices = `
	INSERT INTO logout_notices (` + logoutNoticeColumns + `)
	SELECT n.id, n.client_id, n.user_id, n.session_id, n.created_at, n.next_attempt_at, n.attempts, n.expires_at
	FROM jsonb_to_recordset($1::jsonb) AS n (id uuid, client_id text, user_id bigint, session_id uuid, created_at timestamptz,
		next_attempt_at timestamptz, attempts bigint, expires_at timestamptz)`

// logoutNotice is a LogoutNotice as insertLogoutNotices reads it; absent fields are NULL.
type logoutNotice struct {
	ID            storage.ID  `json:"id"`
	ClientID      string      `json:"client_id"`
	UserID        int64       `json:"user_id"`
	SessionID     *storage.ID `json:"session_id,omitempty"`
	CreatedAt     time.Time   `json:"created_at"`
	NextAttemptAt time.Time   `json:"next_attempt_at"`
	Attempts      int         `json:"attempts"`
	ExpiresAt     time.Time   `json:"expires_at"`
}

// logoutNotices makes the parameter of insertLogoutNotices.
func logoutNotices(notices []*storage.LogoutNotice) (string, error) {
	micros := func(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
	list := make([]logoutNotice, 0, len(notices))
	for _, n := range notices {
		row := logoutNotice{
			ID: n.ID, ClientID: n.ClientID, UserID: n.UserID, CreatedAt: micros(n.CreatedAt), NextAttemptAt: micros(n.NextAttemptAt),
			Attempts: n.Attempts, ExpiresAt: micros(n.ExpiresAt),
		}
		if !n.SessionID.IsZero() {
			row.SessionID = &n.SessionID
		}
		list = append(list, row)
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("logout notices: %w", err)
	}
	clean, err := document(encoded)
	if err != nil {
		return "", fmt.Errorf("logout notices: %w", err)
	}
	return clean.(string), nil
}

// CreateLogoutNotices implements storage.LogoutNotices.
func (s *Store) CreateLogoutNotices(ctx context.Context, notices ...*storage.LogoutNotice) error {
	encoded, err := logoutNotices(notices)
	if err != nil || len(notices) == 0 {
		return err
	}
	return s.do(ctx, "create logout notices", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, insertLogoutNotices, encoded)
		return err
	})
}

// ClaimLogoutNotices implements storage.LogoutNotices. Rows that another replica claims at this moment are skipped.
func (s *Store) ClaimLogoutNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) (list []*storage.LogoutNotice, err error) {
	err = s.do(ctx, "claim logout notices", func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, `
			WITH due AS (
				SELECT id AS due_id, next_attempt_at AS due_at FROM logout_notices WHERE next_attempt_at <= $1 AND expires_at > $1
				ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
			), claimed AS (
				UPDATE logout_notices SET next_attempt_at = $2, attempts = attempts + 1 FROM due WHERE id = due_id
				RETURNING `+logoutNoticeColumns+`, due_at
			)
			SELECT `+logoutNoticeColumns+` FROM claimed ORDER BY due_at, id`, at(now), at(now.Add(lease)), max(limit, 0))
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*storage.LogoutNotice, error) {
			var n storage.LogoutNotice
			return &n, row.Scan((*zeronull.UUID)(&n.ID), &n.ClientID, &n.UserID, (*zeronull.UUID)(&n.SessionID), (*instant)(&n.CreatedAt),
				(*instant)(&n.NextAttemptAt), &n.Attempts, (*instant)(&n.ExpiresAt))
		})
		return err
	})
	return list, err
}

// RetryLogoutNotice implements storage.LogoutNotices.
func (s *Store) RetryLogoutNotice(ctx context.Context, id storage.ID, next time.Time) error {
	return s.do(ctx, "retry logout notice", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `UPDATE logout_notices SET next_attempt_at = $2 WHERE id = $1`, uuid(id), at(next))
		return err
	})
}

// FinishLogoutNotice implements storage.LogoutNotices.
func (s *Store) FinishLogoutNotice(ctx context.Context, id storage.ID) error {
	return s.do(ctx, "finish logout notice", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `DELETE FROM logout_notices WHERE id = $1`, uuid(id))
		return err
	})
}
