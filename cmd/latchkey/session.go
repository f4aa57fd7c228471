package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/cmd/latchkey/internal/config"
	"latchkey/server/users"
	"latchkey/storage"
)

type sessionCmd struct {
	List   sessionListCmd   `cmd:"" help:"List sessions: the access that clients have for users."`
	Revoke sessionRevokeCmd `cmd:"" help:"End sessions: by id, or all of a user, of a client, or of everyone."`
}

// sessionFilter selects the sessions of a user and of a client.
type sessionFilter struct {
	User   string `help:"Sessions of this user." placeholder:"NAME"`
	Client string `help:"Sessions of this client." placeholder:"ID"`
}

// session is a grant in the form that commands print.
type session struct {
	ID         string    `json:"id"`
	ClientID   string    `json:"client_id"`
	UserID     int64     `json:"user_id"`
	Subject    string    `json:"subject,omitempty"`
	Username   string    `json:"username"`
	Scope      []string  `json:"scope"`
	Audience   []string  `json:"audience"`
	State      string    `json:"state"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	// IdleExpiresAt is when it ends unless the client refreshes it first.
	IdleExpiresAt time.Time  `json:"idle_expires_at"`
	Generation    int64      `json:"generation"`
	Address       string     `json:"address"`
	UserAgent     string     `json:"user_agent"`
	RevokedAt     *time.Time `json:"revoked_at"`
	RevokeReason  string     `json:"revoke_reason,omitempty"`
}

func describeSession(g *storage.LiveGrant, idle time.Duration, now time.Time) session {
	s := session{
		ID: g.ID.String(), ClientID: g.ClientID, UserID: g.UserID,
		Scope: append([]string{}, g.Scope...), Audience: append([]string{}, g.Audience...), // [] for none, not null
		CreatedAt: g.CreatedAt, LastUsedAt: g.LastUsedAt, ExpiresAt: g.ExpiresAt,
		Generation: g.Generation, Address: g.Address, UserAgent: g.UserAgent, RevokeReason: g.RevokeReason,
	}
	if s.LastUsedAt.IsZero() {
		s.LastUsedAt = s.CreatedAt
	}
	s.IdleExpiresAt = s.LastUsedAt.Add(idle)
	if g.ExpiresAt.Before(s.IdleExpiresAt) {
		s.IdleExpiresAt = g.ExpiresAt
	}
	s.State = sessionState(g, s.IdleExpiresAt, now)
	if g.User != nil {
		s.Subject, s.Username = g.User.Sub(), g.User.Username
	}
	if !g.RevokedAt.IsZero() {
		s.RevokedAt = &g.RevokedAt
	}
	return s
}

// stateLive and stateIdle are states of sessions; an idle one has ended because it was not refreshed.
const (
	stateLive = "live"
	stateIdle = "idle"
)

// sessionState returns whether the session is live, or why it is not.
func sessionState(g *storage.LiveGrant, idleEnd, now time.Time) string {
	switch {
	case !g.RevokedAt.IsZero():
		return "revoked"
	case !now.Before(g.ExpiresAt):
		return "expired"
	case g.User == nil:
		return "user removed"
	case !g.User.Active:
		return "user disabled"
	case g.User.AuthEpoch != g.UserEpoch:
		return "ended for the user"
	case !g.ClientExists:
		return "client removed"
	case g.ClientDisabled:
		return "client disabled"
	case g.ClientAuthEpoch != g.ClientEpoch:
		return "ended for the client"
	case now.After(idleEnd):
		return stateIdle
	}
	return stateLive
}

type sessionListCmd struct {
	sessionFilter
	All     bool         `help:"Include sessions that have ended, as long as they are kept."`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:"" options:"database,lifetimes,simplejwt,log"`
}

