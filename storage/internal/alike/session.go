package alike

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// TouchBrowserSession implements storage.BrowserSessions.
func (m Methods) TouchBrowserSession(ctx context.Context, hash storage.Digest, now time.Time) error {
	return m.db.Exec(ctx, "touch browser session", `UPDATE browser_sessions SET last_seen_at = $1 WHERE hash = $2 AND last_seen_at < $1`, &now, &hash)
}

// ListBrowserSessions implements storage.BrowserSessions.
func (m Methods) ListBrowserSessions(ctx context.Context, userID int64, now time.Time, limit int) ([]*storage.BrowserSession, error) {
	return list(ctx, m.db, "list browser sessions", row.BrowserSession, `
		FROM browser_sessions
		WHERE user_id = $1 AND expires_at > $2 AND user_epoch = (SELECT auth_epoch FROM `+row.PresentUsers+` WHERE id = $1)
		ORDER BY auth_time DESC, id DESC LIMIT $3`, userID, &now, max(limit, 0))
}

// CreateDeviceCode implements storage.DeviceCodes.
func (m Methods) CreateDeviceCode(ctx context.Context, c *storage.DeviceCode) error {
	return insert(ctx, m.db, "create device code", "device_codes", row.DeviceCode(c), m.db.Keyed(c.ClientID))
}

// PendingDeviceCode implements storage.DeviceCodes.
func (m Methods) PendingDeviceCode(ctx context.Context, userCode storage.Digest, now time.Time) (*storage.DeviceCode, error) {
	return one(ctx, m.db, "read device code", row.DeviceCode,
		`FROM device_codes WHERE user_code = $1 AND decision = '' AND valid_until > $2`, &userCode, &now)
}

// AnswerDeviceCode implements storage.DeviceCodes.
func (m Methods) AnswerDeviceCode(ctx context.Context, a storage.DeviceAnswer, audit *storage.AuditEvent) error {
	return change(ctx, m.db, Change{What: "answer device code", Missing: storage.ErrConflict, Audit: audit}, `
		UPDATE device_codes SET decision = $1, user_id = $2, user_epoch = $3, auth_time = $4, amr = $5
		WHERE hash = $6 AND decision = '' AND valid_until > $7`,
		string(a.Decision), a.UserID, a.UserEpoch, &a.AuthTime, &a.AMR, &a.Hash, &a.Now)
}

// CreatePushedRequest implements storage.PushedRequests.
func (m Methods) CreatePushedRequest(ctx context.Context, p *storage.PushedRequest) error {
	return insert(ctx, m.db, "create pushed request", "pushed_requests", row.PushedRequest(p), m.db.Keyed(p.ClientID) && row.Clean(p.Parameters))
}

// pushed is the condition that a pushed request is that of a hash and a client, and lives at a time.
const pushed = ` FROM pushed_requests WHERE hash = $1 AND client_id = $2 AND expires_at > $3`

// PushedRequest implements storage.PushedRequests.
func (m Methods) PushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error) {
	return one(ctx, m.db, "read pushed request", row.PushedRequest, pushed, &hash, clientID, &now)
}

// TakePushedRequest implements storage.PushedRequests.
func (m Methods) TakePushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error) {
	p := new(storage.PushedRequest)
	columns := row.PushedRequest(p)
	err := first(ctx, m.db, m.db.Write, "take pushed request", columns, `DELETE`+pushed+` RETURNING `+row.Join("", columns), &hash, clientID, &now)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// UseJTI implements storage.UsedJTIs.
func (m Methods) UseJTI(ctx context.Context, clientID string, jti storage.Digest, expiresAt time.Time) error {
	return insert(ctx, m.db, "use jti", "used_jtis", []row.Column{
		{Name: "client_id", Field: &clientID}, {Name: "jti", Field: jti[:]}, {Name: "expires_at", Field: &expiresAt},
	}, m.db.Keyed(clientID))
}

// TokenState implements storage.RevokedTokens.
func (m Methods) TokenState(ctx context.Context, jti, clientID string) (*storage.TokenState, error) {
	state := new(storage.TokenState)
	if !m.db.Keyed(jti, clientID) {
		return state, nil
	}
	err := read(ctx, m.db, "read token state", []row.Column{
		{Name: "EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $1)", Field: &state.Revoked},
		{Name: "c.id IS NOT NULL", Field: &state.ClientExists},
		{Name: "c.disabled", Field: &state.ClientDisabled},
		{Name: "c.auth_epoch", Field: &state.ClientAuthEpoch},
	}, `FROM (SELECT 1) AS always LEFT JOIN clients c ON c.id = $2`, jti, clientID)
	if err != nil {
		return nil, err
	}
	return state, nil
}
