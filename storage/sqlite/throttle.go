package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

// TakeAttempts implements [storage.Throttles].
func (s *Store) TakeAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) (time.Duration, error) {
	if len(buckets) == 0 {
		return 0, nil
	}
	return writeFor(ctx, s, "take attempts", func(t *tx) time.Duration { return t.take(now, buckets) })
}

// GiveBackAttempts implements [storage.Throttles].
func (s *Store) GiveBackAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) error {
	if len(buckets) == 0 {
		return nil
	}
	return s.write(ctx, "give back attempts", func(t *tx) { t.giveBack(now, buckets) })
}

// take takes one attempt from each bucket, or none at all when one of them is empty: it says then for how long.
// The stored time is the one at which the bucket will be full again.
func (t *tx) take(now time.Time, buckets []storage.Bucket) time.Duration {
	var wait int64
	for _, b := range buckets {
		var full int64
		t.row(`SELECT at FROM throttles WHERE key = ?`, []any{b.Key[:]}, &full)
		interval := b.Interval.Microseconds()
		if full > emptiest(b, now) {
			full = 0
		}
		wait = max(wait, max(full, now.UnixMicro())+interval-now.UnixMicro()-int64(b.Burst)*interval)
	}
	if wait > 0 {
		return time.Duration(wait) * time.Microsecond
	}
	for _, b := range buckets {
		t.exec(`
			INSERT INTO throttles (key, at, expires_at) VALUES (?1, ?2 + ?3, ?2 + ?3)
			ON CONFLICT (key) DO UPDATE SET
				at = CASE WHEN at > ?4 THEN ?2 ELSE max(at, ?2) END + ?3,
				expires_at = CASE WHEN at > ?4 THEN ?2 ELSE max(at, ?2) END + ?3`,
			b.Key[:], now.UnixMicro(), b.Interval.Microseconds(), emptiest(b, now))
	}
	return 0
}

// emptiest is the latest time that is believed of a bucket; see [storage.Bucket].
func emptiest(b storage.Bucket, now time.Time) int64 {
	return now.UnixMicro() + 2*int64(b.Burst)*b.Interval.Microseconds()
}

// giveBack returns one attempt to each bucket. A time before now means as much as no row: a full bucket.
func (t *tx) giveBack(now time.Time, buckets []storage.Bucket) {
	for _, b := range buckets {
		t.exec(`
			UPDATE throttles SET at = max(at - ?2, ?3), expires_at = max(at - ?2, ?3) WHERE key = ?1 AND at > ?3`,
			b.Key[:], b.Interval.Microseconds(), now.UnixMicro())
	}
}

// known reports whether a network is remembered.
func (t *tx) known(key storage.Digest, now time.Time) (known bool) {
	t.row(`SELECT EXISTS (SELECT 1 FROM throttles WHERE key = ? AND at > ?)`, []any{key[:], now.UnixMicro()}, &known)
	return known
}

// remember remembers a network.
func (t *tx) remember(key storage.Digest, until time.Time) {
	if key.IsZero() || until.IsZero() {
		return
	}
	t.exec(`
		INSERT INTO throttles (key, at, expires_at) VALUES (?1, ?2, ?2)
		ON CONFLICT (key) DO UPDATE SET at = ?2, expires_at = ?2`,
		key[:], until.UnixMicro())
}
