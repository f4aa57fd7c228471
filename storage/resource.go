package storage

import (
	"context"
	"time"
)

// Resource is a protected resource (RFC 8707): something that access tokens can be meant for.
type Resource struct {
	// Identifier is an absolute URI without a fragment.
	Identifier string
	Name       string
	// Scopes are those that make sense there.
	Scopes    []string
	CreatedAt time.Time
}

// Resources stores the protected resources. Watch reports each change.
type Resources interface {
	// CreateResource stores r. ErrExists.
	CreateResource(ctx context.Context, r *Resource, audit *AuditEvent) error
	// ListResources returns all, by identifier.
	ListResources(ctx context.Context) ([]*Resource, error)
	// RemoveResource removes one. ErrNotFound.
	RemoveResource(ctx context.Context, identifier string, audit *AuditEvent) error
}
