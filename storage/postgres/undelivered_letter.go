package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var undeliveredColumns = row.Names("", row.UndeliveredLetter)

// AbandonLetter implements storage.UndeliveredLetters.
func (s *Store) AbandonLetter(ctx context.Context, messageID storage.ID, l *storage.UndeliveredLetter) error {
	args := append([]any{uuid(messageID), zeronull.Int8(l.UserID)}, row.Fields(arg, row.UndeliveredLetter(l))...)
	_, err := s.change(ctx, "abandon letter", `
		WITH changed AS (
			UPDATE outbox SET payload = '', next_attempt_at = NULL WHERE id = $1 AND next_attempt_at IS NOT NULL RETURNING id
		), letter AS (
			INSERT INTO undelivered_letters (`+undeliveredColumns+`) SELECT `+values(3, row.UndeliveredLetter)+`
			WHERE EXISTS (SELECT FROM changed) AND ($2::bigint IS NULL OR EXISTS (SELECT FROM users WHERE id = $2))
		)
		SELECT count(*) FROM changed`, args...)
	return err
}
