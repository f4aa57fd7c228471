package storagetest

import (
	"errors"
	"time"

	"latchkey/storage"
)

// answerTo returns the function that makes a code for a request of the client app.
func (b *bundle) answerTo() func(p *storage.PushedRequest) *storage.AuthorizationCode {
	u, c := b.user("ada"), b.client("app")
	session, now := b.browser(u), kept(b.now)
	return func(p *storage.PushedRequest) *storage.AuthorizationCode {
		return &storage.AuthorizationCode{
			Hash: b.digest(), ClientID: c.ID, UserID: u.ID, SessionID: session.ID, UserEpoch: u.AuthEpoch, ClientEpoch: c.AuthEpoch,
			RedirectURI: "https://app.example/cb", AuthTime: now, CreatedAt: now, ValidUntil: now.Add(time.Minute), ExpiresAt: now.Add(time.Hour),
			Pushed: p.Hash,
		}
	}
}

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
		"a request can be read until it is taken or has ended": func(b *bundle) {
			p := push(b)
			for range 2 {
				got, err := b.PushedRequest(b.ctx, p.Hash, "app", p.ExpiresAt.Add(-time.Microsecond))
				b.ok(err)
				b.same(got, p)
			}
			b.is(second(b.PushedRequest(b.ctx, p.Hash, "app", p.ExpiresAt)), storage.ErrNotFound)
			b.is(second(b.PushedRequest(b.ctx, p.Hash, "other", b.now)), storage.ErrNotFound)
			b.is(second(b.PushedRequest(b.ctx, b.digest(), "app", b.now)), storage.ErrNotFound)
			b.ok(second(b.TakePushedRequest(b.ctx, p.Hash, "app", b.now)))
			b.is(second(b.PushedRequest(b.ctx, p.Hash, "app", b.now)), storage.ErrNotFound)
		},
		"a request is answered by one code": func(b *bundle) {
			answer := b.answerTo()
			for range rounds {
				codes := make([]*storage.AuthorizationCode, 32)
				p := push(b)
				for i := range codes {
					codes[i] = answer(p)
				}
				b.oneWins(atOnce(len(codes), func(i int) error { return b.CreateAuthorizationCode(b.ctx, codes[i], b.event("code_"+p.ClientID)) }), storage.ErrConflict)
				stored := 0
				for _, c := range codes {
					if second(b.AuthorizationCode(b.ctx, c.Hash)) == nil {
						stored++
					}
				}
				if stored != 1 {
					b.Errorf("%d codes are stored", stored)
				}
				b.is(second(b.TakePushedRequest(b.ctx, p.Hash, "app", b.now)), storage.ErrNotFound)
			}
			b.audited("code_app", rounds)
		},
		"a code answers no request that has ended, is another client's, or was taken": func(b *bundle) {
			answer := b.answerTo()
			p := push(b)
			late, other, none := answer(p), answer(p), answer(p)
			late.CreatedAt = p.ExpiresAt
			other.ClientID = b.client("other").ID
			none.Pushed = b.digest()
			for what, c := range map[string]*storage.AuthorizationCode{"late": late, "another client's": other, "of none": none} {
				if err := b.CreateAuthorizationCode(b.ctx, c, b.event("code_issued")); !errors.Is(err, storage.ErrConflict) {
					b.Errorf("%s: %v", what, err)
				}
				b.is(second(b.AuthorizationCode(b.ctx, c.Hash)), storage.ErrNotFound)
			}
			b.audited("code_issued", 0)
			// A hash that is taken leaves the request where it is.
			double := answer(p)
			first := *double
			first.Pushed = storage.Digest{}
			b.ok(b.CreateAuthorizationCode(b.ctx, &first))
			b.is(b.CreateAuthorizationCode(b.ctx, double), storage.ErrExists)
			b.ok(second(b.TakePushedRequest(b.ctx, p.Hash, "app", b.now)))
			b.is(b.CreateAuthorizationCode(b.ctx, answer(p)), storage.ErrConflict)
		},
		"of a code and a refusal at once one answers": func(b *bundle) {
			answer := b.answerTo()
			for range rounds {
				p := push(b)
				codes := []*storage.AuthorizationCode{answer(p), answer(p)}
				b.oneWins(atOnce(4, func(i int) error {
					if i%2 == 0 {
						return b.CreateAuthorizationCode(b.ctx, codes[i/2])
					}
					err := second(b.TakePushedRequest(b.ctx, p.Hash, "app", b.now))
					if errors.Is(err, storage.ErrNotFound) {
						return storage.ErrConflict
					}
					return err
				}), storage.ErrConflict)
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
