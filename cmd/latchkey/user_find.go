package main

import (
	"context"
	"errors"
	"fmt"

	"latchkey/admin"
	"latchkey/server/password"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// userName is the argument that names a user. After `--` it may be any name.
type userName struct {
	Name string `arg:"" help:"The user's name. Put -- before a name that begins with a dash."`
}

// userService opens the database and returns the service for it.
func (a *app) userService(ctx context.Context) (*users.Service, error) {
	store, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	cfg := users.Config{
		Store: store, Now: a.now, Argon2: password.DefaultArgon2,
		Notices: a.notifier().Notices, Alerts: store.directory == nil, // a server sends them
	}
	if text := a.settings.Server.Argon2; text != "" {
		if cfg.Argon2, err = password.ParseArgon2(text); err != nil {
			return nil, err
		}
	}
	if store.directory != nil {
		cfg.Directory, cfg.AccountURL = store.directory, a.settings.Server.AccountURL
	}
	return users.New(cfg), nil
}

func (a *app) notifier() *session.Notifier {
	return &session.Notifier{Store: a.store, Clients: a.registryOf(a.store, nil), Now: a.now}
}

// withUser looks up the named user, calls act, and shows the result.
func (a *app) withUser(ctx context.Context, name string, act func(userAdmin, *admin.User) error, show func(*admin.User) error) error {
	service, err := a.users(ctx)
	if err != nil {
		return err
	}
	u, err := findUser(ctx, service, name)
	if err != nil {
		return err
	}
	if err := act(service, u); err != nil {
		return explainUser(err, name)
	}
	return show(u)
}

// changeUser calls act for the named user, and says with a sentence what it has done.
func (a *app) changeUser(ctx context.Context, name string, asJSON bool, sentence string, act func(userAdmin, *admin.User) (*admin.User, error)) error {
	change := func(s userAdmin, u *admin.User) error {
		_, err := act(s, u)
		return err
	}
	return a.withUser(ctx, name, change, func(u *admin.User) error { return a.confirm(asJSON, u, sentence, u.Username) })
}

func findUser(ctx context.Context, service userAdmin, name string) (*admin.User, error) {
	for u, err := range service.Users(ctx, admin.UserFilter{Username: name}) {
		return &u, explainUser(err, name)
	}
	return nil, explainUser(storage.ErrNotFound, name)
}

// isTaken reports whether an error says that another user, or a client, has the name, the id or the subject of a user, as it is.
func isTaken(err error) bool {
	err = explainRemote(err)
	_, variant := errors.AsType[*input.CaseVariantError](err)
	return errors.Is(err, storage.ErrExists) && !variant
}

// explainUser returns the error for the operator, with what to do about it.
func explainUser(err error, name string) error {
	var invalid *input.Error
	var variant *input.CaseVariantError
	switch err = explainRemoteUser(err); {
	case errors.As(err, &variant):
		return fmt.Errorf("%w. Choose another name", variant)
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no user %q. List the users with `latchkey user list`; names must match exactly", name)
	case errors.As(err, &invalid):
		return usage("the " + invalid.Error() + ".")
	}
	return err
}
