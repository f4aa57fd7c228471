package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreatePushedRequest implements [storage.PushedRequests].
func (s *Store) CreatePushedRequest(ctx context.Context, p *storage.PushedRequest) error {
	if !keyed(p.ClientID, p.Parameters) {
		return interpret("create pushed request", errText)
	}
	return s.write(ctx, "create pushed request", func(t *tx) { t.insert("pushed_requests", row.PushedRequest(p)) })
}

// PushedRequest implements [storage.PushedRequests].
func (s *Store) PushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error) {
	return readOne(ctx, s, "read pushed request", scan(row.PushedRequest), `
		SELECT `+row.Names("", row.PushedRequest)+` FROM pushed_requests
		WHERE hash = ? AND client_id = ? AND expires_at > ?`, hash[:], clientID, now.UnixMicro())
}

// TakePushedRequest implements [storage.PushedRequests].
func (s *Store) TakePushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error) {
	return writeOne(ctx, s, "take pushed request", row.PushedRequest, `
			DELETE FROM pushed_requests WHERE hash = ? AND client_id = ? AND expires_at > ?
			RETURNING `+row.Names("", row.PushedRequest), hash[:], clientID, now.UnixMicro())
}
