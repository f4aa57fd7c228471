package main

import (
	"context"

	"github.com/alecthomas/kong"

	"latchkey/admin"
	"latchkey/server/factors"
	"latchkey/server/personal"
)

type userExportCmd struct {
	userName
	Options kong.Plugins `embed:"" options:"remote,database,lifetimes,simplejwt,log"`
}

func (c *userExportCmd) Run(ctx context.Context, a *app) error {
	if a.remote() {
		return errNeedsDatabase
	}
	var out *personal.Data
	export := func(_ userAdmin, found *admin.User) error {
		service, err := factors.New(factors.Config{Store: a.store, Now: a.now})
		if err != nil {
			return err
		}
		u, err := a.store.User(ctx, found.ID)
		if err != nil {
			return err
		}
		e := personal.Exporter{Store: a.store, Factors: service, IdleTTL: a.idleTTLs(), Now: a.now}
		out, err = e.Export(ctx, u)
		return err
	}
	return a.withUser(ctx, c.Name, export, func(*admin.User) error { return a.printJSON(out) })
}
