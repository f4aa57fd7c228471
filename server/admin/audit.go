package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	wire "latchkey/admin"
	"latchkey/server/trail"
	"latchkey/storage"
)

// auditRoutes declares the operations on the audit trail.
func (a *API) auditRoutes() {
	register(a, op("list-audit-events", http.MethodGet, "/audit-events", scopeAuditRead, "List audit events, newest first"), a.listAudit)
}

// AuditFilters are the parameters that select audit events.
type AuditFilters struct {
	UserID    int64     `query:"user_id" minimum:"1" doc:"Events of this user, who may have been removed."`
	ClientID  string    `query:"client_id" maxLength:"2048" doc:"Events of this client, which may have been removed."`
	SessionID string    `query:"session_id" format:"uuid" doc:"Events of this session."`
	Action    string    `query:"action" maxLength:"255" doc:"Events with this name, such as login_failed."`
	Since     time.Time `query:"since" doc:"Events from this time on."`
	Until     time.Time `query:"until" doc:"Events from before this time."`
}

// filter returns the filter of storage.
func (f *AuditFilters) filter() (storage.AuditFilter, error) {
	out := storage.AuditFilter{UserID: f.UserID, ClientID: f.ClientID, Action: f.Action}
	if f.SessionID == "" {
		return out, nil
	}
	id, err := storage.ParseID(f.SessionID)
	if err != nil {
		return out, refusal(http.StatusUnprocessableEntity, "", "The session_id is not the id of a session.")
	}
	out.GrantID = id
	return out, nil
}

func (a *API) listAudit(ctx context.Context, in *struct {
	AuditFilters
	Paging
},
) (*listed[wire.AuditEvent], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	reader := trail.NewReader(a.Store)
	earlier := func(e *storage.AuditEvent) bool { return e.ID.Time().Before(in.Since.Truncate(time.Millisecond)) }
	read := func(before storage.ID, limit int) ([]*storage.AuditEvent, error) {
		if f.Before, f.Limit = before, limit; before.IsZero() && !in.Until.IsZero() {
			f.Before = storage.FirstID(in.Until)
		}
		events, err := a.Store.ListAudit(ctx, f)
		if i := slices.IndexFunc(events, earlier); i >= 0 {
			events = events[:i]
		}
		return events, err
	}
	view := func(e *storage.AuditEvent) (wire.AuditEvent, error) { return reader.Describe(ctx, e) }
	return list(a, in.Paging, in.AuditFilters, read, func(e *storage.AuditEvent) storage.ID { return e.ID }, view)
}
