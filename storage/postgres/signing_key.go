package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	notifySigningKeys = notify(storage.ChangeSigningKeys, "''")
	createSigningKey  = `WITH changed AS (` + insert("signing_keys", 2, row.SigningKey) + ` RETURNING kid), ` + notifySigningKeys + logChanged
)

// CreateSigningKey implements storage.SigningKeys. The unique sequence number decides between two processes: the second waits for the
// first at the insert and then fails, before it has changed the other keys.
func (s *Store) CreateSigningKey(ctx context.Context, k *storage.SigningKey, othersRetireAt, othersExpireAt time.Time, audit *storage.AuditEvent) error {
	if !keyed(k.KID, k.Algorithm) {
		return fmt.Errorf("create signing key: %w", errText)
	}
	b := &pgx.Batch{}
	b.Queue(createSigningKey, append([]any{events(audit)}, row.Fields(arg, row.SigningKey(k))...)...)
	b.Queue(`UPDATE signing_keys SET retires_at = $3, expires_at = $4 WHERE algorithm = $1 AND kid <> $2 AND retires_at IS NULL`,
		k.Algorithm, k.KID, at(othersRetireAt), at(othersExpireAt))
	return s.batch(ctx, "create signing key", b)
}

// RemoveSigningKeys implements storage.SigningKeys.
func (s *Store) RemoveSigningKeys(ctx context.Context, now time.Time) (int, error) {
	n, err := s.count(ctx, "remove signing keys", `
		WITH changed AS (DELETE FROM signing_keys WHERE expires_at <= $1 RETURNING kid), `+notifySigningKeys+`
		SELECT count(*) FROM changed`, at(now))
	return int(n), err
}
