package main

import (
	"context"
	"errors"
	"fmt"

	"latchkey/admin"
	"latchkey/server/factors"
	"latchkey/storage"
)

type userFactorsCmd struct {
	userName
	Remove string `xor:"change" help:"Remove this one, and end the user's sessions unless it is a browser." placeholder:"ID"`
	Reset  bool   `xor:"change" help:"Remove all of them, also recovery codes and remembered browsers, and end the user's sessions."`
	databaseFlags
}

// userFactors is what the command prints.
type userFactors struct {
	Username string `json:"username"`
	admin.Factors
}

// factorAdmin is what the command does with the factors of users: on the database, and through the API.
type factorAdmin interface {
	Factors(ctx context.Context, userID int64, o ...admin.Option) (*admin.Factors, error)
	RemoveFactor(ctx context.Context, userID int64, factorID string, o ...admin.Option) (*admin.Factors, error)
	ResetFactors(ctx context.Context, userID int64, o ...admin.Option) (*admin.Factors, error)
}

func (c *userFactorsCmd) Run(ctx context.Context, a *app) error {
	out := userFactors{}
	act := func(_ userAdmin, u *admin.User) error {
		service, err := a.factors(ctx)
		if err != nil {
			return err
		}
		set, err := c.act(ctx, service, u.ID)
		if err != nil {
			return explainRemote(err)
		}
		out.Username, out.Factors = u.Username, *set
		return nil
	}
	return a.withUser(ctx, c.Name, act, func(u *admin.User) error {
		switch {
		case c.Reset:
			return a.confirm(c.JSON, out, "removed the second factors of user %s and ended their sessions", u.Username)
		case c.Remove != "":
			return a.confirm(c.JSON, out, "removed the factor %s of user %s", c.Remove, u.Username)
		}
		return a.printJSON(out)
	})
}

func (c *userFactorsCmd) act(ctx context.Context, service factorAdmin, userID int64) (*admin.Factors, error) {
	switch {
	case c.Reset:
		return service.ResetFactors(ctx, userID, confirmed)
	case c.Remove == "":
		return service.Factors(ctx, userID)
	}
	missing := fmt.Errorf("the user has no factor %q. `latchkey user factors %s` lists them with their ids", c.Remove, c.Name)
	if _, err := storage.ParseID(c.Remove); err != nil {
		return nil, missing
	}
	set, err := service.RemoveFactor(ctx, userID, c.Remove, confirmed)
	if errors.Is(explainRemote(err), storage.ErrNotFound) {
		return nil, missing
	}
	return set, err
}

// factors returns what removes factors.
func (a *app) factors(ctx context.Context) (factorAdmin, error) {
	if a.remote() {
		return a.api(ctx)
	}
	users, err := a.userService(ctx)
	if err != nil {
		return nil, err
	}
	service, err := factors.New(factors.Config{Store: a.store, Now: a.now, Ending: users.Ending, Alerts: a.store.directory == nil})
	return localFactors{service}, err
}

// localFactors removes factors on the database.
type localFactors struct{ service *factors.Service }

func (l localFactors) set(ctx context.Context, userID int64) (*factors.Set, error) {
	u, err := l.service.User(ctx, userID)
	if err != nil {
		return nil, err
	}
	return l.service.Of(ctx, u)
}

func (l localFactors) Factors(ctx context.Context, userID int64, _ ...admin.Option) (*admin.Factors, error) {
	set, err := l.set(ctx, userID)
	if err != nil {
		return nil, err
	}
	return new(set.Describe()), nil
}

func (l localFactors) RemoveFactor(ctx context.Context, userID int64, factorID string, _ ...admin.Option) (*admin.Factors, error) {
	set, err := l.set(ctx, userID)
	if err != nil {
		return nil, err
	}
	id, err := storage.ParseID(factorID)
	if err != nil {
		return nil, storage.ErrNotFound
	}
	if _, err := l.service.Remove(ctx, "operator", set, id); err != nil {
		return nil, err
	}
	return l.Factors(ctx, userID)
}

func (l localFactors) ResetFactors(ctx context.Context, userID int64, _ ...admin.Option) (*admin.Factors, error) {
	set, err := l.set(ctx, userID)
	if err != nil {
		return nil, err
	}
	if shown := set.Describe(); len(shown.Factors) > 0 || shown.RecoveryCodes > 0 {
		if err := l.service.Reset(ctx, userID); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
	}
	return l.Factors(ctx, userID)
}
