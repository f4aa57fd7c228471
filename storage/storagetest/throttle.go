package storagetest

import (
	"sync/atomic"
	"time"

	"latchkey/storage"
)

func throttles() cases {
	return cases{
		"a bucket gives its burst at once and one more each interval": func(b *bundle) {
			bucket := b.bucket(3, 10*time.Second)
			b.take(0, bucket...)
			b.take(0, bucket...)
			b.take(0, bucket...)
			b.take(10*time.Second, bucket...)
			b.now = b.now.Add(4 * time.Second)
			b.take(6*time.Second, bucket...)
			b.now = b.now.Add(6 * time.Second)
			b.take(0, bucket...)
			b.take(10*time.Second, bucket...)
			b.now = b.now.Add(20 * time.Second)
			b.take(0, bucket...)
			b.take(0, bucket...)
			b.take(10*time.Second, bucket...)
		},
		"a bucket never holds more than its burst": func(b *bundle) {
			bucket := b.bucket(2, time.Second)
			b.take(0, bucket...)
			b.now = b.now.Add(24 * time.Hour)
			b.take(0, bucket...)
			b.take(0, bucket...)
			b.take(time.Second, bucket...)
		},
		"a clock that was ahead for a while locks nobody out": func(b *bundle) {
			bucket := b.bucket(2, time.Minute)
			right := b.now
			b.now = right.Add(365 * 24 * time.Hour)
			b.take(0, bucket...)
			b.take(0, bucket...)
			b.now = right
			b.take(0, bucket...)
			b.take(0, bucket...)
			b.take(time.Minute, bucket...)
			b.now = right.Add(time.Minute)
			b.take(0, bucket...)
		},
		"a clock that is a little ahead brings no further attempts": func(b *bundle) {
			bucket := b.bucket(2, time.Minute)
			right := b.now
			b.now = right.Add(time.Minute)
			b.take(0, bucket...)
			b.take(0, bucket...)
			b.now = right
			b.take(2*time.Minute, bucket...)
		},
		"an attempt that was given back can be taken again": func(b *bundle) {
			bucket := b.bucket(2, time.Hour)
			b.take(0, bucket...)
			b.take(0, bucket...)
			b.ok(b.GiveBackAttempts(b.ctx, b.now, bucket...))
			b.take(0, bucket...)
			b.take(time.Hour, bucket...)
		},
		"giving back never exceeds the burst": func(b *bundle) {
			bucket := b.bucket(2, time.Hour)
			b.ok(b.GiveBackAttempts(b.ctx, b.now, bucket...))
			b.take(0, bucket...)
			for range 5 {
				b.ok(b.GiveBackAttempts(b.ctx, b.now, bucket...))
			}
			b.take(0, bucket...)
			b.take(0, bucket...)
			b.take(time.Hour, bucket...)
		},
		"the emptiest bucket decides how long to wait": func(b *bundle) {
			short, long := b.bucket(1, time.Second)[0], b.bucket(1, time.Minute)[0]
			b.take(0, short, long)
			b.take(time.Minute, short, long)
			b.take(time.Minute, long, short)
			b.now = b.now.Add(time.Minute)
			b.take(0, long, short)
		},
		"a refused attempt costs nothing": func(b *bundle) {
			empty, full := b.bucket(1, time.Minute)[0], b.bucket(2, time.Hour)[0]
			b.take(0, empty)
			for range 20 {
				b.take(time.Minute, empty, full)
			}
			b.take(0, full)
			b.take(0, full)
			b.now = b.now.Add(time.Minute)
			b.take(0, empty)
		},
		"a bucket without a burst gives nothing": func(b *bundle) {
			bucket := b.bucket(0, time.Second)
			b.take(time.Second, bucket...)
			b.now = b.now.Add(time.Hour)
			b.take(time.Second, bucket...)
		},
		"buckets don't share": func(b *bundle) {
			b.take(0, b.bucket(1, time.Hour)...)
			b.take(0, b.bucket(1, time.Hour)...)
		},
		"no buckets never refuse": func(b *bundle) {
			b.take(0)
			b.ok(b.GiveBackAttempts(b.ctx, b.now))
		},
		"of parallel takes in several processes no more succeed than the bucket holds": func(b *bundle) {
			bucket := b.bucket(10, time.Hour)
			stores := []storage.Store{b.Store, b.opener.OpenAgain(b, b.Store)}
			var taken atomic.Int64
			for _, err := range atOnce(100, func(i int) error {
				wait, err := stores[i%2].TakeAttempts(b.ctx, b.now, bucket...)
				if err == nil && wait == 0 {
					taken.Add(1)
				}
				return err
			}) {
				b.ok(err)
			}
			if taken.Load() != 10 {
				b.Errorf("%d attempts were taken", taken.Load())
			}
		},
		"parallel takes from several buckets in any order end": func(b *bundle) {
			one, two := b.bucket(5, time.Hour)[0], b.bucket(1000, time.Hour)[0]
			var taken atomic.Int64
			for _, err := range atOnce(60, func(i int) error {
				buckets := []storage.Bucket{one, two}
				if i%2 == 0 {
					buckets = []storage.Bucket{two, one}
				}
				wait, err := b.TakeAttempts(b.ctx, b.now, buckets...)
				if err == nil && wait == 0 {
					taken.Add(1)
				}
				return err
			}) {
				b.ok(err)
			}
			if taken.Load() > 5 {
				b.Errorf("%d attempts were taken", taken.Load())
			}
		},
	}
}

// take takes from the buckets and stops the case unless it has to wait that long.
func (b *bundle) take(wait time.Duration, buckets ...storage.Bucket) {
	b.Helper()
	got, err := b.TakeAttempts(b.ctx, b.now, buckets...)
	b.ok(err)
	if got != wait {
		b.Fatalf("wait %v, want %v", got, wait)
	}
}
