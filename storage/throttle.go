package storage

import (
	"context"
	"time"
)

// Bucket limits attempts: Burst at once, and one more each Interval (the generic cell rate algorithm).
// The row keeps one time per key, the theoretical arrival time, so that a bucket that is full again needs no row.
//
// That time is at most Burst·Interval ahead. One that is more than twice as far ahead was written while a clock was wrong:
// such a bucket counts as full; otherwise no user could log in for as long as the clock was ahead. The factor allows for
// replicas whose clocks differ a little.
type Bucket struct {
	Key      Digest
	Burst    int
	Interval time.Duration
}

// giveBackTimeout bounds a return that no caller waits for any more.
const giveBackTimeout = time.Second

// GiveBack returns an attempt that came to nothing for a reason that is not the caller's, such as a database that is full. It
// does so even if ctx has ended, as it has when the caller is gone.
func GiveBack(ctx context.Context, t interface {
	GiveBackAttempts(ctx context.Context, now time.Time, buckets ...Bucket) error
}, now time.Time, buckets ...Bucket,
) error {
	if len(buckets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	return t.GiveBackAttempts(ctx, now, buckets...)
}

// Throttles stores the state of buckets, for all replicas together.
type Throttles interface {
	// TakeAttempts takes one attempt from each bucket. It returns zero when each had one, else how long until
	// the emptiest holds one again; in that case nothing is taken from the others, or, in a race, at most one attempt.
	// Of any number of concurrent callers no more get zero than the bucket holds.
	TakeAttempts(ctx context.Context, now time.Time, buckets ...Bucket) (time.Duration, error)

	// GiveBackAttempts returns one attempt to each bucket.
	GiveBackAttempts(ctx context.Context, now time.Time, buckets ...Bucket) error
}
