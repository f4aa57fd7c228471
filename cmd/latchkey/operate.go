package main

import (
	"context"
	"iter"
	"time"

	"latchkey/admin"
	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/grants"
	"latchkey/server/trail"
	"latchkey/storage"
)

// This file has what commands do to the data. The services of the server do it on the database; with --server, the API of a server does it.

// userAdmin is what commands do with users. An *admin.API is one, and localUsers on the database.
type userAdmin interface {
	Users(ctx context.Context, f admin.UserFilter) iter.Seq2[admin.User, error]
	AddUser(ctx context.Context, n admin.NewUser, o ...admin.Option) (*admin.User, error)
	UpdateUser(ctx context.Context, id int64, c admin.UserChange, o ...admin.Option) (*admin.User, error)
	DisableUser(ctx context.Context, id int64, o ...admin.Option) (*admin.User, error)
	EnableUser(ctx context.Context, id int64, o ...admin.Option) (*admin.User, error)
	SetPassword(ctx context.Context, id int64, p admin.Password, o ...admin.Option) (*admin.User, error)
	RemoveUser(ctx context.Context, id int64, o ...admin.Option) (*admin.User, error)
}

// clientAdmin is what commands do with clients, protected resources and initial access tokens. A *registry.Registry is one, and
// remoteClients.
type clientAdmin interface {
	Client(ctx context.Context, id string) (*clients.Client, error)
	Add(ctx context.Context, reg clients.Registration) (*clients.Client, storage.Secret, error)
	Update(ctx context.Context, id string, change func(*clients.Registration) error) (*clients.Client, error)
	RotateSecret(ctx context.Context, id string, keepOld time.Duration) (storage.Secret, error)
	SetDisabled(ctx context.Context, id string, disabled bool) error
	Remove(ctx context.Context, id string) error

	AddResource(ctx context.Context, resource storage.Resource) (*storage.Resource, error)
	RemoveResource(ctx context.Context, identifier string) error

	AddInitialToken(ctx context.Context, t registry.InitialToken) (*storage.RegistrationToken, storage.Secret, error)
	RemoveInitialToken(ctx context.Context, id storage.ID) error
}

// sessionAdmin is what commands do with sessions. An *admin.API is one, and localSessions on the database.
type sessionAdmin interface {
	EndSession(ctx context.Context, id string, o ...admin.Option) (*admin.Ended, error)
	EndSessions(ctx context.Context, which admin.SessionsEnd, o ...admin.Option) (*admin.Ended, error)
}

// keyAdmin is what commands do with keys. An *admin.API is one, and localKeys on the database.
type keyAdmin interface {
	Keys(ctx context.Context) iter.Seq2[admin.Key, error]
	RotateKeys(ctx context.Context, r admin.KeyRotation) ([]admin.Key, error)
	RetireKey(ctx context.Context, kid string, o ...admin.Option) (*admin.Key, error)
}

// users returns what changes users.
func (a *app) users(ctx context.Context) (userAdmin, error) {
	if a.remote() {
		return a.api(ctx)
	}
	service, err := a.userService(ctx)
	return localUsers{service}, err
}

// shownClient is a client and its registration response, which is what JSON shows.
type shownClient struct {
	clients.RegistrationResponse
	client *clients.Client
}

// everyClient lists the clients.
func (a *app) everyClient(ctx context.Context) (iter.Seq2[shownClient, error], error) {
	show := func(c *clients.Client) (shownClient, error) { return shownClient{c.Response(""), c}, nil }
	if a.remote() {
		api, err := a.api(ctx)
		return mapped(mapped(api.Clients(ctx, admin.ClientFilter{}), clientOf), show), err
	}
	registry, err := a.registry(ctx)
	if err != nil {
		return nil, err
	}
	return mapped(storage.Pages(
		func(c *clients.Client) string { return c.ID },
		func(after string) ([]*clients.Client, error) { return registry.List(ctx, after, storage.PageSize) },
	), show), nil
}

