package clients

import (
	"context"
	"fmt"

	"latchkey/storage"
)

// resourceList is all protected resources as they were read.
type resourceList struct{ all []*storage.Resource }

// Resources gives all protected resources, by identifier, from memory when they are there. Never change the list.
func (r *Registry) Resources(ctx context.Context) ([]*storage.Resource, error) {
	if list := r.resources.Load(); list != nil {
		return list.all, nil
	}
	generation := r.generation.Load()
	all, err := r.cfg.Store.ListResources(ctx)
	if err != nil {
		return nil, fmt.Errorf("read resources: %w", err)
	}
	r.keep(generation, func() { r.resources.Store(&resourceList{all}) })
	return all, nil
}

// AddResource registers a protected resource. A *MetadataError says what is wrong with it; storage.ErrExists.
func (r *Registry) AddResource(ctx context.Context, resource storage.Resource) (*storage.Resource, error) {
	if err := checkResource(resource.Identifier); err != nil {
		return nil, invalid("resource", "%q: %v", shorten(resource.Identifier), err)
	}
	if err := checkText(resource.Name); err != nil {
		return nil, invalid("name", "%v", err)
	}
	if err := checkList("scope", &resource.Scopes); err != nil {
		return nil, err
	}
	for _, scope := range resource.Scopes {
		if !validScope(scope) {
			return nil, invalid("scope", "%q is not a scope", shorten(scope))
		}
	}
	resource.CreatedAt = r.now()
	event := r.event("resource_added", "", "", details{Resource: resource.Identifier})
	if err := r.cfg.Store.CreateResource(ctx, &resource, event); err != nil {
		return nil, fmt.Errorf("add resource %q: %w", resource.Identifier, err)
	}
	r.Changed(storage.Change{Kind: storage.ChangeResources})
	return &resource, nil
}

// RemoveResource forgets a protected resource; tokens for it live until they end. storage.ErrNotFound.
func (r *Registry) RemoveResource(ctx context.Context, identifier string) error {
	event := r.event("resource_removed", "", "", details{Resource: identifier})
	if err := r.cfg.Store.RemoveResource(ctx, identifier, event); err != nil {
		return fmt.Errorf("remove resource %q: %w", shorten(identifier), err)
	}
	r.Changed(storage.Change{Kind: storage.ChangeResources})
	return nil
}

// ValidResource reports whether text can be a resource identifier: an absolute URI without a fragment (RFC 8707 §2).
func ValidResource(identifier string) bool { return checkResource(identifier) == nil }
