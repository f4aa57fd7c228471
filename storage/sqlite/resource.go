package sqlite

import (
	"context"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateResource implements [storage.Resources].
func (s *Store) CreateResource(ctx context.Context, r *storage.Resource, audit *storage.AuditEvent) error {
	return s.write(ctx, "create resource", func(t *tx) {
		t.check(keyed(r.Identifier), row.ErrText)
		t.insert("resources", row.Resource(r))
		t.changed(storage.ChangeResources)
		t.audit(audit)
	})
}

// RemoveResource implements [storage.Resources].
func (s *Store) RemoveResource(ctx context.Context, identifier string, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove resource", func(t *tx) {
		t.execOr(storage.ErrNotFound, `DELETE FROM resources WHERE identifier = ?`, identifier)
		t.changed(storage.ChangeResources)
		t.audit(audit)
	})
}
