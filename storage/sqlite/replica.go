package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// NoteReplica implements [storage.Replicas].
func (s *Store) NoteReplica(ctx context.Context, r *storage.Replica, since time.Time) error {
	return s.write(ctx, "touch replica", func(t *tx) {
		t.exec(`DELETE FROM replicas WHERE seen_at < ? OR id = ?`, since.UnixMicro(), r.ID[:])
		t.insert("replicas", row.Replica(r))
	})
}

// ListReplicas implements [storage.Replicas].
func (s *Store) ListReplicas(ctx context.Context) ([]*storage.Replica, error) {
	return readAll(ctx, s, "list replicas", scan(row.Replica), `SELECT `+row.Names("", row.Replica)+` FROM replicas ORDER BY started_at, id`)
}

// RemoveReplica implements [storage.Replicas].
func (s *Store) RemoveReplica(ctx context.Context, id storage.ID) error {
	return s.write(ctx, "touch replica that stops", func(t *tx) { t.exec(`DELETE FROM replicas WHERE id = ?`, id[:]) })
}
