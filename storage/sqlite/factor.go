package sqlite

import (
	"context"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var factorColumns = row.Names("", row.Factor)

// CreateFactors implements [storage.Factors].
func (s *Store) CreateFactors(ctx context.Context, f storage.NewFactors, audit *storage.AuditEvent) error {
	return s.write(ctx, "create factors", func(t *tx) {
		if !t.row(`SELECT 1 FROM users WHERE id = ?`, []any{f.UserID}, new(int)) {
			t.fail(storage.ErrNotFound)
		}
		t.exec(`DELETE FROM factors WHERE user_id = ? AND kind = ?`, f.UserID, string(f.Replaces))
		for _, factor := range f.Factors {
			t.insert("factors", row.Factor(factor))
		}
		var n int
		t.row(`SELECT count(*) FROM factors WHERE user_id = ? AND kind = ?`, []any{f.UserID, string(f.Factors[0].Kind)}, &n)
		if n > f.Limit {
			t.fail(storage.ErrLimit)
		}
		t.enqueue(f.Messages)
		t.audit(audit)
	})
}

// ListFactors implements [storage.Factors].
func (s *Store) ListFactors(ctx context.Context, userID int64) ([]*storage.Factor, error) {
	return readAll(ctx, s, "list factors", scan(row.Factor), `SELECT `+factorColumns+` FROM factors WHERE user_id = ? ORDER BY id`, userID)
}

// FactorByLookup implements [storage.Factors].
func (s *Store) FactorByLookup(ctx context.Context, kind storage.FactorKind, lookup storage.Digest) (*storage.Factor, error) {
	return readOne(ctx, s, "read factor", scan(row.Factor), `SELECT `+factorColumns+` FROM factors WHERE kind = ? AND lookup = ?`,
		string(kind), lookup[:])
}

// UseFactor implements [storage.Factors].
func (s *Store) UseFactor(ctx context.Context, u storage.FactorUse, audit *storage.AuditEvent) error {
	return s.write(ctx, "use factor", func(t *tx) {
		if u.Spend {
			t.execOr(storage.ErrConflict, `DELETE FROM factors WHERE id = ? AND user_id = ?`, u.ID[:], u.UserID)
		} else {
			t.execOr(storage.ErrConflict, `
				UPDATE factors SET counter = ?1, last_used_at = ?2, data = coalesce(?3, data)
				WHERE id = ?4 AND user_id = ?5 AND (counter < ?1 OR counter = 0 AND ?1 = 0)`,
				u.Counter, micros(u.Now), u.Data, u.ID[:], u.UserID)
		}
		t.audit(audit)
	})
}

// RenameFactor implements [storage.Factors].
func (s *Store) RenameFactor(ctx context.Context, userID int64, id storage.ID, name string, audit *storage.AuditEvent) error {
	return s.write(ctx, "rename factor", func(t *tx) {
		t.execOr(storage.ErrNotFound, `UPDATE factors SET name = ? WHERE id = ? AND user_id = ?`, plain(name), id[:], userID)
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
		if n == 0 {
			t.fail(storage.ErrNotFound)
		}
		t.exec(`DELETE FROM factors WHERE user_id = ?1 AND NOT EXISTS (SELECT 1 FROM factors WHERE user_id = ?1 AND `+row.SecondFactor+`)`, r.UserID)
		if r.EndSessions {
			t.exec(`UPDATE users SET auth_epoch = `+raiseEpoch+` WHERE id = ?`, r.Now.UnixMicro(), r.UserID)
		}
		t.notices(r.Notices)
		t.enqueue(r.Messages)
		t.audit(audit)
	})
}
