package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

// UseJTI implements [storage.UsedJTIs].
func (s *Store) UseJTI(ctx context.Context, clientID string, jti storage.Digest, expiresAt time.Time) error {
	if !keyed(clientID) {
		return interpret("use jti", errText)
	}
	return s.write(ctx, "use jti", func(t *tx) {
		t.exec(`INSERT INTO used_jtis (client_id, jti, expires_at) VALUES (?, ?, ?)`, clientID, jti[:], expiresAt.UnixMicro())
	})
}
