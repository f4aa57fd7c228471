package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

// tellResource is the CTE that tells every server about the resource $2 when the CTE changed has rows.
const tellResource = `
	told AS (
		UPDATE changes SET version = version + 1 WHERE kind = 'resources' AND (SELECT count(*) FROM changed) > 0
		RETURNING pg_notify('latchkey_changes', kind || ':' || version || ':' || $2::text)
	)`

// CreateResource implements storage.Resources.
func (s *Store) CreateResource(ctx context.Context, r *storage.Resource, audit *storage.AuditEvent) error {
	if !keyed(r.Identifier) {
		return fmt.Errorf("create resource: identifier: %w", errText)
	}
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	return s.one(ctx, "create resource", `
		WITH changed AS (
			INSERT INTO resources (identifier, name, scopes, created_at) VALUES ($2::text, $3, $4, $5) RETURNING identifier
		), `+tellResource+`, log AS (`+insertAudit+`)
		SELECT count(*) FROM changed`,
		encoded, r.Identifier, plain(r.Name), plain(strings.Join(r.Scopes, " ")), at(r.CreatedAt))
}

// ListResources implements storage.Resources.
func (s *Store) ListResources(ctx context.Context) (list []*storage.Resource, err error) {
	err = s.do(ctx, "list resources", func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, `SELECT identifier, name, scopes, created_at FROM resources ORDER BY identifier`)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*storage.Resource, error) {
			var r storage.Resource
			var scopes string
			err := row.Scan(&r.Identifier, &r.Name, &scopes, (*instant)(&r.CreatedAt))
			r.Scopes = words(scopes)
			return &r, err
		})
		return err
	})
	return list, err
}

// RemoveResource implements storage.Resources.
func (s *Store) RemoveResource(ctx context.Context, identifier string, audit *storage.AuditEvent) error {
	if !keyed(identifier) {
		return fmt.Errorf("remove resource: %w", storage.ErrNotFound)
	}
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	return s.one(ctx, "remove resource", `
		WITH changed AS (DELETE FROM resources WHERE identifier = $2::text RETURNING identifier),
		`+tellResource+`, log AS (`+insertAudit+` WHERE EXISTS (SELECT FROM changed))
		SELECT count(*) FROM changed`, encoded, identifier)
}
