package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

// CreatePushedRequest implements [storage.PushedRequests].
func (s *Store) CreatePushedRequest(ctx context.Context, p *storage.PushedRequest) error {
	if !keyed(p.ClientID, p.Parameters) {
		return interpret("create pushed request", errText)
	}
	return s.write(ctx, "create pushed request", func(c conn) error {
		_, err := c.exec(`INSERT INTO pushed_requests (hash, client_id, parameters, created_at, expires_at) VALUES (?, ?, ?, ?, ?)`,
			p.Hash[:], p.ClientID, p.Parameters, micros(p.CreatedAt), micros(p.ExpiresAt))
		return err
	})
}

// TakePushedRequest implements [storage.PushedRequests].
func (s *Store) TakePushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error) {
	var p storage.PushedRequest
	err := s.write(ctx, "take pushed request", func(c conn) error {
		return c.row(`
			DELETE FROM pushed_requests WHERE hash = ? AND client_id = ? AND expires_at > ?
			RETURNING hash, client_id, parameters, created_at, expires_at`,
			[]any{hash[:], clientID, now.UnixMicro()},
			bytesTo(p.Hash[:]), &p.ClientID, &p.Parameters, timeTo(&p.CreatedAt), timeTo(&p.ExpiresAt))
	})
	if err != nil {
		return nil, err
	}
	return &p, nil
}
