package admin

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// Session is the access that a client has for a user.
type Session struct {
	ID       string   `json:"id" format:"uuid"`
	ClientID string   `json:"client_id"`
	UserID   int64    `json:"user_id"`
	Subject  string   `json:"subject,omitempty"`
	Username string   `json:"username" doc:"Empty if the user was removed."`
	Scope    []string `json:"scope" nullable:"false"`
	Audience []string `json:"audience" nullable:"false"`
	State    string   `json:"state" doc:"live, or why it has ended."`
	// AuthTime is when the user logged in, ACR and AMR are how; AMR is empty where that is not known.
	AuthTime   time.Time `json:"auth_time" doc:"When the user logged in."`
	ACR        string    `json:"acr,omitempty" doc:"What the login amounts to."`
	AMR        []string  `json:"amr" nullable:"false" doc:"How the user logged in (RFC 8176)."`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	// IdleExpiresAt is when it ends unless the client refreshes it first.
	IdleExpiresAt time.Time  `json:"idle_expires_at" doc:"When it ends unless the client refreshes it first."`
	Generation    int64      `json:"generation"`
	Address       string     `json:"address"`
	UserAgent     string     `json:"user_agent"`
	RevokedAt     *time.Time `json:"revoked_at"`
	RevokeReason  string     `json:"revoke_reason,omitempty"`
}

// SessionsEnd selects the sessions to end: of a user, of a client, of a user with a client, or of everyone.
type SessionsEnd struct {
	UserID   int64  `json:"user_id,omitempty" minimum:"1"`
	ClientID string `json:"client_id,omitempty" maxLength:"2048"`
	All      bool   `json:"all,omitempty" doc:"Every session of everyone; browsers are signed out and tokens of client_credentials end too."`
}

// Ended tells how many sessions ended.
type Ended struct {
	Sessions int `json:"sessions" doc:"How many sessions were live before."`
}

// SessionFilter selects sessions; zero fields select all that are live.
type SessionFilter struct {
	UserID   int64
	ClientID string
	// Ended selects those that have ended too, as long as they are kept.
	Ended bool
}

// Sessions lists sessions by id: oldest first.
func (a *API) Sessions(ctx context.Context, f SessionFilter) iter.Seq2[Session, error] {
	query := filters("user_id", id(f.UserID), "client_id", f.ClientID)
	if f.Ended {
		query.Set("all", "true")
	}
	return list[Session](ctx, a, "/sessions", query)
}

// Session shows a session.
func (a *API) Session(ctx context.Context, sessionID string) (*Session, error) {
	return one[Session](ctx, a, newCall(http.MethodGet, "/sessions"+segment(sessionID), nil))
}

// EndSession ends a session.
func (a *API) EndSession(ctx context.Context, sessionID string, o ...Option) (*Ended, error) {
	return one[Ended](ctx, a, newCall(http.MethodDelete, "/sessions"+segment(sessionID), nil, o...))
}

// EndSessions ends the sessions of a user, of a client, of a user with a client, or of everyone.
func (a *API) EndSessions(ctx context.Context, which SessionsEnd, o ...Option) (*Ended, error) {
	return one[Ended](ctx, a, newCall(http.MethodPost, "/sessions/end", which, o...))
}
