package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// removeDeviceCodes removes the codes that the user $1 has decided about for the client $2 and that are not redeemed.
const removeDeviceCodes = `DELETE FROM device_codes WHERE hash IN (
	SELECT hash FROM device_codes WHERE user_id = $1 AND client_id = $2 AND redeemed_at IS NULL ORDER BY hash FOR UPDATE)`

// pollCode is the statement of PollDeviceCode; $3 stands for the database's clock where a test has set it. A caller that waits for the
// row's lock measures from the poll that it waited for.
var pollCode = fmt.Sprintf(`
	WITH polled AS (
		UPDATE device_codes d SET polled_at = %[1]s, slowed = %[2]s,
			poll_interval = d.poll_interval + CASE WHEN %[2]s THEN %[3]d ELSE 0 END
		WHERE d.hash = $1 AND d.client_id = $2 AND d.decision = ''
		RETURNING d.*
	), found AS (
		SELECT * FROM polled UNION ALL SELECT * FROM device_codes WHERE hash = $1 AND NOT EXISTS (SELECT FROM polled)
	)
	SELECT %[4]s, %[5]s FROM found d %[6]s`,
	`coalesce($3::timestamptz, statement_timestamp())`,
	fmt.Sprintf(`coalesce(d.polled_at + (d.poll_interval - %d) * interval '1 second' > coalesce($3::timestamptz, statement_timestamp()), false)`,
		storage.DeviceTolerance),
	storage.DeviceSlowDown,
	row.Names("d.", row.DeviceCode), joinedUser(row.UserWithProfile), joinUser("d.user_id", row.UserWithProfile))

// PollDeviceCode implements storage.DeviceCodes.
func (s *Store) PollDeviceCode(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveDeviceCode, error) {
	if !keyed(clientID) {
		return nil, fmt.Errorf("poll device code: %w", storage.ErrNotFound)
	}
	return queryRow(ctx, s, "poll device code", func(r pgx.CollectableRow) (*storage.LiveDeviceCode, error) {
		var c storage.LiveDeviceCode
		var u storage.User
		err := r.Scan(row.Fields(target, row.DeviceCode(&c.DeviceCode), row.UserWithProfile(&u))...)
		c.User = found(&u)
		return &c, err
	}, pollCode, digest(hash), clientID, at(s.testTime()))
}

// redeemDeviceCode stores the grant $8 … of the code $1: $2 is the grant's ID, $3 the client, $4 the user, $5 the time, $6 the events,
// $7 how long the code is kept.
var redeemDeviceCode = `
	WITH code AS (
		UPDATE device_codes d SET redeemed_at = $5, grant_id = $2, expires_at = $7
		WHERE d.hash = $1 AND d.client_id = $3 AND d.user_id = $4 AND d.decision = 'approved' AND d.redeemed_at IS NULL
			AND d.valid_until > $5
			AND (SELECT auth_epoch FROM ` + presentUsers + ` WHERE id = d.user_id AND active) = d.user_epoch
			AND (SELECT auth_epoch FROM clients WHERE id = d.client_id AND NOT disabled) = d.client_epoch
		RETURNING d.hash
	), stored AS (
		INSERT INTO grants (` + grantColumns + `) SELECT ` + values(8, row.Grant) + ` FROM code
	), changed AS (
		UPDATE clients SET expires_at = NULL WHERE id = $3 AND expires_at IS NOT NULL AND EXISTS (SELECT FROM code)
		RETURNING id
	), ` + notify(storage.ChangeClient, "$3") + `, log AS (` + insertAuditOf(6) + ` WHERE EXISTS (SELECT FROM code))
	SELECT count(*) FROM code`

// RedeemDeviceCode implements storage.DeviceCodes. An end of the consent waits for the code's row; for epochs see
// RedeemAuthorizationCode.
func (s *Store) RedeemDeviceCode(ctx context.Context, hash storage.Digest, g *storage.Grant, until time.Time, audit ...*storage.AuditEvent) error {
	if !keyed(g.ClientID) {
		return fmt.Errorf("redeem device code: %w", storage.ErrConflict)
	}
	args := append([]any{digest(hash), uuid(g.ID), g.ClientID, g.UserID, at(g.CreatedAt), events(audit...), at(until)}, row.Fields(arg, row.Grant(g))...)
	n, err := s.count(ctx, "redeem device code", redeemDeviceCode, args...)
	return unless(n > 0, err, "redeem device code", storage.ErrConflict)
}
