package postgres

import (
	"context"
	"time"

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

// ListUndeliveredLetters implements storage.UndeliveredLetters.
func (s *Store) ListUndeliveredLetters(ctx context.Context, f storage.UndeliveredLetterFilter) ([]*storage.UndeliveredLetter, error) {
	return queryRows(ctx, s, "list undelivered letters", scan(row.UndeliveredLetter), `
		SELECT `+undeliveredColumns+` FROM undelivered_letters
		WHERE ($2::uuid IS NULL OR id < $2) AND ($3::bigint IS NULL OR user_id = $3) ORDER BY id DESC LIMIT $1`,
		limited(f.Limit), uuid(f.Before), zeronull.Int8(f.UserID))
}

// UndeliveredLetter implements storage.UndeliveredLetters.
func (s *Store) UndeliveredLetter(ctx context.Context, id storage.ID) (*storage.UndeliveredLetter, error) {
	return queryRow(ctx, s, "read undelivered letter", scan(row.UndeliveredLetter),
		`SELECT `+undeliveredColumns+` FROM undelivered_letters WHERE id = $1`, uuid(id))
}

// RemoveUndeliveredLetter implements storage.UndeliveredLetters.
func (s *Store) RemoveUndeliveredLetter(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error {
	return s.execOne(ctx, "remove undelivered letter",
		`WITH changed AS (DELETE FROM undelivered_letters WHERE id = $2 RETURNING id)`+logChanged, events(audit), uuid(id))
}

// CountUndeliveredLetters implements storage.UndeliveredLetters.
func (s *Store) CountUndeliveredLetters(ctx context.Context, since time.Time, limit int) (int, error) {
	var first storage.ID
	if !since.IsZero() {
		first = storage.FirstID(since)
	}
	n, err := s.count(ctx, "count undelivered letters",
		`SELECT count(*) FROM (SELECT FROM undelivered_letters WHERE $1::uuid IS NULL OR id >= $1 LIMIT $2) AS found`, uuid(first), max(limit, 0))
	return int(n), err
}
