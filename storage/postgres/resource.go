package postgres

import (
	"context"
	"fmt"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	notifyResources = notify(storage.ChangeResources, "$2")
	createResource  = `WITH changed AS (` + insert("resources", 2, row.Resource) + ` RETURNING identifier), ` + notifyResources + logChanged
)

// CreateResource implements storage.Resources.
func (s *Store) CreateResource(ctx context.Context, r *storage.Resource, audit *storage.AuditEvent) error {
	if !keyed(r.Identifier) {
		return fmt.Errorf("create resource: identifier: %w", errText)
	}
	return s.execOne(ctx, "create resource", createResource, append([]any{events(audit)}, row.Fields(arg, row.Resource(r))...)...)
}

// RemoveResource implements storage.Resources.
func (s *Store) RemoveResource(ctx context.Context, identifier string, audit *storage.AuditEvent) error {
	if !keyed(identifier) {
		return fmt.Errorf("remove resource: %w", storage.ErrNotFound)
	}
	return s.execOne(ctx, "remove resource",
		`WITH changed AS (DELETE FROM resources WHERE identifier = $2 RETURNING identifier), `+notifyResources+logChanged,
		events(audit), identifier)
}
