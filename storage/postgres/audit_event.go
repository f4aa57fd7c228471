package postgres

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

// insertAudit writes the events of $1 (see events), none if it is an empty array. Other statements have it as a CTE with a
// condition after it, so that an event is written if and only if something was changed.
const insertAudit = `
	INSERT INTO audit_events (id, at, action, actor, user_id, client_id, grant_id, address, request_id, outcome, reason, details,
		actor_id)
	SELECT e.id, e.at, e.action, e.actor, e.user_id, e.client_id, e.grant_id, e.address, e.request_id, e.outcome, e.reason, e.details,
		e.actor_id
	FROM jsonb_to_recordset($1::jsonb) AS e (id uuid, at timestamptz, action text, actor text, user_id bigint, client_id text,
		grant_id uuid, address text, request_id text, outcome text, reason text, details jsonb, actor_id text)`

// logChanged ends a statement whose CTE changed has the rows that it changed: it writes the events of $1 if there are any, and
// returns their number.
const logChanged = `, log AS (` + insertAudit + ` WHERE EXISTS (SELECT FROM changed)) SELECT count(*) FROM changed`

// insertAuditOf is insertAudit with the parameter n for the events.
func insertAuditOf(n int) string { return strings.Replace(insertAudit, "$1", "$"+strconv.Itoa(n), 1) }

// event is an AuditEvent as insertAudit reads it; absent fields are NULL.
type event struct {
	ID        storage.ID      `json:"id"`
	At        string          `json:"at"`
	Action    string          `json:"action"`
	Actor     string          `json:"actor"`
	UserID    int64           `json:"user_id,omitempty"`
	ClientID  string          `json:"client_id,omitempty"`
	GrantID   storage.ID      `json:"grant_id,omitzero"`
	Address   string          `json:"address"`
	RequestID string          `json:"request_id"`
	Outcome   string          `json:"outcome"`
	Reason    string          `json:"reason"`
	Details   json.RawMessage `json:"details,omitempty"`
	ActorID   string          `json:"actor_id,omitempty"`
	// Call is the number of the call that the event belongs to, where a statement has several.
	Call int `json:"call,omitempty"`
}

// eventOf returns an event as a row. Details that are not JSON are kept as a string.
func eventOf(a *storage.AuditEvent) event {
	details := a.Details
	if len(details) > 0 && !json.Valid(details) {
		details, _ = json.Marshal(string(details))
	}
	return event{
		ID: a.ID, At: stamp(a.At), Action: a.Action, Actor: a.Actor, UserID: a.UserID, ClientID: a.ClientID, GrantID: a.GrantID,
		Address: a.Address, RequestID: a.RequestID, Outcome: a.Outcome, Reason: a.Reason, Details: details,
		ActorID: a.ActorID,
	}
}

// noEvents is the parameter of insertAudit for no event.
const noEvents = "[]"

// events returns the parameter of insertAudit; nil events are left out.
func events(audit ...*storage.AuditEvent) string {
	list := make([]event, 0, len(audit))
	for _, a := range audit {
		if a != nil {
			list = append(list, eventOf(a))
		}
	}
	if len(list) == 0 {
		return noEvents
	}
	return encoded(list)
}

// queueEvents adds the events to a batch.
func queueEvents(b *pgx.Batch, audit []*storage.AuditEvent) {
	if list := events(audit...); list != noEvents {
		b.Queue(insertAudit, list)
	}
}

// AppendAudit implements storage.AuditEvents.
func (s *Store) AppendAudit(ctx context.Context, audit ...*storage.AuditEvent) error {
	list := events(audit...)
	if list == noEvents {
		return nil
	}
	return s.exec(ctx, "append audit events", insertAudit, list)
}
