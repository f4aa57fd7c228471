package registry

import (
	"context"
	"fmt"

	"latchkey/clients"
	"latchkey/storage"
)

// allResources is the name under which the list of resources is cached.
const allResources = "all"

// Resources returns all protected resources, by identifier. Never change the list.
func (r *Registry) Resources(ctx context.Context) ([]*storage.Resource, error) {
	if all, ok := r.resources.known.Get(allResources); ok {
		return all, nil
	}
	all, err := r.resources.load(ctx, allResources)
	if err != nil {
		return nil, fmt.Errorf("read resources: %w", err)
	}
	return all, nil
}

func (r *Registry) readResources(ctx context.Context, _ string) ([]*storage.Resource, error) {
	return r.cfg.Store.ListResources(ctx)
}

// AddResource registers a protected resource. A *clients.MetadataError says what is wrong with it; storage.ErrExists.
func (r *Registry) AddResource(ctx context.Context, resource storage.Resource) (*storage.Resource, error) {
	if err := clients.ValidateResource(&resource); err != nil {
		return nil, err
	}
	resource.CreatedAt = r.now()
	event := r.eventOf(ctx, "resource_added", "", details{Resource: resource.Identifier})
	if err := r.cfg.Store.CreateResource(ctx, &resource, event); err != nil {
		return nil, fmt.Errorf("add resource %q: %w", resource.Identifier, err)
	}
	r.Changed(storage.Change{Kind: storage.ChangeResources})
	return &resource, nil
}

// RemoveResource removes a protected resource; tokens for it stay valid until they expire. storage.ErrNotFound.
func (r *Registry) RemoveResource(ctx context.Context, identifier string) error {
	event := r.eventOf(ctx, "resource_removed", "", details{Resource: identifier})
	if err := r.cfg.Store.RemoveResource(ctx, identifier, event); err != nil {
		return fmt.Errorf("remove resource %.200q: %w", identifier, err)
	}
	r.Changed(storage.Change{Kind: storage.ChangeResources})
	return nil
}
