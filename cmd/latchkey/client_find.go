package main

import (
	"context"
	"errors"
	"fmt"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/cmd/latchkey/internal/config"
	"latchkey/server/keys"
	"latchkey/storage"
)

// registryOf returns the registry over the database. Without a root it can't create secrets.
func (a *app) registryOf(store *opened, root *keys.Root) *registry.Registry {
	cfg := registry.Config{Store: store, Now: a.now, Size: 1, Schemes: a.settings.Server.RedirectSchemes}
	if root != nil {
		cfg.MACKeys = root.Derive("client secrets")
	}
	return registry.New(cfg)
}

// registry opens the database and returns the registry over it.
func (a *app) registry(ctx context.Context) (*registry.Registry, error) {
	root, err := a.settings.Root()
	if err != nil {
		return nil, err
	}
	store, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	return a.registryOf(store, root), nil
}

// clientID is the argument that names a client.
type clientID struct {
	ID string `arg:"" name:"client-id" help:"The client's id."`
}

// withClient opens the registry, calls act, and shows the client that results.
func (a *app) withClient(ctx context.Context, id string, act func(clientAdmin) error, show func(*clients.Client) error) error {
	service, err := a.clients(ctx)
	if err != nil {
		return err
	}
	before, err := service.Client(ctx, id)
	if err != nil {
		return explainClient(err, id)
	}
	if err := act(service); err != nil {
		return explainClient(err, id)
	}
	after, err := service.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		after, err = before, nil // removed
	}
	if err != nil {
		return err
	}
	return show(after)
}

// explainClient returns the error for the operator, with what to do about it.
func explainClient(err error, id string) error {
	if wrong := clients.Faults(err); len(wrong) > 0 {
		var found config.Faults
		for _, w := range wrong {
			found = append(found, config.Fault{Subject: flagOf(w.Field), Problem: "is not valid: " + w.Description, Remedy: "Nothing was changed."})
		}
		return found
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no client %q. List the clients with `latchkey client list`", id)
	case errors.Is(err, storage.ErrConflict):
		return fmt.Errorf("client %q was changed by someone else at the same time. Try again", id)
	case errors.Is(err, registry.ErrNoSecret):
		return fmt.Errorf("client %q has no secret: it is public, or authenticates with its own key (token_endpoint_auth_method)", id)
	}
	return err
}
