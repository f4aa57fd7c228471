package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

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
	ID           string     `json:"id"`
	ClientID     string     `json:"client_id"`
	UserID       int64      `json:"user_id"`
	Username     string     `json:"username"`
	Scope        []string   `json:"scope"`
	Audience     []string   `json:"audience"`
	State        string     `json:"state"`
	CreatedAt    time.Time  `json:"created_at"`
	LastUsedAt   time.Time  `json:"last_used_at"`
	ExpiresAt    time.Time  `json:"expires_at"`
	Generation   int64      `json:"generation"`
	Address      string     `json:"address"`
	UserAgent    string     `json:"user_agent"`
	RevokedAt    *time.Time `json:"revoked_at"`
	RevokeReason string     `json:"revoke_reason,omitempty"`
}

func describeSession(g *storage.LiveGrant, now time.Time) session {
	s := session{
		ID: g.ID.String(), ClientID: g.ClientID, UserID: g.UserID,
		Scope: append([]string{}, g.Scope...), Audience: append([]string{}, g.Audience...), // [] for none, not null
		State: sessionState(g, now), CreatedAt: g.CreatedAt, LastUsedAt: g.LastUsedAt, ExpiresAt: g.ExpiresAt,
		Generation: g.Generation, Address: g.Address, UserAgent: g.UserAgent, RevokeReason: g.RevokeReason,
	}
	if s.LastUsedAt.IsZero() {
		s.LastUsedAt = s.CreatedAt
	}
	if g.User != nil {
		s.Username = g.User.Username
	}
	if !g.RevokedAt.IsZero() {
		s.RevokedAt = &g.RevokedAt
	}
	return s
}

// sessionState says whether the session is live, and if not why.
func sessionState(g *storage.LiveGrant, now time.Time) string {
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
	}
	return "live"
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
	headings := []string{"ID", "USER", "CLIENT", "STATE", "CREATED", "LAST USED", "ENDS", "ADDRESS"}
	l := listing(a, c.JSON, "sessions", headings, func(s session) []string {
		return []string{s.ID, s.Username, s.ClientID, s.State, when(s.CreatedAt), when(s.LastUsedAt), when(s.ExpiresAt), s.Address}
	})
	filter.Limit = pageSize
	for {
		page, err := store.ListGrants(ctx, filter)
		if err != nil {
			return err
		}
		for _, g := range page {
			if err := l.add(describeSession(g, now)); err != nil {
				return err
			}
			filter.After = g.ID
		}
		if len(page) < pageSize {
			return l.end()
		}
	}
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
	All     bool         `help:"Every session of everyone; tokens of client_credentials end too."`
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
	return nil, store.RaiseClientEpoch(ctx, c.Client, e.At, e)
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
