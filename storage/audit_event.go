package storage

import (
	"context"
	"encoding/json"
	"time"
)

// AuditEvent is one security fact: append-only.
type AuditEvent struct {
	ID ID
	At time.Time
	// Action is a fixed name in snake case, such as "login_failed" or "refresh_token_reused".
	Action string
	// Actor is the kind of the actor: "user", "client", "operator", "server".
	Actor string
	// ActorID is who acted in an operator's name: the subject of a person, or a client ID after "client:". Empty = not known.
	ActorID   string
	UserID    int64  // 0 = none
	ClientID  string // empty = none
	GrantID   ID     // zero = none
	Address   string
	RequestID string
	// Outcome is "success", "failure" or "denied"; Reason says more, in snake case.
	Outcome string
	Reason  string
	// Details is a JSON object or empty. Never a secret.
	Details json.RawMessage
}

// NewAuditEvent returns an event of success, with a new ID.
func NewAuditEvent(action, actor string, at time.Time) *AuditEvent {
	return &AuditEvent{ID: NewID(at), At: at, Action: action, Actor: actor, Outcome: "success"}
}

// AuditFilter selects events; zero fields select all.
type AuditFilter struct {
	UserID   int64
	ClientID string
	GrantID  ID
	Action   string
	// Before selects events with a lower ID; the list is newest first.
	Before ID
	// After selects events with a higher ID; the list is oldest first then.
	After ID
	Limit int
}

// AuditEvents stores the security facts.
type AuditEvents interface {
	AppendAudit(ctx context.Context, events ...*AuditEvent) error
	// ListAudit returns up to f.Limit events, newest first unless f.After is set.
	ListAudit(ctx context.Context, f AuditFilter) ([]*AuditEvent, error)
}
