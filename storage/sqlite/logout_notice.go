package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

func (t *tx) notices(notices []*storage.LogoutNotice) {
	for _, n := range notices {
		t.insert("logout_notices", row.LogoutNotice(n))
	}
}

// ClaimLogoutNotices implements [storage.LogoutNotices].
func (s *Store) ClaimLogoutNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]*storage.LogoutNotice, error) {
	until := time.UnixMicro(now.Add(lease).UnixMicro()).UTC()
	return claim(ctx, s, "claim logout notices", "logout_notices", row.LogoutNotice, "", now, until, limit, func(n *storage.LogoutNotice) {
		n.NextAttemptAt, n.Attempts = until, n.Attempts+1
	})
}
