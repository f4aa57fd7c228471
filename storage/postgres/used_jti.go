package postgres

import (
	"context"
	"fmt"
	"time"

	"latchkey/storage"
)

// UseJTI implements storage.UsedJTIs.
func (s *Store) UseJTI(ctx context.Context, clientID string, jti storage.Digest, expiresAt time.Time) error {
	if !keyed(clientID) {
		return fmt.Errorf("use jti: client: %w", errText)
	}
	return s.exec(ctx, "use jti", `INSERT INTO used_jtis (client_id, jti, expires_at) VALUES ($1, $2, $3)`, clientID, jti[:], at(expiresAt))
}
