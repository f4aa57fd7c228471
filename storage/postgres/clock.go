package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Clock implements storage.Store. The time is that at which the statement runs, not that at which its transaction began.
func (s *Store) Clock(ctx context.Context) (now time.Time, err error) {
	err = s.do(ctx, "read the clock", func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan((*instant)(&now))
	})
	return now, err
}
