package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

// Clock implements [storage.Store]: the database is a file of this machine.
func (s *Store) Clock(context.Context) (time.Time, error) { return time.Time{}, nil }

// PruneAudit implements [storage.Store].
func (s *Store) PruneAudit(ctx context.Context, before time.Time, batch int) (removed int64, _ []string, err error) {
	first := storage.FirstID(before)
	err = s.write(ctx, "prune audit events", func(t *tx) {
		removed = t.exec(`DELETE FROM audit_events WHERE id IN (SELECT id FROM audit_events WHERE id < ? ORDER BY id LIMIT ?)`, first[:], max(batch, 1))
	})
	return removed, nil, err
}

// Maintain implements [storage.Store]. A revoked grant is kept until its end: a refresh token of another system that
// became this grant must find it revoked for as long as that token lives.
func (s *Store) Maintain(ctx context.Context, now time.Time, batch int) (storage.Maintenance, error) {
	var m storage.Maintenance
	for _, part := range []struct {
		removed *int64
		query   string
	}{
		{&m.Grants, `DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at <= ? LIMIT ?)`},
		{&m.RevokedTokens, `DELETE FROM revoked_tokens WHERE jti IN (SELECT jti FROM revoked_tokens WHERE expires_at <= ? LIMIT ?)`},
		{&m.IssuedTokens, `DELETE FROM issued_tokens WHERE jti IN (SELECT jti FROM issued_tokens WHERE expires_at <= ? LIMIT ?)`},
		{&m.Throttles, `DELETE FROM throttles WHERE key IN (SELECT key FROM throttles WHERE expires_at <= ? LIMIT ?)`},
		{&m.BrowserSessions, `DELETE FROM browser_sessions WHERE hash IN (SELECT hash FROM browser_sessions WHERE expires_at <= ? LIMIT ?)`},
		{&m.AuthorizationCodes, `DELETE FROM authorization_codes WHERE hash IN (SELECT hash FROM authorization_codes WHERE expires_at <= ? LIMIT ?)`},
		{&m.DeviceCodes, `DELETE FROM device_codes WHERE hash IN (SELECT hash FROM device_codes WHERE expires_at <= ? LIMIT ?)`},
		{&m.UsedJTIs, `
			DELETE FROM used_jtis WHERE (client_id, jti) IN (SELECT client_id, jti FROM used_jtis WHERE expires_at <= ? LIMIT ?)`},
		{&m.PushedRequests, `DELETE FROM pushed_requests WHERE hash IN (SELECT hash FROM pushed_requests WHERE expires_at <= ? LIMIT ?)`},
		{&m.LogoutNotices, `DELETE FROM logout_notices WHERE id IN (SELECT id FROM logout_notices WHERE expires_at <= ? LIMIT ?)`},
		{&m.RegistrationTokens, `DELETE FROM registration_tokens WHERE id IN (SELECT id FROM registration_tokens WHERE expires_at <= ? LIMIT ?)`},
		{&m.IdempotencyKeys, `DELETE FROM idempotency_keys WHERE hash IN (SELECT hash FROM idempotency_keys WHERE expires_at <= ? LIMIT ?)`},
		{&m.AccountTokens, `DELETE FROM account_tokens WHERE hash IN (SELECT hash FROM account_tokens WHERE expires_at <= ? LIMIT ?)`},
		{&m.OutboxMessages, `DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE expires_at <= ? LIMIT ?)`},
		{&m.UndeliveredLetters, `DELETE FROM undelivered_letters WHERE id IN (SELECT id FROM undelivered_letters WHERE expires_at <= ? LIMIT ?)`},
		{&m.Factors, `DELETE FROM factors WHERE id IN (SELECT id FROM factors WHERE expires_at <= ? LIMIT ?)`},
		{&m.Clients, `DELETE FROM clients WHERE id IN (SELECT id FROM clients WHERE expires_at <= ? LIMIT ?)`},
	} {
		err := s.write(ctx, "clean what has ended", func(t *tx) {
			*part.removed = t.exec(part.query, now.UnixMicro(), max(batch, 1))
			if part.removed == &m.Clients && m.Clients > 0 {
				t.changed(storage.ChangeClient)
			}
		})
		if err != nil {
			*part.removed = 0
			return m, err
		}
		m.More = m.More || *part.removed >= int64(max(batch, 1))
	}
	return m, nil
}
