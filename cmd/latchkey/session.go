package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/users"
	"latchkey/storage"
)

type sessionCmd struct {
	List   sessionListCmd   `cmd:"" help:"List the sessions: what clients hold for users."`
	Revoke sessionRevokeCmd `cmd:"" help:"End sessions, by their ids or all of a user, of a client, or of everyone."`
}

// sessionFilter selects sessions by name.
type sessionFilter struct {
	User   string `help:"Sessions of this user." placeholder:"NAME"`
	Client string `help:"Sessions of this client." placeholder:"ID"`
}

// session is a grant as the commands print it.
type session struct {
	ID         string    `json:"id"`
	ClientID   string    `json:"client_id"`
	UserID     int64     `json:"user_id"`
	Username   string    `json:"username"`
	Scope      []string  `json:"scope"`
	Audience   []string  `json:"audience"`
	State      string    `json:"state"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	// IdleExpiresAt is when it ends unless the client refreshes before.
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
		s.Username = g.User.Username
	}
	if !g.RevokedAt.IsZero() {
		s.RevokedAt = &g.RevokedAt
	}
	return s
}

// stateLive and stateIdle are states of sessions; an idle one has ended for want of a refresh.
const (
	stateLive = "live"
	stateIdle = "idle"
)

// sessionState says whether the session is live, and if not why.
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
	All     bool         `help:"Those that have ended too, as long as they are kept."`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *sessionListCmd) Run(ctx context.Context, a *app) error {
	service, store, err := a.userService(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	filter, err := c.resolve(ctx, service, store)
	if err != nil {
		return err
	}
	now := a.now()
	if !c.All {
		filter.LiveAt = now
	}
	idle := idleTTLs{registry: a.registryOf(store, nil), settings: a.settings, known: map[string]time.Duration{}}
	headings := []string{"ID", "USER", "CLIENT", "STATE", "CREATED", "LAST USED", "ENDS", "ADDRESS"}
	l := listing(a, c.JSON, "sessions", headings, func(s session) []string {
		return []string{s.ID, s.Username, s.ClientID, s.State, when(s.CreatedAt), when(s.LastUsedAt), when(s.IdleExpiresAt), s.Address}
	})
	filter.Limit = pageSize
	for {
		page, err := store.ListGrants(ctx, filter)
		if err != nil {
			return err
		}
		for _, g := range page {
			filter.After = g.ID
			ttl, err := idle.of(ctx, g.ClientID)
			if err != nil {
				return err
			}
			shown := describeSession(g, ttl, now)
			if shown.State == stateIdle && !c.All {
				continue // the database does not know the idle ends
			}
			if err := l.add(shown); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return l.end()
		}
	}
}

// idleTTLs finds out after how long without a refresh the sessions of a client end, as a server of this configuration has it.
type idleTTLs struct {
	registry *registry.Registry
	settings *settings
	known    map[string]time.Duration
}

func (i idleTTLs) of(ctx context.Context, id string) (time.Duration, error) {
	if ttl, ok := i.known[id]; ok {
		return ttl, nil
	}
	ttl := i.settings.server.RefreshTokenIdleTTL
	if id == clients.SimpleJWTID {
		// Its refresh tokens live this long each; sliding ones, which share the client, have a lifetime of their own.
		ttl = i.settings.server.SimpleJWT.RefreshTokenLifetime
		if i.settings.server.SimpleJWT.Sliding {
			ttl = max(ttl, i.settings.server.SimpleJWT.SlidingTokenRefreshLifetime)
		}
	}
	c, err := i.registry.Client(ctx, id)
	switch {
	case err == nil && c.RefreshTokenIdleTTL != 0:
		ttl = c.RefreshTokenIdleTTL.Std()
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return 0, err
	}
	i.known[id] = ttl
	return ttl, nil
}

// resolve turns names into a filter; an unknown name is an error rather than an empty list.
func (f *sessionFilter) resolve(ctx context.Context, service *users.Service, store storage.Store) (storage.GrantFilter, error) {
	filter := storage.GrantFilter{ClientID: f.Client}
	if f.User != "" {
		u, err := findUser(ctx, service, f.User)
		if err != nil {
			return filter, err
		}
		filter.UserID = u.ID
	}
	if f.Client != "" {
		if _, err := store.Client(ctx, f.Client); err != nil {
			return filter, explainClient(err, f.Client)
		}
	}
	return filter, nil
}

type sessionRevokeCmd struct {
	sessionFilter
	IDs     []string     `arg:"" optional:"" name:"id" help:"Sessions, by the ids that the list shows."`
	All     bool         `help:"Every session of everyone; browsers are signed out and tokens of client_credentials end too."`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

// revokedSessions is what `session revoke` prints.
type revokedSessions struct {
	User   string   `json:"user,omitempty"`
	Client string   `json:"client,omitempty"`
	All    bool     `json:"all,omitempty"`
	IDs    []string `json:"ids,omitempty"`
	// Revoked is how many live sessions ended; nil where all end in one act that does not count.
	Revoked *int `json:"revoked,omitempty"`
}

func (c *sessionRevokeCmd) Run(ctx context.Context, a *app) error {
	byName := c.User != "" || c.Client != ""
	switch {
	case !byName && !c.All && len(c.IDs) == 0:
		return usage("name the sessions: by id, with --user, with --client, or --all for every one.")
	case len(c.IDs) > 0 && (byName || c.All), c.All && byName:
		return usage("ids, --user and --client, and --all exclude each other. Use one of them.")
	}
	ids, err := sessionIDs(c.IDs)
	if err != nil {
		return err
	}
	service, store, err := a.userService(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	done := revokedSessions{User: c.User, Client: c.Client, All: c.All, IDs: c.IDs}
	if len(ids) > 0 {
		done.Revoked, err = a.revokeByID(ctx, store, ids)
	} else {
		done.Revoked, err = c.revokeByName(ctx, a, service, store)
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
	return a.confirm(c.JSON, done, "ended: %s", what)
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
			return nil, usage(fmt.Sprintf("%q is not the id of a session. `latchkey session list` shows them.", text))
		}
		ids[i] = id
	}
	return ids, nil
}

func (a *app) revokeByID(ctx context.Context, store storage.Store, ids []storage.ID) (*int, error) {
	revoked := 0
	for _, id := range ids {
		g, err := store.Grant(ctx, id)
		if errors.Is(err, storage.ErrNotFound) {
			return nil, fmt.Errorf("there is no session %s. `latchkey session list` shows them", id)
		}
		if err != nil {
			return nil, err
		}
		e := a.operatorEvent("session_revoked")
		e.GrantID, e.UserID, e.ClientID = id, g.UserID, g.ClientID
		ended, err := store.RevokeGrant(ctx, id, revokeReason, e.At, e)
		if err != nil {
			return nil, err
		}
		if ended {
			revoked++
		}
	}
	return &revoked, nil
}

// revokeReason is what grants say that a command ended.
const revokeReason = "operator"

// revokeByName ends many sessions. Raising an epoch ends all of a user, of a client or of everyone in one act, however
// many there are, together with logins that are under way.
func (c *sessionRevokeCmd) revokeByName(ctx context.Context, a *app, service *users.Service, store storage.Store) (*int, error) {
	filter, err := c.resolve(ctx, service, store)
	if err != nil {
		return nil, err
	}
	switch {
	case c.User != "" && c.Client != "":
		return a.revokeRows(ctx, store, filter)
	case c.User != "":
		return nil, service.EndSessions(ctx, filter.UserID)
	}
	e := a.operatorEvent("client_sessions_ended")
	e.ClientID = c.Client
	if err := store.RaiseClientEpoch(ctx, c.Client, e.At, e); err != nil || c.Client != "" {
		return nil, err
	}
	return nil, a.signOutEverybody(ctx, store)
}

// signOutEverybody ends the browser sessions, which hang on their users: a browser that stayed signed in would get new
// tokens at once.
func (a *app) signOutEverybody(ctx context.Context, store storage.Store) error {
	shown := a.progress("users signed out").onTerminal(a.stderr)
	defer shown.done()
	after, done := int64(0), 0
	for {
		page, err := store.ListUsers(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for _, u := range page {
			err := store.RaiseUserEpoch(ctx, u.ID, a.now(), nil) // the audit event of the whole is written
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return fmt.Errorf("sign out user %d: %w", u.ID, err)
			}
			after = u.ID
			done++
			shown.at(done)
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

func (a *app) revokeRows(ctx context.Context, store storage.Store, filter storage.GrantFilter) (*int, error) {
	shown := a.progress("sessions ended").onTerminal(a.stderr)
	defer shown.done()
	filter.LiveAt, filter.Limit = a.now(), pageSize
	revoked := 0
	for {
		e := a.operatorEvent("sessions_revoked")
		e.UserID, e.ClientID = filter.UserID, filter.ClientID
		ended, err := store.RevokeGrants(ctx, filter, revokeReason, e.At, e)
		revoked += ended
		shown.at(revoked)
		if err != nil || ended < pageSize {
			return &revoked, err
		}
	}
}
