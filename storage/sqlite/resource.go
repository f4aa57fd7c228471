package sqlite

import (
	"context"

	"latchkey/storage"
)

// CreateResource implements [storage.Resources].
func (s *Store) CreateResource(ctx context.Context, r *storage.Resource, audit *storage.AuditEvent) error {
	if !keyed(r.Identifier) {
		return interpret("create resource", errText)
	}
	return s.write(ctx, "create resource", func(c conn) error {
		_, err := c.exec(`INSERT INTO resources (identifier, name, scopes, created_at) VALUES (?, ?, ?, ?)`,
			r.Identifier, plain(r.Name), plain(words(r.Scopes)), micros(r.CreatedAt))
		if err != nil {
			return err
		}
		return c.changed(storage.ChangeResources, audit)
	})
}

// ListResources implements [storage.Resources].
func (s *Store) ListResources(ctx context.Context) ([]*storage.Resource, error) {
	list, err := all(s.reader(ctx), scanResource,
		`SELECT identifier, name, scopes, created_at FROM resources ORDER BY identifier`)
	return list, interpret("list resources", err)
}

func scanResource(row scanner) (*storage.Resource, error) {
	var r storage.Resource
	if err := row.Scan(&r.Identifier, &r.Name, wordsTo(&r.Scopes), timeTo(&r.CreatedAt)); err != nil {
		return nil, err
	}
	return &r, nil
}

// RemoveResource implements [storage.Resources].
func (s *Store) RemoveResource(ctx context.Context, identifier string, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove resource", func(c conn) error {
		if err := c.must(audit, `DELETE FROM resources WHERE identifier = ?`, identifier); err != nil {
			return err
		}
		return c.changed(storage.ChangeResources, nil)
	})
}
