package directory

import (
	"context"
	"fmt"
	"time"

	"latchkey/storage"
)

// SetLastLogin stores when a user logged in, never an earlier time.
func (s *Source) SetLastLogin(ctx context.Context, subject string, at time.Time) error {
	if s.table.Columns["last_login"] == "" {
		return nil
	}
	column := s.dialect.column(s.table.Columns["last_login"])
	var value any = at.UTC().Truncate(time.Microsecond)
	if s.dialect == SQLite {
		value = SQLiteTime(at)
	}
	_, err := s.update(ctx, `SET `+s.dialect.identifier(s.table.Columns["last_login"])+` = `+s.dialect.parameter(1), `AND (`+column+` IS NULL OR `+column+` < `+s.dialect.parameter(3)+`)`, subject, value, value)
	return err
}

// SetPassword replaces a password hash, which is in a form that Django verifies.
func (s *Source) SetPassword(ctx context.Context, subject, hash string) error {
	n, err := s.update(ctx, `SET `+s.dialect.identifier(s.table.Columns["password"])+` = `+s.dialect.parameter(1), ``, subject, hash)
	if err == nil && n == 0 {
		return fmt.Errorf("set the password in Django's table: %w", storage.ErrNotFound)
	}
	return err
}

// update changes the row of a subject: the first parameter is the value, the second the key.
func (s *Source) update(ctx context.Context, set, more, subject string, value any, rest ...any) (int64, error) {
	shape := s.shape.Load()
	if shape == nil {
		return 0, errUnchecked
	}
	key, ok := shape.key.argument(subject)
	if !ok {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	table := s.dialect.quote(s.table.Name) + ` AS d `
	result, err := s.db.ExecContext(ctx, `UPDATE `+table+set+` WHERE `+s.key()+` = `+shape.key.comparison(s.dialect, 2)+` `+more, append([]any{value, key}, rest...)...)
	if err != nil {
		return 0, away(err)
	}
	n, err := result.RowsAffected()
	return n, away(err)
}
