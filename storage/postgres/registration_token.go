package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
)

const registrationTokenColumns = `id, hash, name, uses, policy, created_at, expires_at`

func registrationTokenFields(t *storage.RegistrationToken) []any {
	return []any{
		(*zeronull.UUID)(&t.ID), (*digestTo)(&t.Hash), &t.Name, &t.Uses, (*[]byte)(&t.Policy), (*instant)(&t.CreatedAt), (*instant)(&t.ExpiresAt),
	}
}

// CreateRegistrationToken implements storage.RegistrationTokens.
func (s *Store) CreateRegistrationToken(ctx context.Context, t *storage.RegistrationToken, audit *storage.AuditEvent) error {
	policy, err := document(t.Policy)
	if err != nil {
		return fmt.Errorf("create registration token: policy: %w", err)
	}
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	return s.do(ctx, "create registration token", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `
			WITH log AS (`+insertAudit+`)
			INSERT INTO registration_tokens (`+registrationTokenColumns+`) VALUES ($2, $3, $4, $5, $6::jsonb, $7, $8)`,
			encoded, uuid(t.ID), digest(t.Hash), plain(t.Name), t.Uses, policy, at(t.CreatedAt), at(t.ExpiresAt))
		return err
	})
}

// UseRegistrationToken implements storage.RegistrationTokens. Who waits for the row's lock is judged again by what is left.
func (s *Store) UseRegistrationToken(ctx context.Context, hash storage.Digest, now time.Time) (*storage.RegistrationToken, error) {
	var t storage.RegistrationToken
	err := s.do(ctx, "use registration token", func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, `
			UPDATE registration_tokens SET uses = CASE WHEN uses > 0 THEN uses - 1 ELSE uses END
			WHERE hash = $1 AND uses <> 0 AND (expires_at IS NULL OR expires_at > $2)
			RETURNING `+registrationTokenColumns, digest(hash), at(now)).Scan(registrationTokenFields(&t)...)
	})
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// ListRegistrationTokens implements storage.RegistrationTokens.
func (s *Store) ListRegistrationTokens(ctx context.Context, after storage.ID, limit int) (list []*storage.RegistrationToken, err error) {
	err = s.do(ctx, "list registration tokens", func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, `
			SELECT `+registrationTokenColumns+` FROM registration_tokens WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2`,
			uuid(after), max(limit, 0))
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*storage.RegistrationToken, error) {
			var t storage.RegistrationToken
			return &t, row.Scan(registrationTokenFields(&t)...)
		})
		return err
	})
	return list, err
}

// RemoveRegistrationToken implements storage.RegistrationTokens.
func (s *Store) RemoveRegistrationToken(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	return s.one(ctx, "remove registration token", `
		WITH changed AS (DELETE FROM registration_tokens WHERE id = $2 RETURNING id),
		log AS (`+insertAudit+` WHERE EXISTS (SELECT FROM changed))
		SELECT count(*) FROM changed`, encoded, uuid(id))
}
