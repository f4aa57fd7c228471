package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// UseRegistrationToken implements storage.RegistrationTokens. A caller that waits for the row's lock finds what is left then.
func (s *Store) UseRegistrationToken(ctx context.Context, hash storage.Digest, now time.Time, c *storage.Client, audit *storage.AuditEvent) error {
	const what = "use registration token"
	stored, err := newClient(c)
	if err != nil {
		return translate(what, err)
	}
	var created, taken bool
	b := &pgx.Batch{}
	b.Queue(lockSubjects)
	b.Queue(createClientByToken, append(append([]any{events(audit)}, row.Fields(arg, row.Client(stored))...), digest(hash), at(now))...).
		QueryRow(func(r pgx.Row) error { return r.Scan(&created, &taken) })
	if err := s.batch(ctx, what, b); err != nil {
		return err
	}
	switch {
	case taken:
		return fmt.Errorf("%s: a user has the client's id as their subject: %w", what, storage.ErrExists)
	case !created:
		return translate(what, storage.ErrNotFound)
	}
	c.AuthEpoch, c.Version, c.Origin = stored.AuthEpoch, stored.Version, stored.Origin
	return nil
}
