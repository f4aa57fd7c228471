package main

import (
	"context"
	"errors"

	"latchkey/server/factors"
	"latchkey/storage"
)

type userFactorsCmd struct {
	userName
	Reset bool `help:"Remove all of them, also recovery codes and remembered browsers, and end the user's sessions."`
	databaseFlags
}

// userFactors is what the command prints.
type userFactors struct {
	Username      string         `json:"username"`
	Factors       []factors.Info `json:"factors"`
	RecoveryCodes int            `json:"recovery_codes"`
}

func (c *userFactorsCmd) Run(ctx context.Context, a *app) error {
	if a.remote() {
		return errNeedsDatabase
	}
	var out userFactors
	act := func(_ userAdmin, u *storage.User) error {
		service, err := factors.New(factors.Config{Store: a.store, Now: a.now})
		if err != nil {
			return err
		}
		if c.Reset {
			err := service.Reset(ctx, u.ID)
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
		}
		set, err := service.Of(ctx, u)
		if err != nil {
			return err
		}
		out.Username = u.Username
		out.Factors, out.RecoveryCodes = set.Describe()
		return nil
	}
	return a.withUser(ctx, c.Name, act, func(u *storage.User) error {
		if c.Reset {
			return a.confirm(c.JSON, out, "removed the second factors of user %s and ended their sessions", u.Username)
		}
		return a.printJSON(out)
	})
}
