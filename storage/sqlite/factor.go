package sqlite

import (
	"context"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateFactors implements [storage.Factors].
func (s *Store) CreateFactors(ctx context.Context, f storage.NewFactors, audit *storage.AuditEvent) error {
	return s.write(ctx, "create factors", func(t *tx) {
		t.check(t.row(`SELECT 1 FROM users WHERE id = ?`, []any{f.UserID}, new(int)), storage.ErrNotFound)
		t.exec(`DELETE FROM factors WHERE user_id = ? AND kind = ?`, f.UserID, string(f.Replaces))
		for _, factor := range f.Factors {
			t.insert("factors", row.Factor(factor))
		}
		var n int
		t.row(`SELECT count(*) FROM factors WHERE user_id = ? AND kind = ?`, []any{f.UserID, string(f.Factors[0].Kind)}, &n)
		t.check(n <= f.Limit, storage.ErrLimit)
		t.enqueue(f.Messages)
		t.audit(audit)
	})
}

// RemoveFactors implements [storage.Factors].
func (s *Store) RemoveFactors(ctx context.Context, r storage.FactorRemoval, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove factors", func(t *tx) {
		var n int64
		if r.IDs == nil {
			n = t.exec(`DELETE FROM factors WHERE user_id = ?`, r.UserID)
		}
		for _, id := range r.IDs {
			n += t.exec(`DELETE FROM factors WHERE user_id = ? AND id = ?`, r.UserID, id[:])
		}
		t.check(n > 0, storage.ErrNotFound)
		t.exec(`DELETE FROM factors WHERE user_id = ?1 AND NOT EXISTS (SELECT 1 FROM factors WHERE user_id = ?1 AND `+row.SecondFactor+`)`, r.UserID)
		if r.EndSessions {
			t.exec(`UPDATE users SET auth_epoch = `+raiseEpoch+` WHERE id = ?`, r.Now.UnixMicro(), r.UserID)
		}
		t.notices(r.Notices)
		t.enqueue(r.Messages)
		t.audit(audit)
	})
}
