package storagetest

import (
	"time"

	"latchkey/storage"
)

func pushedRequests() cases {
	push := func(b *bundle) *storage.PushedRequest {
		now := kept(b.now)
		p := &storage.PushedRequest{
			Hash: b.digest(), ClientID: "app", Parameters: "scope=openid&state=%00%ff&x=ü", CreatedAt: now, ExpiresAt: now.Add(time.Minute),
		}
		b.ok(b.CreatePushedRequest(b.ctx, p))
		return p
	}
	return cases{
		"a request is taken once, as it was stored": func(b *bundle) {
			p := push(b)
			b.is(b.CreatePushedRequest(b.ctx, p), storage.ErrExists)
			got, err := b.TakePushedRequest(b.ctx, p.Hash, "app", p.ExpiresAt.Add(-time.Microsecond))
			b.ok(err)
			b.same(got, p)
			_, err = b.TakePushedRequest(b.ctx, p.Hash, "app", b.now)
			b.is(err, storage.ErrNotFound)
		},
		"a request that has ended, or is another client's, stays where it is": func(b *bundle) {
			p := push(b)
			_, err := b.TakePushedRequest(b.ctx, p.Hash, "app", p.ExpiresAt)
			b.is(err, storage.ErrNotFound)
			_, err = b.TakePushedRequest(b.ctx, p.Hash, "other", b.now)
			b.is(err, storage.ErrNotFound)
			_, err = b.TakePushedRequest(b.ctx, b.digest(), "app", b.now)
			b.is(err, storage.ErrNotFound)
			_, err = b.TakePushedRequest(b.ctx, p.Hash, "app", b.now)
			b.ok(err)
		},
		"of parallel callers exactly one takes the request": func(b *bundle) {
			for range rounds {
				p := push(b)
				b.oneWins(atOnce(16, func(int) error { return second(b.TakePushedRequest(b.ctx, p.Hash, "app", b.now)) }), storage.ErrNotFound)
			}
		},
		"a long request is kept whole": func(b *bundle) {
			p := push(b)
			p.Hash, p.Parameters = b.digest(), oddText()["10 kB"]
			b.ok(b.CreatePushedRequest(b.ctx, p))
			got, err := b.TakePushedRequest(b.ctx, p.Hash, "app", b.now)
			b.ok(err)
			b.same(got, p)
		},
	}
}
