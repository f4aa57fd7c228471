package postgres

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var noteReplica = `WITH gone AS (DELETE FROM replicas WHERE seen_at < $1 AND id <> $2) ` + insert("replicas", 2, row.Replica) + `
		ON CONFLICT (id) DO UPDATE SET host = excluded.host, release = excluded.release, schema_version = excluded.schema_version,
			clock_ahead = excluded.clock_ahead, started_at = excluded.started_at, seen_at = excluded.seen_at, issuer = excluded.issuer`

// NoteReplica implements storage.Replicas.
func (s *Store) NoteReplica(ctx context.Context, r *storage.Replica, since time.Time) error {
	return s.exec(ctx, "touch replica", noteReplica, append([]any{at(since)}, row.Fields(arg, row.Replica(r))...)...)
}
