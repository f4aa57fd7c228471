package dryrun

import (
	"context"

	"latchkey/storage"
)

// CreateClient implements [storage.Clients].
func (d Changes) CreateClient(ctx context.Context, c *storage.Client, _ *storage.AuditEvent) error {
	err := exists("create client", second(d.Client(ctx, c.ID)))
	if err == nil {
		err = exists("create client", second(d.UserBySubject(ctx, c.ID)))
	}
	return err
}

// UpdateClient implements [storage.Clients].
func (d Changes) UpdateClient(ctx context.Context, c *storage.Client, _ ...*storage.AuditEvent) error {
	return second(d.Client(ctx, c.ID))
}

// RemoveClient implements [storage.Clients].
func (d Changes) RemoveClient(ctx context.Context, id string, _ *storage.AuditEvent) error {
	return second(d.Client(ctx, id))
}

// CreateResource implements [storage.Resources].
func (d Changes) CreateResource(ctx context.Context, r *storage.Resource, _ *storage.AuditEvent) error {
	return exists("create resource", d.RemoveResource(ctx, r.Identifier, nil))
}

// RemoveResource implements [storage.Resources].
func (d Changes) RemoveResource(ctx context.Context, identifier string, _ *storage.AuditEvent) error {
	all, err := d.ListResources(ctx)
	for _, r := range all {
		if r.Identifier == identifier {
			return nil
		}
	}
	if err != nil {
		return err
	}
	return storage.ErrNotFound
}

// CreateRegistrationToken implements [storage.RegistrationTokens].
func (d Changes) CreateRegistrationToken(context.Context, *storage.RegistrationToken, *storage.AuditEvent) error {
	return nil
}
