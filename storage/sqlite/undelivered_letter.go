package sqlite

import (
	"context"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var selectUndelivered = `SELECT ` + row.Names("", row.UndeliveredLetter) + ` FROM undelivered_letters WHERE `

// AbandonLetter implements [storage.UndeliveredLetters].
func (s *Store) AbandonLetter(ctx context.Context, messageID storage.ID, l *storage.UndeliveredLetter) error {
	return s.write(ctx, "abandon letter", func(t *tx) {
		given := t.exec(`UPDATE outbox SET payload = x'', next_attempt_at = NULL WHERE id = ? AND next_attempt_at IS NOT NULL`, messageID[:])
		if given > 0 && (l.UserID == 0 || t.row(`SELECT 1 FROM users WHERE id = ?`, []any{l.UserID}, new(int))) {
			t.insert("undelivered_letters", row.UndeliveredLetter(l))
		}
	})
}

// ListUndeliveredLetters implements [storage.UndeliveredLetters].
func (s *Store) ListUndeliveredLetters(ctx context.Context, f storage.UndeliveredLetterFilter) ([]*storage.UndeliveredLetter, error) {
	where, args := []string{`TRUE`}, []any(nil)
	if !f.Before.IsZero() {
		where, args = append(where, `id < ?`), append(args, f.Before[:])
	}
	if f.UserID != 0 {
		where, args = append(where, `user_id = ?`), append(args, f.UserID)
	}
	return readAll(ctx, s, "list undelivered letters", scan(row.UndeliveredLetter),
		selectUndelivered+strings.Join(where, ` AND `)+` ORDER BY id DESC LIMIT ?`, append(args, limit(f.Limit))...)
}

// UndeliveredLetter implements [storage.UndeliveredLetters].
func (s *Store) UndeliveredLetter(ctx context.Context, id storage.ID) (*storage.UndeliveredLetter, error) {
	return readOne(ctx, s, "read undelivered letter", scan(row.UndeliveredLetter), selectUndelivered+`id = ?`, id[:])
}

// RemoveUndeliveredLetter implements [storage.UndeliveredLetters].
func (s *Store) RemoveUndeliveredLetter(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove undelivered letter", func(t *tx) {
		t.execOr(storage.ErrNotFound, `DELETE FROM undelivered_letters WHERE id = ?`, id[:])
		t.audit(audit)
	})
}

// CountUndeliveredLetters implements [storage.UndeliveredLetters].
func (s *Store) CountUndeliveredLetters(ctx context.Context, since time.Time, limit int) (n int, err error) {
	var first storage.ID
	if !since.IsZero() {
		first = storage.FirstID(since)
	}
	err = s.read(ctx, "count undelivered letters", func(t *tx) {
		t.row(`SELECT count(*) FROM (SELECT 1 FROM undelivered_letters WHERE id >= ? LIMIT ?)`, []any{first[:], max(limit, 0)}, &n)
	})
	return n, err
}
