package main

import (
	"context"

	"latchkey/migrations"
	"latchkey/server"
)

type serveCmd struct {
	Migrate bool `help:"Apply migrations first, as SQLite always does."`
	localFlags
	serverFlags
}

func (c *serveCmd) Run(ctx context.Context, a *app) error {
	if c.Server != "" {
		return errNeedsDatabase
	}
	a.mayCreate = true
	defer a.serves()()
	var err error
	if a.settings.Server.Prepare, err = a.openForServing(ctx, c.Migrate); err != nil {
		return err
	}
	s, err := a.newServer(ctx)
	if err != nil {
		return err
	}
	a.warn(ctx)
	return s.Run(ctx)
}

// newServer returns a server over the opened database with the settings.
func (a *app) newServer(ctx context.Context) (*server.Server, error) {
	root, err := a.root(ctx, a.store)
	if err != nil {
		return nil, err
	}
	cfg := a.settings.Server
	cfg.Store, cfg.Root, cfg.Logger, cfg.Now = a.store, root, a.logger(), a.now
	cfg.Release, cfg.Schema = thisBuild().release(), migrations.Newest(a.store.dialect)
	if a.store.directory != nil {
		cfg.Directory = a.store.directory
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
	if a.settings.Elsewhere {
		logger.WarnContext(ctx, "--server (LATCHKEY_SERVER) is for other commands: this server works on its database", "setting", "server")
	}
	for _, w := range append(a.settings.Weaknesses(), a.settings.ReadableByOthers()...) {
		if w.Name != "login-throttle" { // the server logs that itself
			logger.WarnContext(ctx, w.Problem, "setting", w.Name, "remedy", w.Remedy)
		}
	}
}
