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

// insertAudit writes the events of $1 (see events), none when it is an empty array. Other statements carry it as a
// CTE with a condition of their own behind it: that an event is written if and only if something happened.
const insertAudit = `
	INSERT INTO audit_events (id, at, action, actor, user_id, client_id, grant_id, address, request_id, outcome, reason, details)
	SELECT e.id, e.at, e.action, e.actor, e.user_id, e.client_id, e.grant_id, e.address, e.request_id, e.outcome, e.reason, e.details
	FROM jsonb_to_recordset($1::jsonb) AS e (id uuid, at timestamptz, action text, actor text, user_id bigint, client_id text,
		grant_id uuid, address text, request_id text, outcome text, reason text, details jsonb)`

// event is an AuditEvent as insertAudit reads it; absent fields are NULL.
type event struct {
	ID        storage.ID      `json:"id"`
	At        time.Time       `json:"at"`
	Action    string          `json:"action"`
	Actor     string          `json:"actor"`
	UserID    int64           `json:"user_id,omitempty"`
	ClientID  string          `json:"client_id,omitempty"`
	GrantID   *storage.ID     `json:"grant_id,omitempty"`
	Address   string          `json:"address"`
	RequestID string          `json:"request_id"`
	Outcome   string          `json:"outcome"`
	Reason    string          `json:"reason"`
	Details   json.RawMessage `json:"details,omitempty"`
}

// events makes the parameter of insertAudit; nil events are left out.
func events(audit ...*storage.AuditEvent) (string, error) {
	list := make([]event, 0, len(audit))
	for _, a := range audit {
		if a == nil {
			continue
		}
		e := event{
			ID: a.ID, At: a.At.UTC().Truncate(time.Microsecond), Action: a.Action, Actor: a.Actor, UserID: a.UserID,
			ClientID: a.ClientID, Address: a.Address, RequestID: a.RequestID, Outcome: a.Outcome, Reason: a.Reason,
			Details: a.Details,
		}
		if !a.GrantID.IsZero() {
			e.GrantID = &a.GrantID
		}
		list = append(list, e)
	}
	if len(list) == 0 {
		return "[]", nil
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("audit event: %w", err)
	}
	clean, err := document(encoded)
	if err != nil {
		return "", fmt.Errorf("audit event: %w", err)
	}
	return clean.(string), nil
}

// AppendAudit implements storage.AuditEvents.
func (s *Store) AppendAudit(ctx context.Context, audit ...*storage.AuditEvent) error {
	encoded, err := events(audit...)
	if err != nil || encoded == "[]" {
		return err
	}
	return s.do(ctx, "append audit events", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, insertAudit, encoded)
		return err
	})
}

// ListAudit implements storage.AuditEvents.
func (s *Store) ListAudit(ctx context.Context, f storage.AuditFilter) (list []*storage.AuditEvent, err error) {
	if !keyed(f.ClientID, f.Action) {
		return nil, nil
	}
	err = s.do(ctx, "list audit events", func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, `
			SELECT id, at, action, actor, user_id, client_id, grant_id, address, request_id, outcome, reason, details
			FROM audit_events
			WHERE ($2::uuid IS NULL OR id < $2) AND ($3::bigint IS NULL OR user_id = $3) AND ($4::text IS NULL OR client_id = $4)
				AND ($5::uuid IS NULL OR grant_id = $5) AND ($6::text IS NULL OR action = $6)
			ORDER BY id DESC LIMIT $1`,
			limited(f.Limit), uuid(f.Before), zeronull.Int8(f.UserID), zeronull.Text(f.ClientID), uuid(f.GrantID), zeronull.Text(f.Action))
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, scanAudit)
		return err
	})
	return list, err
}

func scanAudit(row pgx.CollectableRow) (*storage.AuditEvent, error) {
	var a storage.AuditEvent
	return &a, row.Scan((*zeronull.UUID)(&a.ID), (*instant)(&a.At), &a.Action, &a.Actor, (*zeronull.Int8)(&a.UserID),
		(*zeronull.Text)(&a.ClientID), (*zeronull.UUID)(&a.GrantID), &a.Address, &a.RequestID, &a.Outcome, &a.Reason,
		(*[]byte)(&a.Details))
}
