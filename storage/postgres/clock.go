package postgres

import (
	"context"
	"time"
)

// Clock implements storage.Store. The time is that at which the statement runs, not that at which its transaction began.
func (s *Store) Clock(ctx context.Context) (now time.Time, err error) {
	err = s.readInto(ctx, "read the clock", []any{(*instant)(&now)}, `SELECT clock_timestamp()`)
	return now, err
}
