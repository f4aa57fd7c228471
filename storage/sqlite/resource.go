package sqlite

import (
	"context"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateResource implements [storage.Resources].
func (s *Store) CreateResource(ctx context.Context, r *storage.Resource, audit *storage.AuditEvent) error {
	if !keyed(r.Identifier) {
		return interpret("create resource", errText)
	}
	return s.write(ctx, "create resource", func(t *tx) {
		t.insert("resources", row.Resource(r))
		t.changed(storage.ChangeResources)
		t.audit(audit)
	})
}

// ListResources implements [storage.Resources].
func (s *Store) ListResources(ctx context.Context) ([]*storage.Resource, error) {
	return readAll(ctx, s, "list resources", scan(row.Resource), `SELECT `+row.Names("", row.Resource)+` FROM resources ORDER BY identifier`)
}

// RemoveResource implements [storage.Resources].
func (s *Store) RemoveResource(ctx context.Context, identifier string, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove resource", func(t *tx) {
		t.execOr(storage.ErrNotFound, `DELETE FROM resources WHERE identifier = ?`, identifier)
		t.changed(storage.ChangeResources)
		t.audit(audit)
	})
}
