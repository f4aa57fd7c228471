package sqlite

import (
	"context"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// AbandonLetter implements [storage.UndeliveredLetters].
func (s *Store) AbandonLetter(ctx context.Context, messageID storage.ID, l *storage.UndeliveredLetter) error {
	return s.write(ctx, "abandon letter", func(t *tx) {
		given := t.exec(`UPDATE outbox SET payload = x'', next_attempt_at = NULL WHERE id = ? AND next_attempt_at IS NOT NULL`, messageID[:])
		if given > 0 && (l.UserID == 0 || t.row(`SELECT 1 FROM users WHERE id = ?`, []any{l.UserID}, new(int))) {
			t.insert("undelivered_letters", row.UndeliveredLetter(l))
		}
	})
}
