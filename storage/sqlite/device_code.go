package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// pollCode is the statement of PollDeviceCode; ?1 is the time in microseconds.
const pollCode = `
	UPDATE device_codes SET polled_at = ?1,
		slowed = coalesce(polled_at + (poll_interval - ?2) * 1000000 > ?1, 0),
		poll_interval = poll_interval + iif(coalesce(polled_at + (poll_interval - ?2) * 1000000 > ?1, 0), ?3, 0)
	WHERE hash = ?4 AND client_id = ?5 AND decision = ''`

var deviceCodeByHash = `
	SELECT ` + row.Names("d.", row.DeviceCode) + `, ` + joinedUser(row.UserWithProfile) + `
	FROM device_codes AS d LEFT JOIN users AS u ON u.id = d.user_id
	WHERE d.hash = ?`

// PollDeviceCode implements [storage.DeviceCodes].
func (s *Store) PollDeviceCode(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveDeviceCode, error) {
	return writeFor(ctx, s, "poll device code", func(t *tx) *storage.LiveDeviceCode {
		t.exec(pollCode, s.now().UnixMicro(), storage.DeviceTolerance, storage.DeviceSlowDown, hash[:], clientID)
		return get(t, scanDeviceCode, deviceCodeByHash, hash[:])
	})
}

func scanDeviceCode(r scanner) (*storage.LiveDeviceCode, error) {
	var c storage.LiveDeviceCode
	var u storage.User
	if err := r.Scan(row.Fields(field, row.DeviceCode(&c.DeviceCode), row.UserWithProfile(&u))...); err != nil {
		return nil, err
	}
	c.User = found(&u)
	return &c, nil
}

// RedeemDeviceCode implements [storage.DeviceCodes].
func (s *Store) RedeemDeviceCode(ctx context.Context, hash storage.Digest, g *storage.Grant, until time.Time, audit ...*storage.AuditEvent) error {
	now := micros(g.CreatedAt)
	return s.write(ctx, "redeem device code", func(t *tx) {
		t.check(keyed(g.ClientID), storage.ErrConflict)
		t.execOr(storage.ErrConflict, `
			UPDATE device_codes AS d SET redeemed_at = ?, grant_id = ?, expires_at = ?
			WHERE d.hash = ? AND d.client_id = ? AND d.user_id = ? AND d.decision = 'approved' AND d.redeemed_at IS NULL AND d.valid_until > ?
				AND EXISTS (SELECT 1 FROM users AS u WHERE u.id = d.user_id AND u.active AND u.auth_epoch = d.user_epoch)
				AND EXISTS (SELECT 1 FROM clients AS c WHERE c.id = d.client_id AND NOT c.disabled AND c.auth_epoch = d.client_epoch)`,
			now, g.ID[:], until.UnixMicro(), hash[:], g.ClientID, g.UserID, now)
		t.redeemed(g, audit)
	})
}
