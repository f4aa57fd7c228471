package postgres

import (
	"context"
	"time"
)

// Clock implements storage.Store. The time is that at which the statement runs, not that at which its transaction began.
func (s *Store) Clock(ctx context.Context) (now time.Time, err error) {
	err = s.do(ctx, "read the clock", func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan((*instant)(&now))
	})
	return now, err
}