func (c *sessionListCmd) Run(ctx context.Context, a *app) error {
	service, err := a.userService(ctx)
	if err != nil {
		return err
	}
	filter, err := c.resolve(ctx, a, service)
	if err != nil {
		return err
	}
	now := a.now()
	if !c.All {
		filter.LiveAt = now
	}
	idle := idleTTLs{registry: a.registryOf(a.store, nil), settings: a.settings, known: map[string]time.Duration{}}
	filter.Limit = pageSize
	grants := pages(
		func(g *storage.LiveGrant) storage.ID { return g.ID },
		func(after storage.ID) ([]*storage.LiveGrant, error) {
			filter.After = after
			return a.store.ListGrants(ctx, filter)
		},
	)
	sessions := func(yield func(session, error) bool) {
		for g, err := range grants {
			var shown session
			if err == nil {
				var ttl time.Duration
				ttl, err = idle.of(ctx, g.ClientID)
				shown = describeSession(g, ttl, now)
			}
			if shown.State == stateIdle && !c.All {
				continue // the database does not know the idle timeouts
			}
			if !yield(shown, err) {
				return
			}
		}
	}
	return list[session, session]{
		"sessions",
		[]string{"ID", "USER", "CLIENT", "STATE", "CREATED", "LAST USED", "ENDS", "ADDRESS"},
		func(s session) []string {
			return []string{s.ID, s.Username, s.ClientID, s.State, when(s.CreatedAt), when(s.LastUsedAt), when(s.IdleExpiresAt), s.Address}
		},
		same[session],
	}.print(a, c.JSON, sessions)
}

// idleTTLs looks up the idle timeouts of clients, for a server with this configuration.
type idleTTLs struct {
	registry *registry.Registry
	settings *config.Settings
	known    map[string]time.Duration
}

func (i idleTTLs) of(ctx context.Context, id string) (time.Duration, error) {
	if ttl, ok := i.known[id]; ok {
		return ttl, nil
	}
	ttl := i.settings.Server.RefreshTokenIdleTTL
	c, err := i.registry.Client(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
	case err != nil:
		return 0, err
	case c.RefreshTokenIdleTTL != 0:
		ttl = c.RefreshTokenIdleTTL.Std()
	case c.TokenFormat() == clients.FormatSimpleJWT:
		// Each of its refresh tokens has this lifetime; sliding tokens, which share the client, have their own.
		ttl = i.settings.Server.SimpleJWT.RefreshTokenLifetime
		if i.settings.Server.SimpleJWT.Sliding {
			ttl = max(ttl, i.settings.Server.SimpleJWT.SlidingTokenRefreshLifetime)
		}
	}
	i.known[id] = ttl
	return ttl, nil
}

// resolve returns the filter for the names. An unknown name is an error.
func (f *sessionFilter) resolve(ctx context.Context, a *app, service *users.Service) (storage.GrantFilter, error) {
	filter := storage.GrantFilter{ClientID: f.Client}
	if f.User != "" {
		u, err := findUser(ctx, service, f.User)
		if err != nil {
			return filter, err
		}
		filter.UserID = u.ID
	}
	if f.Client != "" {
		if _, err := a.store.Client(ctx, f.Client); err != nil {
			return filter, explainClient(err, f.Client)
		}
	}
	return filter, nil
}

type sessionRevokeCmd struct {
	sessionFilter
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of sessions, as in the list."`
	All bool     `help:"All sessions of all users; browsers are signed out and tokens of client_credentials end too."`
	// FromAudit and DryRun are for a database that was restored from a backup.
	FromAudit string `help:"After a restore: end again what these audit events say was ended, and list it. The file is what audit list --limit 0 --json printed; - reads standard input." placeholder:"FILE"`
	DryRun    bool   `help:"With --from-audit: only list."`
	databaseFlags
}

// revokedSessions is what `session revoke` prints.
type revokedSessions struct {
	User   string   `json:"user,omitempty"`
	Client string   `json:"client,omitempty"`
	All    bool     `json:"all,omitempty"`
	IDs    []string `json:"ids,omitempty"`
	// Revoked is the number of live sessions that ended; nil if they ended in one statement that does not count them.
	Revoked *int `json:"revoked,omitempty"`
}

