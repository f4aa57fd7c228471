package dryrun

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/storage"
)

// Changes is a store for a users.Service or a registry.Registry that checks changes as the store below would, and makes none.
type Changes struct{ storage.Store }

// exists returns storage.ErrExists if err says that something was found.
func exists(what string, err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("%s: %w", what, storage.ErrExists)
	case errors.Is(err, storage.ErrNotFound):
		return nil
	}
	return err
}

// second returns the error of a call with two results.
func second[T any](_ T, err error) error { return err }

// CreateUser implements [storage.Users].
func (d Changes) CreateUser(ctx context.Context, u *storage.User) error {
	err := d.free(ctx, "create user", u.Username, 0)
	if err == nil && u.ID != 0 {
		err = exists("create user", second(d.User(ctx, u.ID)))
	}
	if err == nil && u.Subject != "" {
		err = exists("create user", second(d.UserBySubject(ctx, u.Subject)))
	}
	if err == nil && u.Subject != "" {
		err = exists("create user", second(d.Client(ctx, u.Subject)))
	}
	return err
}

// UpdateUser implements [storage.Users].
func (d Changes) UpdateUser(ctx context.Context, id int64, change storage.UserChange, _ time.Time, _ *storage.AuditEvent) error {
	if change.Username == nil {
		return second(d.User(ctx, id))
	}
	return d.free(ctx, "update user", *change.Username, id)
}

// free returns an ErrExists if a user other than id has the name, whatever the case of its ASCII letters.
func (d Changes) free(ctx context.Context, what, username string, id int64) error {
	list, err := d.SearchUsers(ctx, storage.UserFilter{Username: username, Fold: true, Limit: 2})
	for _, u := range list {
		if u.ID != id {
			err = storage.ErrExists
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return err
}

// CreateProvisionedUser implements [storage.Provisioning].
func (d Changes) CreateProvisionedUser(ctx context.Context, u *storage.User, _ string, _ storage.ProvisionedUser, _ *storage.AuditEvent) error {
	return d.CreateUser(ctx, u)
}

// ChangeProvisionedUser implements [storage.Provisioning].
func (d Changes) ChangeProvisionedUser(ctx context.Context, id int64, c storage.ProvisionedChange, _ ...*storage.AuditEvent) error {
	return d.UpdateUser(ctx, id, c.UserChange, c.Now, nil)
}

// SetUserActive implements [storage.Users].
func (d Changes) SetUserActive(ctx context.Context, id int64, _ bool, _ time.Time, _ *storage.AuditEvent, _ ...*storage.LogoutNotice) error {
	return second(d.User(ctx, id))
}

// SetUserPassword implements [storage.Users].
func (d Changes) SetUserPassword(ctx context.Context, c storage.PasswordChange, _ *storage.AuditEvent) error {
	return second(d.User(ctx, c.UserID))
}

// RemoveUser implements [storage.Users].
func (d Changes) RemoveUser(ctx context.Context, id int64, _ *storage.AuditEvent, _ ...*storage.LogoutNotice) error {
	return second(d.User(ctx, id))
}

// AppendAudit implements [storage.AuditEvents]: nothing has happened.
func (d Changes) AppendAudit(context.Context, ...*storage.AuditEvent) error { return nil }
