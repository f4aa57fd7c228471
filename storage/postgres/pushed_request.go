package postgres

import (
	"context"
	"fmt"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreatePushedRequest implements storage.PushedRequests.
func (s *Store) CreatePushedRequest(ctx context.Context, p *storage.PushedRequest) error {
	if !keyed(p.ClientID) || !clean(p.Parameters) {
		return fmt.Errorf("create pushed request: %w", errText)
	}
	return s.exec(ctx, "create pushed request", insert("pushed_requests", 1, row.PushedRequest), row.Fields(arg, row.PushedRequest(p))...)
}

// PushedRequest implements storage.PushedRequests.
func (s *Store) PushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error) {
	if !keyed(clientID) {
		return nil, fmt.Errorf("read pushed request: %w", storage.ErrNotFound)
	}
	return queryRow(ctx, s, "read pushed request", scan(row.PushedRequest), `
		SELECT `+row.Names("", row.PushedRequest)+` FROM pushed_requests
		WHERE hash = $1 AND client_id = $2 AND expires_at > $3`, digest(hash), clientID, at(now))
}

// TakePushedRequest implements storage.PushedRequests.
func (s *Store) TakePushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error) {
	if !keyed(clientID) {
		return nil, fmt.Errorf("take pushed request: %w", storage.ErrNotFound)
	}
	return queryRow(ctx, s, "take pushed request", scan(row.PushedRequest), `
		DELETE FROM pushed_requests WHERE hash = $1 AND client_id = $2 AND expires_at > $3
		RETURNING `+row.Names("", row.PushedRequest), digest(hash), clientID, at(now))
}
