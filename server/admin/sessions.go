package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	wire "latchkey/admin"
	"latchkey/server/grants"
	"latchkey/storage"
)

// sessionRoutes declares the operations on sessions.
func (a *API) sessionRoutes() {
	const one = "/sessions/{id}"
	register(a, op("list-sessions", http.MethodGet, "/sessions", scopeSessionsRead, "List sessions: the access that clients have for users"), a.listSessions)
	register(a, op("show-session", http.MethodGet, one, scopeSessionsRead, "Show a session", http.StatusNotFound), a.showSession)
	register(a, op("end-session", http.MethodDelete, one, scopeSessionsWrite, "End a session", http.StatusNotFound), a.endSession)
	register(a, op("end-sessions", http.MethodPost, "/sessions/end", scopeSessionsWrite, "End the sessions of a user, of a client, of a user with a client, or of everyone",
		http.StatusNotFound, http.StatusConflict), a.endSessions)
}

// SessionPath is the parameter that names a session.
type SessionPath struct {
	ID string `path:"id" format:"uuid" doc:"The id of the session."`
}

// SessionFilters are the parameters that select sessions.
type SessionFilters struct {
	UserID   int64  `query:"user_id" minimum:"1" doc:"Sessions of this user."`
	ClientID string `query:"client_id" maxLength:"2048" doc:"Sessions of this client."`
	All      bool   `query:"all" doc:"Sessions that have ended too, as long as they are kept."`
}

// viewSessions returns what shows sessions. An idle timeout that can't be looked up is that of the session's own end.
func (a *API) viewSessions(ctx context.Context, now time.Time) func(*storage.LiveGrant) wire.Session {
	known := map[string]time.Duration{}
	return func(g *storage.LiveGrant) wire.Session {
		idle, ok := known[g.ClientID]
		if !ok {
			idle = g.ExpiresAt.Sub(g.CreatedAt)
			if c, err := a.Clients.Client(ctx, g.ClientID); err == nil {
				idle = a.Tokens.PolicyOf(c).Idle
			}
			known[g.ClientID] = idle
		}
		return grants.Describe(g, idle, now)
	}
}

func (a *API) listSessions(ctx context.Context, in *struct {
	SessionFilters
	Paging
},
) (*listed[wire.Session], error) {
	now := a.now()
	f := storage.GrantFilter{UserID: in.UserID, ClientID: in.ClientID}
	if !in.All {
		f.LiveAt = now
	}
	read := func(after storage.ID, limit int) ([]*storage.LiveGrant, error) {
		f.After, f.Limit = after, limit
		return a.Grants.Store.ListGrants(ctx, f)
	}
	out, err := list(a, in.Paging, in.SessionFilters, read, func(g *storage.LiveGrant) storage.ID { return g.ID }, plain(a.viewSessions(ctx, now)))
	if err != nil || in.All {
		return out, err
	}
	// the database does not know the idle timeouts
	out.Body.Items = slices.DeleteFunc(out.Body.Items, func(s wire.Session) bool { return s.State == grants.StateIdle })
	return out, nil
}

func (a *API) showSession(ctx context.Context, in *struct{ SessionPath }) (*shown[wire.Session], error) {
	g, err := a.session(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &shown[wire.Session]{a.viewSessions(ctx, a.now())(g)}, nil
}

func (a *API) session(ctx context.Context, id string) (*storage.LiveGrant, error) {
	return byID(ctx, "session", id, a.Grants.Store.Grant)
}

type ended = shown[wire.Ended]

func (a *API) endSession(ctx context.Context, in *struct {
	SessionPath
	Trial
},
) (*ended, error) {
	g, err := a.session(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	live := g.RevokedAt.IsZero()
	if !in.DryRun {
		if live, err = a.Grants.End(ctx, g.ID); err != nil {
			return nil, err
		}
	}
	out := &ended{}
	if live {
		out.Body.Sessions = 1
	}
	return out, nil
}

func (a *API) endSessions(ctx context.Context, in *struct {
	Confirmed
	Trial
	Body wire.SessionsEnd
},
) (*ended, error) {
	b := in.Body
	named := b.UserID != 0 || b.ClientID != ""
	if named == b.All {
		return nil, refusal(http.StatusUnprocessableEntity, "", "Name a user_id, a client_id or both; or set all, and name none.")
	}
	if err := a.exist(ctx, b); err != nil {
		return nil, err
	}
	n, err := in.check(ctx, a, storage.GrantFilter{UserID: b.UserID, ClientID: b.ClientID})
	if err != nil {
		return nil, err
	}
	out := &ended{wire.Ended{Sessions: n}}
	if in.DryRun {
		return out, nil
	}
	service := a.Grants
	switch {
	case b.All:
		err = service.EndAll(ctx)
	case b.UserID != 0 && b.ClientID != "":
		out.Body.Sessions, err = service.EndOfUserAtClient(ctx, b.UserID, b.ClientID)
	case b.UserID != 0:
		err = service.EndOfUser(ctx, b.UserID)
	default:
		err = service.EndOfClient(ctx, b.ClientID)
	}
	return out, err
}

// exist checks that the user and the client are there: an unknown name must not look like one without sessions.
func (a *API) exist(ctx context.Context, b wire.SessionsEnd) error {
	if b.UserID != 0 {
		if _, err := a.user(ctx, b.UserID); err != nil {
			return err
		}
	}
	if b.ClientID != "" {
		if _, err := a.Store.Client(ctx, b.ClientID); err != nil {
			return orNotFound(err, "client")
		}
	}
	return nil
}
