package postgres

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

// takeAttempts takes one attempt from each row of the CTE asked (key, tolerance, step), at the time $1: the theoretical arrival time
// advances by step, unless it is more than tolerance ahead. If a bucket is empty, nothing is taken. The condition is checked again
// under the row's lock, so that concurrent callers never take more than there is; a caller that loses such a race may have taken
// from another bucket, which only makes that one stricter.
// Rows are locked in the order of the keys, which avoids deadlocks. A time that is implausibly far ahead counts as now: see storage.Bucket.
const takeAttempts = `
	seen AS (
		SELECT asked.key, asked.tolerance, asked.step,
			CASE WHEN throttles.at > $1::timestamptz + 2 * (tolerance + step) THEN $1::timestamptz
				ELSE greatest(throttles.at, $1::timestamptz) END AS tat
		FROM asked LEFT JOIN throttles ON throttles.key = asked.key
	), taken AS (
		INSERT INTO throttles AS t (key, at, expires_at)
		SELECT key, $1::timestamptz + step, $1::timestamptz + step FROM seen
		WHERE (SELECT bool_and(tat - tolerance <= $1::timestamptz) FROM seen)
		ORDER BY key
		ON CONFLICT (key) DO UPDATE SET
			(at, expires_at) = (SELECT next, next FROM (
				SELECT step + CASE WHEN t.at > $1::timestamptz + 2 * (tolerance + step) THEN $1::timestamptz
					ELSE greatest(t.at, $1::timestamptz) END AS next
				FROM asked WHERE asked.key = t.key
			) AS moved)
		WHERE (SELECT t.at - tolerance <= $1::timestamptz OR t.at > $1::timestamptz + 2 * (tolerance + step)
			FROM asked WHERE asked.key = t.key)
		RETURNING t.key
	), verdict AS (
		-- The loser of a race doesn't see the winner's row: the bucket was emptied just now, so one step is the longest wait.
		SELECT coalesce(max(CASE WHEN tat - tolerance > $1::timestamptz THEN tat - tolerance - $1::timestamptz
			WHEN (SELECT bool_and(tat - tolerance <= $1::timestamptz) FROM seen) AND key NOT IN (SELECT key FROM taken) THEN step END),
			interval '0') AS wait
		FROM seen
	)`

// askedBuckets is the CTE asked with the buckets in $2 … $4.
const askedBuckets = `
	asked AS (
		SELECT key, tolerance * interval '1 microsecond' AS tolerance, step * interval '1 microsecond' AS step
		FROM unnest($2::bytea[], $3::bigint[], $4::bigint[]) AS u (key, tolerance, step)
	)`

// columns are buckets as arrays, sorted by key, each key once. tolerance is how far the theoretical arrival
// time may be ahead; tolerance and step are in microseconds.
type columns struct {
	keys            [][]byte
	tolerance, step []int64
}

func arrange(buckets []storage.Bucket) columns {
	sorted := slices.Clone(buckets)
	slices.SortStableFunc(sorted, func(a, b storage.Bucket) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	sorted = slices.CompactFunc(sorted, func(a, b storage.Bucket) bool { return a.Key == b.Key })
	c := columns{keys: make([][]byte, 0, len(sorted)), tolerance: make([]int64, 0, len(sorted)), step: make([]int64, 0, len(sorted))}
	for _, b := range sorted {
		c.keys = append(c.keys, b.Key[:])
		c.tolerance = append(c.tolerance, int64(b.Burst-1)*b.Interval.Microseconds())
		c.step = append(c.step, b.Interval.Microseconds())
	}
	return c
}

// TakeAttempts implements storage.Throttles.
func (s *Store) TakeAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) (time.Duration, error) {
	if len(buckets) == 0 {
		return 0, nil
	}
	c := arrange(buckets)
	micros, err := s.count(ctx, "take attempts", `
		WITH `+askedBuckets+`, `+takeAttempts+`
		SELECT ceil(extract(epoch FROM wait) * 1000000)::bigint FROM verdict`, at(now), c.keys, c.tolerance, c.step)
	return time.Duration(micros) * time.Microsecond, err
}

// GiveBackAttempts implements storage.Throttles.
func (s *Store) GiveBackAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) error {
	if len(buckets) == 0 {
		return nil
	}
	b := &pgx.Batch{}
	giveBack(b, buckets)
	return s.batch(ctx, "give back attempts", b)
}

// giveBack queues the return of one attempt to each bucket. A bucket without a row is full already.
func giveBack(b *pgx.Batch, buckets []storage.Bucket) {
	c := arrange(buckets)
	b.Queue(`
		WITH held AS (
			SELECT throttles.key, u.step * interval '1 microsecond' AS step
			FROM throttles JOIN unnest($1::bytea[], $2::bigint[]) AS u (key, step) ON throttles.key = u.key
			ORDER BY throttles.key FOR UPDATE OF throttles
		)
		UPDATE throttles SET at = at - step, expires_at = at - step FROM held WHERE throttles.key = held.key`, c.keys, c.step)
}
