package main

import (
	"context"
	"iter"
	"strconv"

	"latchkey/admin"
	"latchkey/storage"
)

type auditCmd struct {
	List auditListCmd `cmd:"" help:"List audit events, newest first."`
}

type auditListCmd struct {
	User    string `xor:"user" help:"Events of this user." placeholder:"NAME"`
	UserID  int64  `name:"user-id" xor:"user" help:"Events of the user with this id, which may have been removed." placeholder:"N"`
	Client  string `help:"Events of this client, which may have been removed." placeholder:"ID"`
	Session string `help:"Events of this session." placeholder:"ID"`
	Action  string `help:"Events with this name, such as login_failed." placeholder:"NAME"`
	Limit   int    `default:"100" help:"Maximum number of events; 0 for all." placeholder:"N"`
	databaseFlags
}

func (c *auditListCmd) Run(ctx context.Context, a *app) error {
	if c.Limit < 0 {
		return usage("--limit is negative. Use a positive number, or 0 for all events.")
	}
	service, err := a.users(ctx)
	if err != nil {
		return err
	}
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
	filter.Limit = storage.PageSize
	if c.Limit > 0 {
		filter.Limit = min(storage.PageSize, c.Limit)
	}
	all, err := a.auditEvents(ctx, filter)
	return list[admin.AuditEvent]{
		a, c.JSON, "events",
		[]string{"TIME", "ACTION", "OUTCOME", "REASON", "ACTOR", "USER", "CLIENT", "ADDRESS", "DETAILS"},
		auditRow,
	}.print(c.first(all), err)
}

// first returns at most as many events as --limit allows.
func (c *auditListCmd) first(all iter.Seq2[admin.AuditEvent, error]) iter.Seq2[admin.AuditEvent, error] {
	return func(yield func(admin.AuditEvent, error) bool) {
		left := c.Limit
		for e, err := range all {
			if left--; !yield(e, err) || left == 0 {
				return
			}
		}
	}
}

func auditRow(e admin.AuditEvent) []string {
	user := e.Username
	if user == "" && e.UserID != 0 {
		user = "#" + strconv.FormatInt(e.UserID, 10)
	}
	return []string{when(e.At), e.Action, e.Outcome, e.Reason, e.Actor, user, e.ClientID, e.Address, string(e.Details)}
}
