package trail

import (
	"context"
	"errors"
	"fmt"

	wire "latchkey/admin"
	"latchkey/storage"
)

// Store is what a Reader uses of storage.Store.
type Store interface {
	User(ctx context.Context, id int64) (*storage.User, error)
	ListAudit(ctx context.Context, f storage.AuditFilter) ([]*storage.AuditEvent, error)
}

// Reader shows events. It looks up each user once: use it for one list, by one goroutine.
type Reader struct {
	store Store
	known map[int64]*storage.User
}

// NewReader returns a Reader. It does not look up the users that it is given.
func NewReader(store Store, known ...*storage.User) *Reader {
	r := &Reader{store, map[int64]*storage.User{}}
	for _, u := range known {
		r.known[u.ID] = u
	}
	return r
}

// Describe returns what operators see of an event.
func (r *Reader) Describe(ctx context.Context, e *storage.AuditEvent) (wire.AuditEvent, error) {
	user, ok := r.known[e.UserID]
	if !ok && e.UserID != 0 {
		u, err := r.store.User(ctx, e.UserID)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return wire.AuditEvent{}, fmt.Errorf("user of an audit event: %w", err)
		}
		user = u // nil: removed
		r.known[e.UserID] = user
	}
	shown := wire.AuditEvent{
		ID: e.ID.String(), At: e.At, Action: e.Action, Outcome: e.Outcome, Reason: e.Reason, Actor: e.Actor, ActorID: e.ActorID,
		UserID: e.UserID, ClientID: e.ClientID, Address: e.Address, RequestID: e.RequestID, Details: e.Details,
	}
	if user != nil {
		shown.Subject, shown.Username = user.Sub(), user.Username
	}
	if !e.GrantID.IsZero() {
		shown.SessionID = e.GrantID.String()
	}
	return shown, nil
}
