package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/storage"
)

type auditCmd struct {
	List auditListCmd `cmd:"" help:"List what happened, newest first."`
}

// auditEvent is a security fact as the command prints it.
type auditEvent struct {
	ID        string          `json:"id"`
	At        time.Time       `json:"at"`
	Action    string          `json:"action"`
	Outcome   string          `json:"outcome"`
	Reason    string          `json:"reason,omitempty"`
	Actor     string          `json:"actor"`
	UserID    int64           `json:"user_id,omitempty"`
	Username  string          `json:"username,omitempty"` // as it is now; a removed user has none
	ClientID  string          `json:"client_id,omitempty"`
	SessionID string          `json:"session_id,omitempty"`
	Address   string          `json:"address,omitempty"`
	RequestID string          `json:"request_id,omitempty"`
	Details   json.RawMessage `json:"details,omitempty"`
}

type auditListCmd struct {
	User    string       `xor:"user" help:"What concerns this user." placeholder:"NAME"`
	UserID  int64        `name:"user-id" xor:"user" help:"The same by the id: a removed user has no name." placeholder:"N"`
	Client  string       `help:"What concerns this client, one that was removed too." placeholder:"ID"`
	Session string       `help:"What concerns this session." placeholder:"ID"`
	Action  string       `help:"What is called so, such as login_failed." placeholder:"NAME"`
	Limit   int          `default:"100" help:"How many at most; 0 for all." placeholder:"N"`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *auditListCmd) Run(ctx context.Context, a *app) error {
	if c.Limit < 0 {
		return usage("--limit is below zero.")
	}
	service, store, err := a.userService(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	filter := storage.AuditFilter{UserID: c.UserID, ClientID: c.Client, Action: c.Action}
	if c.User != "" {
		u, err := findUser(ctx, service, c.User)
		if err != nil {
			return err
		}
		filter.UserID = u.ID
	}
	if c.Session != "" {
		ids, err := sessionIDs([]string{c.Session})
		if err != nil {
			return err
		}
		filter.GrantID = ids[0]
	}
	return c.print(ctx, a, store, filter)
}

func (c *auditListCmd) print(ctx context.Context, a *app, store storage.Store, filter storage.AuditFilter) error {
	headings := []string{"TIME", "ACTION", "OUTCOME", "REASON", "ACTOR", "USER", "CLIENT", "ADDRESS", "DETAILS"}
	l := listing(a, c.JSON, "events", headings, func(e auditEvent) []string {
		user := e.Username
		if user == "" && e.UserID != 0 {
			user = "#" + strconv.FormatInt(e.UserID, 10)
		}
		return []string{when(e.At), e.Action, e.Outcome, e.Reason, e.Actor, user, e.ClientID, e.Address, string(e.Details)}
	})
	names := usernames{store: store, known: map[int64]string{}}
	for left := c.Limit; ; {
		filter.Limit = pageSize
		if c.Limit > 0 {
			filter.Limit = min(pageSize, left)
		}
		page, err := store.ListAudit(ctx, filter)
		if err != nil {
			return err
		}
		for _, e := range page {
			shown, err := names.describe(ctx, e)
			if err != nil {
				return err
			}
			if err := l.add(shown); err != nil {
				return err
			}
			filter.Before = e.ID
		}
		left -= len(page)
		if len(page) < filter.Limit || c.Limit > 0 && left == 0 {
			return l.end()
		}
	}
}

// usernames finds the names of the users in a list, each once.
type usernames struct {
	store storage.Users
	known map[int64]string
}

func (n usernames) describe(ctx context.Context, e *storage.AuditEvent) (auditEvent, error) {
	name, ok := n.known[e.UserID]
	if !ok && e.UserID != 0 {
		u, err := n.store.User(ctx, e.UserID)
		switch {
		case err == nil:
			name = u.Username
		case !errors.Is(err, storage.ErrNotFound):
			return auditEvent{}, err
		}
		n.known[e.UserID] = name
	}
	shown := auditEvent{
		ID: e.ID.String(), At: e.At, Action: e.Action, Outcome: e.Outcome, Reason: e.Reason, Actor: e.Actor,
		UserID: e.UserID, Username: name, ClientID: e.ClientID, Address: e.Address, RequestID: e.RequestID, Details: e.Details,
	}
	if !e.GrantID.IsZero() {
		shown.SessionID = e.GrantID.String()
	}
	return shown, nil
}
