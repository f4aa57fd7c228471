package main

import (
	"context"

	"latchkey/migrations"
	"latchkey/server"
)

type serveCmd struct {
	Migrate bool `help:"Apply migrations first, as SQLite always does."`
	serverFlags
}

func (c *serveCmd) Run(ctx context.Context, a *app) error {
	defer a.serves()()
	store, prepare, err := a.openForServing(ctx, c.Migrate)
	if err != nil {
		return err
	}
	check, err := a.withQuery(store)
	if err != nil {
		return err
	}
	a.settings.Server.Prepare = func(ctx context.Context) error {
		if err := prepare(ctx); err != nil {
			return err
		}
		return check(ctx)
	}
	if a.settings.BlacklistWriteback {
		b, err := a.djangoBlacklist()
		if err != nil {
			return err
		}
		defer b.Close()
		a.settings.Server.SimpleJWT.Blacklist = b
	}
	s, err := a.newServer(store)
	if err != nil {
		return err
	}
	a.warn(ctx)
	return s.Run(ctx)
}

// newServer returns a server over the database with the settings.
func (a *app) newServer(store *opened) (*server.Server, error) {
	root, err := a.settings.Root()
	if err != nil {
		return nil, err
	}
	cfg := a.settings.Server
	cfg.Store, cfg.Root, cfg.Logger, cfg.Now = store, root, a.logger(), a.now
	cfg.Release, cfg.Schema = thisBuild().release(), migrations.Newest(store.dialect)
	if store.directory != nil {
		cfg.Directory = store.directory
	}
	if cfg.Traces, err = server.TraceExporter(context.Background(), cfg.Logger); err != nil {
		return nil, err
	}
	if ignored := a.settings.Ignored; len(ignored) > 0 {
		cfg.Logger.Info("environment variables of Kubernetes services are ignored", "variables", ignored)
	}
	return server.New(cfg)
}

// warn logs at the start what an operator should change although the server works.
func (a *app) warn(ctx context.Context) {
	logger := a.logger()
	for _, w := range append(a.settings.Weaknesses(), a.settings.ReadableByOthers()...) {
		if w.Name != "login-throttle" { // the server logs that itself
			logger.WarnContext(ctx, w.Problem, "setting", w.Name, "remedy", w.Remedy)
		}
	}
}
