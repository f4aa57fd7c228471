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
