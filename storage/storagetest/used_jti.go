package storagetest

import (
	"time"

	"latchkey/storage"
)

func usedJTIs() cases {
	return cases{
		"of parallel uses of one assertion exactly one succeeds": func(b *bundle) {
			for range rounds {
				jti := b.digest()
				b.oneWins(atOnce(16, func(int) error { return b.UseJTI(b.ctx, "app", jti, b.now.Add(time.Minute)) }), storage.ErrExists)
			}
		},
		"each client has its own": func(b *bundle) {
			jti := b.digest()
			b.ok(b.UseJTI(b.ctx, "app", jti, b.now.Add(time.Minute)))
			b.ok(b.UseJTI(b.ctx, "APP", jti, b.now.Add(time.Minute)))
			b.ok(b.UseJTI(b.ctx, "app", b.digest(), b.now.Add(time.Minute)))
			b.is(b.UseJTI(b.ctx, "app", jti, b.now.Add(time.Minute)), storage.ErrExists)
			b.ok(b.UseJTI(b.ctx, "app", storage.Digest{}, b.now.Add(time.Minute)))
		},
		"a use is remembered until its end": func(b *bundle) {
			jti, end := b.digest(), b.now.Add(time.Minute)
			b.ok(b.UseJTI(b.ctx, "app", jti, end))
			_, err := b.Maintain(b.ctx, end.Add(-time.Second), 10)
			b.ok(err)
			b.is(b.UseJTI(b.ctx, "app", jti, end), storage.ErrExists)
			_, err = b.Maintain(b.ctx, end, 10)
			b.ok(err)
			b.ok(b.UseJTI(b.ctx, "app", jti, end))
		},
	}
}
