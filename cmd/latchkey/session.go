package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/admin"
	"latchkey/clients"
	"latchkey/server/grants"
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

type sessionListCmd struct {
	sessionFilter
	All     bool         `help:"Include sessions that have ended, as long as they are kept."`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:"" options:"remote,database,lifetimes,simplejwt,log"`
}

func (c *sessionListCmd) Run(ctx context.Context, a *app) error {
	filter, err := c.resolve(ctx, a)
	if err != nil {
		return err
	}
	return list[admin.Session]{
		a, c.JSON, "sessions",
		[]string{"ID", "USER", "CLIENT", "STATE", "CREATED", "LAST USED", "ENDS", "ADDRESS"},
		func(s admin.Session) []string {
			return []string{s.ID, s.Username, s.ClientID, s.State, when(s.CreatedAt), when(s.LastUsedAt), when(s.IdleExpiresAt), s.Address}
		},
	}.print(a.everySession(ctx, filter, c.All))
}

// everySession lists the sessions that a filter selects, with ended those that have ended too.
func (a *app) everySession(ctx context.Context, filter storage.GrantFilter, ended bool) (iter.Seq2[admin.Session, error], error) {
	if a.remote() {
		api, err := a.api(ctx)
		return explainedList(api.Sessions(ctx, admin.SessionFilter{UserID: filter.UserID, ClientID: filter.ClientID, Ended: ended})), err
	}
	now := a.now()
	if !ended {
		filter.LiveAt = now
	}
	idle := a.idleTTLs()
	filter.Limit = storage.PageSize
	all := storage.Pages(
		func(g *storage.LiveGrant) storage.ID { return g.ID },
		func(after storage.ID) ([]*storage.LiveGrant, error) {
			filter.After = after
			return a.store.ListGrants(ctx, filter)
		},
	)
	return func(yield func(admin.Session, error) bool) {
		for g, err := range all {
			var shown admin.Session
			if err == nil {
				var ttl time.Duration
				ttl, err = idle(ctx, g.ClientID)
				shown = grants.Describe(g, ttl, now)
			}
			if shown.State == grants.StateIdle && !ended {
				continue // the database does not know the idle timeouts
			}
			if !yield(shown, err) {
				return
			}
		}
	}, nil
}

// idleTTLs returns what looks up the idle timeouts of clients, for a server with this configuration. It remembers them.
func (a *app) idleTTLs() func(ctx context.Context, clientID string) (time.Duration, error) {
	registry, known, cfg := a.registryOf(a.store, nil), map[string]time.Duration{}, &a.settings.Server
	return func(ctx context.Context, id string) (time.Duration, error) {
		if ttl, ok := known[id]; ok {
			return ttl, nil
		}
		ttl := cfg.RefreshTokenIdleTTL
		c, err := registry.Client(ctx, id)
		switch {
		case errors.Is(err, storage.ErrNotFound):
		case err != nil:
			return 0, err
		case c.RefreshTokenIdleTTL != 0:
			ttl = c.RefreshTokenIdleTTL.Std()
		case c.TokenFormat() == clients.FormatSimpleJWT:
			// Each of its refresh tokens has this lifetime; sliding tokens, which share the client, have their own.
			ttl = cfg.SimpleJWT.RefreshTokenLifetime
			if cfg.SimpleJWT.Sliding {
				ttl = max(ttl, cfg.SimpleJWT.SlidingTokenRefreshLifetime)
			}
		}
		known[id] = ttl
		return ttl, nil
	}
}

// resolve returns the filter for the names, and opens the database unless --server is set. An unknown name is an error.
func (f *sessionFilter) resolve(ctx context.Context, a *app) (storage.GrantFilter, error) {
	filter := storage.GrantFilter{ClientID: f.Client}
	service, err := a.users(ctx)
	if err != nil {
		return filter, err
	}
	if f.User != "" {
		u, err := findUser(ctx, service, f.User)
		if err != nil {
			return filter, err
		}
		filter.UserID = u.ID
	}
	if f.Client != "" {
		service, err := a.clientsWithoutRoot(ctx)
		if err != nil {
			return filter, err
		}
		if _, err := service.Client(ctx, f.Client); err != nil {
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
	if _, err := sessionIDs(c.IDs); err != nil {
		return err
	}
	filter, err := c.resolve(ctx, a)
	if err != nil {
		return err
	}
	what := "users signed out"
	if c.User != "" && c.Client != "" {
		what = "sessions ended"
	}
	shown := a.progress(what, true)
	defer shown.done()
	end, err := a.sessions(ctx, shown.at)
	if err != nil {
		return err
	}
	done := revokedSessions{User: c.User, Client: c.Client, All: c.All, IDs: c.IDs}
	if len(c.IDs) > 0 {
		done.Revoked, err = revokeByID(ctx, end, c.IDs)
	} else {
		var ended *admin.Ended
		ended, err = end.EndSessions(ctx, admin.SessionsEnd{UserID: filter.UserID, ClientID: c.Client, All: c.All}, confirmed)
		if err == nil && c.User != "" && c.Client != "" {
			done.Revoked = &ended.Sessions
		}
	}
	if err != nil {
		return explainRemote(err)
	}
	what = "every session"
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

func revokeByID(ctx context.Context, end sessionAdmin, ids []string) (*int, error) {
	revoked := 0
	for _, id := range ids {
		ended, err := end.EndSession(ctx, id)
		if errors.Is(explainRemote(err), storage.ErrNotFound) {
			return nil, fmt.Errorf("there is no session %s. List the sessions with `latchkey session list`", id)
		}
		if err != nil {
			return nil, err
		}
		revoked += ended.Sessions
	}
	return &revoked, nil
}