// everyResource lists the protected resources.
func (a *app) everyResource(ctx context.Context) (iter.Seq2[admin.Resource, error], error) {
	if a.remote() {
		api, err := a.api(ctx)
		return explainedList(api.Resources(ctx)), err
	}
	store, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	all, err := store.ListResources(ctx)
	view := func(r *storage.Resource) (admin.Resource, error) { return registry.DescribeResource(r), nil }
	return mapped(each(all), view), err
}

// everyRegistrationToken lists the initial access tokens.
func (a *app) everyRegistrationToken(ctx context.Context) (iter.Seq2[admin.RegistrationToken, error], error) {
	if a.remote() {
		api, err := a.api(ctx)
		return explainedList(api.RegistrationTokens(ctx)), err
	}
	service, err := a.registry(ctx)
	if err != nil {
		return nil, err
	}
	now := a.now()
	view := func(t *storage.RegistrationToken) (admin.RegistrationToken, error) {
		return registry.DescribeToken(t, now), nil
	}
	return mapped(storage.Pages(
		func(t *storage.RegistrationToken) storage.ID { return t.ID },
		func(after storage.ID) ([]*storage.RegistrationToken, error) {
			return service.InitialTokens(ctx, after, storage.PageSize)
		},
	), view), nil
}

// refusals returns the last requests of a client that were refused.
func (a *app) refusals(ctx context.Context, id string, limit int) (*admin.Refusals, error) {
	if a.remote() {
		api, err := a.api(ctx)
		if err != nil {
			return nil, err
		}
		found, err := api.Refusals(ctx, id, min(limit, 500))
		return found, explainRemote(err)
	}
	registry, err := a.registry(ctx)
	if err != nil {
		return nil, err
	}
	client, err := registry.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	found, err := trail.Refusals(ctx, a.store, client, limit)
	return &found, err
}

// auditEvents lists audit events, newest first.
func (a *app) auditEvents(ctx context.Context, filter storage.AuditFilter) (iter.Seq2[admin.AuditEvent, error], error) {
	if a.remote() {
		api, err := a.api(ctx)
		f := admin.AuditFilter{UserID: filter.UserID, ClientID: filter.ClientID, Action: filter.Action}
		if !filter.GrantID.IsZero() {
			f.SessionID = filter.GrantID.String()
		}
		return explainedList(api.AuditEvents(ctx, f)), err
	}
	reader := trail.NewReader(a.store)
	return mapped(storage.Pages(
		func(e *storage.AuditEvent) storage.ID { return e.ID },
		func(before storage.ID) ([]*storage.AuditEvent, error) {
			filter.Before = before
			return a.store.ListAudit(ctx, filter)
		},
	), func(e *storage.AuditEvent) (admin.AuditEvent, error) { return reader.Describe(ctx, e) }), nil
}

// clients returns what changes clients.
func (a *app) clients(ctx context.Context) (clientAdmin, error) {
	if !a.remote() {
		return a.registry(ctx)
	}
	api, err := a.api(ctx)
	return remoteClients{api}, err
}

// clientsWithoutRoot returns what reads clients and changes protected resources, for which no root secret is needed.
func (a *app) clientsWithoutRoot(ctx context.Context) (clientAdmin, error) {
	if a.remote() {
		return a.clients(ctx)
	}
	store, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	return a.registryOf(store, nil), nil
}

// sessions returns what ends sessions. Where the work is done here, progress shows how far it has come.
func (a *app) sessions(ctx context.Context, progress func(int)) (sessionAdmin, error) {
	if a.remote() {
		return a.api(ctx)
	}
	service, err := a.userService(ctx)
	if err != nil {
		return nil, err
	}
	return localSessions{&grants.Service{Store: a.store, Users: service, Now: a.now, Progress: progress}}, nil
}

// keys returns what changes keys.
func (a *app) keys(ctx context.Context) (keyAdmin, error) {
	if a.remote() {
		return a.api(ctx)
	}
	store, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	ring, err := a.ringOf(ctx, store)
	return localKeys{ring}, err
}
