package postgres

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// withNotices is a CTE that writes the notices of a parameter if the CTE changed has rows.
func withNotices(parameter string) string {
	return `, notices AS (` + insertRecords("logout_notices", parameter, row.LogoutNotice) + ` WHERE EXISTS (SELECT FROM changed))`
}

// logoutNotices returns the parameter of withNotices.
func logoutNotices(notices []*storage.LogoutNotice) string { return records(notices, row.LogoutNotice) }

// ClaimLogoutNotices implements storage.LogoutNotices. Rows that another replica is claiming are skipped.
func (s *Store) ClaimLogoutNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]*storage.LogoutNotice, error) {
	return queryRows(ctx, s, "claim logout notices", scan(row.LogoutNotice), claim("logout_notices", "", row.LogoutNotice),
		at(now), at(now.Add(lease)), max(limit, 0))
}
