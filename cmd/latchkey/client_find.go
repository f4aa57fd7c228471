package main

import (
	"context"
	"errors"

	"latchkey/clients"
	"latchkey/clients/registry"
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
	store, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	root, err := a.root(ctx, store)
	if err != nil {
		return nil, err
	}
	return a.registryOf(store, root), nil
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

// changeClient calls act for a client, and says with a sentence what it has done.
func (a *app) changeClient(ctx context.Context, id string, asJSON bool, sentence string, act func(clientAdmin) error) error {
	return a.withClient(ctx, id, act, func(client *clients.Client) error {
		return a.confirm(asJSON, client.Response(""), sentence, client.ID)
	})
}
