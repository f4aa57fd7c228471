package postgres

import (
	"context"
	"time"

	"latchkey/storage"
)

// UseRegistrationToken implements storage.RegistrationTokens. A caller that waits for the row's lock finds what is left then.
func (s *Store) UseRegistrationToken(ctx context.Context, hash storage.Digest, now time.Time, c *storage.Client, audit *storage.AuditEvent) error {
	return s.createClient(ctx, "use registration token", c, createClientByToken, audit, digest(hash), at(now))
}
