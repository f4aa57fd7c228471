package postgres

import (
	"context"
	"fmt"
	"time"

	"latchkey/storage"
)

// CreatePushedRequest implements storage.PushedRequests.
func (s *Store) CreatePushedRequest(ctx context.Context, p *storage.PushedRequest) error {
	if !keyed(p.ClientID) || !clean(p.Parameters) {
		return fmt.Errorf("create pushed request: %w", errText)
	}
	return s.do(ctx, "create pushed request", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `INSERT INTO pushed_requests (hash, client_id, parameters, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			digest(p.Hash), p.ClientID, p.Parameters, at(p.CreatedAt), at(p.ExpiresAt))
		return err
	})
}

// TakePushedRequest implements storage.PushedRequests.
func (s *Store) TakePushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error) {
	if !keyed(clientID) {
		return nil, fmt.Errorf("take pushed request: %w", storage.ErrNotFound)
	}
	var p storage.PushedRequest
	err := s.do(ctx, "take pushed request", func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, `
			DELETE FROM pushed_requests WHERE hash = $1 AND client_id = $2 AND expires_at > $3
			RETURNING hash, client_id, parameters, created_at, expires_at`, digest(hash), clientID, at(now)).
			Scan((*digestTo)(&p.Hash), &p.ClientID, &p.Parameters, (*instant)(&p.CreatedAt), (*instant)(&p.ExpiresAt))
	})
	if err != nil {
		return nil, err
	}
	return &p, nil
}
