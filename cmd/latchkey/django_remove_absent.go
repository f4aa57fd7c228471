package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"latchkey/clients"
	"latchkey/server/users/external"
	"latchkey/storage"
)

type djangoRemoveAbsentCmd struct {
	After     *clients.Duration `help:"How long an account must have been missing; by default --absent-users-after. 0s: now." placeholder:"DURATION"`
	AnyNumber bool              `help:"Remove them however many are missing."`
	DryRun    bool              `help:"Report what would happen, and remove no user."`
	databaseFlags
}

func (c *djangoRemoveAbsentCmd) Help() string {
	return "The server does it once an hour. It removes no user while accounts of more than one user in ten are missing, since that may be a wrong database or a wrong " +
		"table; --any-number says that it is not. A user who is found missing for the first time is missing since now. The exit status is 1 if no user was removed for that reason."
}

func (c *djangoRemoveAbsentCmd) Run(ctx context.Context, a *app) error {
	store, err := a.open(ctx)
	if err != nil {
		return err
	}
	if store.directory == nil {
		return usage("the users are in Latchkey's own database. Set --users-from django (LATCHKEY_USERS_FROM), or remove users with `latchkey user remove`.")
	}
	after := a.settings.Server.AbsentUsersAfter
	if c.After != nil {
		after = c.After.Std()
	} else if after == 0 {
		return usage("--after is missing: --absent-users-after (LATCHKEY_ABSENT_USERS_AFTER) is 0, so users are kept.")
	}
	sweeper := &external.Sweeper{
		Store: store, Accounts: store.directory, After: after, Logger: a.logger(), Any: c.AnyNumber, DryRun: c.DryRun,
		Notices: a.notifier().OfAbsent, // a server sends them
	}
	now, err := storage.Earlier(ctx, a.now(), store)
	if err != nil {
		return err
	}
	var result external.Swept
	for done := false; !done; {
		if result, done, err = sweeper.Pass(ctx, now.UTC(), time.Minute); err != nil && !errors.Is(err, external.ErrManyAbsent) {
			return err
		}
	}
	if c.JSON {
		if err := json.NewEncoder(a.stdout).Encode(result); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.stdout, "%d of %d users have no account any more, %d for long enough; %d removed\n", result.Absent, result.Seen, result.Due, result.Removed)
	}
	if err != nil {
		return fmt.Errorf("%w. Check --django-database-url and --django-users; if the accounts were removed on purpose, use --any-number", err)
	}
	return nil
}
