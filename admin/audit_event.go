package admin

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// AuditEvent is a security fact.
type AuditEvent struct {
	ID        string          `json:"id" format:"uuid"`
	At        time.Time       `json:"at"`
	Action    string          `json:"action" doc:"A fixed name, such as login_failed."`
	Outcome   string          `json:"outcome" doc:"success, failure or denied."`
	Reason    string          `json:"reason,omitempty"`
	Actor     string          `json:"actor" doc:"The kind of the actor: user, client, operator or server."`
	ActorID   string          `json:"actor_id,omitempty" doc:"Who acted in the operator's name: the subject of a person, or client: and the id of a client."`
	UserID    int64           `json:"user_id,omitempty"`
	Subject   string          `json:"subject,omitempty"`
	Username  string          `json:"username,omitempty" doc:"The present one; a removed user has none."`
	ClientID  string          `json:"client_id,omitempty"`
	SessionID string          `json:"session_id,omitempty"`
	Address   string          `json:"address,omitempty"`
	RequestID string          `json:"request_id,omitempty"`
	Details   json.RawMessage `json:"details,omitempty"`
}

// AuditFilter selects audit events; zero fields select all.
type AuditFilter struct {
	UserID                      int64
	ClientID, SessionID, Action string
	// Since and Until are the first time and the end.
	Since, Until time.Time
}

// AuditEvents lists audit events, newest first.
func (a *API) AuditEvents(ctx context.Context, f AuditFilter) iter.Seq2[AuditEvent, error] {
	return list[AuditEvent](ctx, a, "/audit-events", filters("user_id", id(f.UserID), "client_id", f.ClientID, "session_id", f.SessionID,
		"action", f.Action, "since", at(f.Since), "until", at(f.Until)))
}