func (c *sessionRevokeCmd) Run(ctx context.Context, a *app) error {
	byName := c.User != "" || c.Client != ""
	switch {
	case c.FromAudit != "" && (byName || c.All || len(c.IDs) > 0):
		return usage("--from-audit cannot be combined with ids, --user, --client or --all. Use one of them.")
	case c.FromAudit != "":
		return c.fromAudit(ctx, a)
	case c.DryRun:
		return usage("--dry-run needs --from-audit.")
	case !byName && !c.All && len(c.IDs) == 0:
		return usage("no sessions selected. Name their ids, or use --user, --client, or --all for every session.")
	case len(c.IDs) > 0 && (byName || c.All), c.All && byName:
		return usage("ids, --user or --client, and --all cannot be combined. Use one of them.")
	}
	ids, err := sessionIDs(c.IDs)
	if err != nil {
		return err
	}
	service, err := a.userService(ctx)
	if err != nil {
		return err
	}
	done := revokedSessions{User: c.User, Client: c.Client, All: c.All, IDs: c.IDs}
	if len(ids) > 0 {
		done.Revoked, err = a.revokeByID(ctx, ids)
	} else {
		done.Revoked, err = c.revokeByName(ctx, a, service)
	}
	if err != nil {
		return err
	}
	what := "every session"
	switch {
	case done.Revoked != nil:
		what = count(*done.Revoked, "session")
	case c.User != "":
		what += " of user " + plain(c.User)
	case c.Client != "":
		what += " of client " + plain(c.Client)
	}
	return a.confirm(c.JSON, done, "ended %s", what)
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func sessionIDs(texts []string) ([]storage.ID, error) {
	ids := make([]storage.ID, len(texts))
	for i, text := range texts {
		id, err := storage.ParseID(text)
		if err != nil {
			return nil, usage(fmt.Sprintf("%q is not the id of a session. List the sessions with `latchkey session list`.", text))
		}
		ids[i] = id
	}
	return ids, nil
}

func (a *app) revokeByID(ctx context.Context, ids []storage.ID) (*int, error) {
	revoked := 0
	for _, id := range ids {
		g, err := a.store.Grant(ctx, id)
		if errors.Is(err, storage.ErrNotFound) {
			return nil, fmt.Errorf("there is no session %s. List the sessions with `latchkey session list`", id)
		}
		if err != nil {
			return nil, err
		}
		e := a.operatorEvent("session_revoked")
		e.GrantID, e.UserID, e.ClientID = id, g.UserID, g.ClientID
		ended, err := a.store.RevokeGrant(ctx, id, revokeReason, e.At, e)
		if err != nil {
			return nil, err
		}
		if ended {
			revoked++
		}
	}
	return &revoked, nil
}

// revokeReason is the reason of grants that a command revoked.
const revokeReason = "operator"

// revokeByName ends many sessions. Raising an epoch ends all of a user, of a client or of everyone in one statement, together
// with logins that are in progress.
func (c *sessionRevokeCmd) revokeByName(ctx context.Context, a *app, service *users.Service) (*int, error) {
	filter, err := c.resolve(ctx, a, service)
	if err != nil {
		return nil, err
	}
	switch {
	case c.User != "" && c.Client != "":
		return a.revokeRows(ctx, filter)
	case c.User != "":
		return nil, service.EndSessions(ctx, filter.UserID)
	}
	e := a.operatorEvent("client_sessions_ended")
	e.ClientID = c.Client
	if err := a.store.RaiseClientEpoch(ctx, c.Client, e.At, e); err != nil || c.Client != "" {
		return nil, err
	}
	return nil, a.signOutAll(ctx, a.store)
}

// signOutAll ends the browser sessions, which depend on their users: a browser that stayed signed in would get new tokens at
// once.
func (a *app) signOutAll(ctx context.Context, store storage.Users) error {
	shown := a.progress("users signed out").onTerminal(a.stderr)
	defer shown.done()
	done := 0
	everyone := pages(
		func(u *storage.User) int64 { return u.ID },
		func(after int64) ([]*storage.User, error) { return store.ListUsers(ctx, after, pageSize) },
	)
	for u, err := range everyone {
		if err != nil {
			return err
		}
		err := store.RaiseUserEpoch(ctx, u.ID, a.now(), nil) // one audit event covers all users
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("sign out user %d: %w", u.ID, err)
		}
		done++
		shown.at(done)
	}
	return nil
}

func (a *app) revokeRows(ctx context.Context, filter storage.GrantFilter) (*int, error) {
	shown := a.progress("sessions ended").onTerminal(a.stderr)
	defer shown.done()
	filter.LiveAt, filter.Limit = a.now(), pageSize
	revoked := 0
	for {
		e := a.operatorEvent("sessions_revoked")
		e.UserID, e.ClientID = filter.UserID, filter.ClientID
		ended, err := a.store.RevokeGrants(ctx, filter, revokeReason, e.At, e)
		revoked += ended
		shown.at(revoked)
		if err != nil || ended < pageSize {
			return &revoked, err
		}
	}
}
