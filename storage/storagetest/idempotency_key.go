package storagetest

import (
	"errors"
	"time"

	"latchkey/storage"
)

func idempotencyKeys() cases {
	newKey := func(b *bundle) *storage.IdempotencyKey {
		now := kept(b.now)
		return &storage.IdempotencyKey{Hash: b.digest(), Request: b.digest(), CreatedAt: now, ExpiresAt: now.Add(time.Minute)}
	}
	return cases{
		"a key is claimed once, and then shows its result": func(b *bundle) {
			k := newKey(b)
			found, err := b.ClaimIdempotencyKey(b.ctx, k, 10)
			b.ok(err)
			if found != nil {
				b.Fatalf("found %+v", found)
			}
			found, err = b.ClaimIdempotencyKey(b.ctx, k, 10)
			b.ok(err)
			b.same(found, k)
			end := k.ExpiresAt.Add(time.Hour)
			b.ok(b.FinishIdempotencyKey(b.ctx, k.Hash, "id", end))
			found, err = b.ClaimIdempotencyKey(b.ctx, k, 1)
			b.ok(err)
			k.Result, k.ExpiresAt = "id", end
			b.same(found, k)
		},
		"a key that has expired, or whose creation failed, can be claimed again": func(b *bundle) {
			k := newKey(b)
			b.ok(second(b.ClaimIdempotencyKey(b.ctx, k, 1)))
			later := newKey(b)
			later.Hash, later.CreatedAt, later.ExpiresAt = k.Hash, k.ExpiresAt, k.ExpiresAt.Add(time.Minute)
			found, err := b.ClaimIdempotencyKey(b.ctx, later, 1)
			b.ok(err)
			if found != nil {
				b.Fatalf("an expired key was found: %+v", found)
			}
			b.ok(b.RemoveIdempotencyKey(b.ctx, k.Hash))
			b.ok(b.RemoveIdempotencyKey(b.ctx, k.Hash))
			b.is(b.FinishIdempotencyKey(b.ctx, k.Hash, "id", b.now), storage.ErrNotFound)
			found, err = b.ClaimIdempotencyKey(b.ctx, k, 1)
			b.ok(err)
			if found != nil {
				b.Fatalf("a removed key was found: %+v", found)
			}
		},
		"there are no more keys than the limit": func(b *bundle) {
			b.ok(second(b.ClaimIdempotencyKey(b.ctx, newKey(b), 2)))
			b.ok(second(b.ClaimIdempotencyKey(b.ctx, newKey(b), 2)))
			b.is(second(b.ClaimIdempotencyKey(b.ctx, newKey(b), 2)), storage.ErrLimit)
		},
		"of parallel callers exactly one claims a key": func(b *bundle) {
			for range rounds {
				k := newKey(b)
				b.oneWins(atOnce(16, func(int) error {
					found, err := b.ClaimIdempotencyKey(b.ctx, k, 1000)
					if err == nil && found != nil {
						err = errFound
					}
					return err
				}), errFound)
			}
		},
	}
}

var errFound = errors.New("found")
