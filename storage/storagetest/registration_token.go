package storagetest

import (
	"encoding/json"
	"time"

	"latchkey/storage"
)

// registrationToken makes a token with so many uses.
func (b *bundle) registrationToken(uses int) *storage.RegistrationToken {
	b.Helper()
	now := kept(b.now)
	t := &storage.RegistrationToken{ID: storage.NewID(now), Hash: b.digest(), Uses: uses, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	b.ok(b.CreateRegistrationToken(b.ctx, t, b.event("registration_token_created")))
	return t
}

func registrationTokens() cases {
	return cases{
		"a token comes back as stored, with one use less": func(b *bundle) {
			now := kept(b.now)
			t := &storage.RegistrationToken{
				ID: storage.NewID(now), Hash: b.digest(), Name: "for Ä", Uses: 2, Policy: json.RawMessage(`{"scope":"openid","n":12345678901234567}`),
				CreatedAt: now, ExpiresAt: now.Add(time.Hour),
			}
			b.ok(b.CreateRegistrationToken(b.ctx, t, b.event("registration_token_created")))
			b.audited("registration_token_created", 1)
			for t.Uses = 1; t.Uses >= 0; t.Uses-- {
				got, err := b.UseRegistrationToken(b.ctx, t.Hash, t.ExpiresAt.Add(-time.Microsecond))
				b.ok(err)
				b.same(got, t)
			}
			_, err := b.UseRegistrationToken(b.ctx, t.Hash, b.now)
			b.is(err, storage.ErrNotFound)
			t.Uses = 0
			list, err := b.ListRegistrationTokens(b.ctx, storage.ID{}, 10)
			b.ok(err)
			b.same(list, []*storage.RegistrationToken{t})
		},
		"no more use a token at once than there are uses": func(b *bundle) {
			t := b.registrationToken(7)
			n := 0
			for _, err := range atOnce(24, func(int) error { return second(b.UseRegistrationToken(b.ctx, t.Hash, b.now)) }) {
				if err == nil {
					n++
					continue
				}
				b.is(err, storage.ErrNotFound)
			}
			if n != 7 {
				b.Errorf("%d used it", n)
			}
		},
		"a token without limit is not used up": func(b *bundle) {
			t := b.registrationToken(-1)
			for range 3 {
				got, err := b.UseRegistrationToken(b.ctx, t.Hash, b.now)
				b.ok(err)
				b.same(got, t)
			}
		},
		"a token that has ended, was removed or never was can't be used": func(b *bundle) {
			t := b.registrationToken(5)
			_, err := b.UseRegistrationToken(b.ctx, t.Hash, t.ExpiresAt)
			b.is(err, storage.ErrNotFound)
			_, err = b.UseRegistrationToken(b.ctx, b.digest(), b.now)
			b.is(err, storage.ErrNotFound)
			b.ok(b.RemoveRegistrationToken(b.ctx, t.ID, b.event("registration_token_removed")))
			_, err = b.UseRegistrationToken(b.ctx, t.Hash, b.now)
			b.is(err, storage.ErrNotFound)
			b.is(b.RemoveRegistrationToken(b.ctx, t.ID, b.event("registration_token_removed")), storage.ErrNotFound)
			b.audited("registration_token_removed", 1)
		},
		"a token without an end has none": func(b *bundle) {
			t := &storage.RegistrationToken{ID: storage.NewID(b.now), Hash: b.digest(), Uses: -1, CreatedAt: kept(b.now)}
			b.ok(b.CreateRegistrationToken(b.ctx, t, nil))
			later := b.now.AddDate(100, 0, 0)
			_, err := b.Maintain(b.ctx, later, 10)
			b.ok(err)
			got, err := b.UseRegistrationToken(b.ctx, t.Hash, later)
			b.ok(err)
			b.same(got, t)
		},
		"a taken hash or ID changes nothing": func(b *bundle) {
			t := b.registrationToken(1)
			again := *t
			again.ID = storage.NewID(b.now)
			b.is(b.CreateRegistrationToken(b.ctx, &again, b.event("nothing")), storage.ErrExists)
			again = *t
			again.Hash = b.digest()
			b.is(b.CreateRegistrationToken(b.ctx, &again, b.event("nothing")), storage.ErrExists)
			b.audited("nothing", 0)
		},
		"tokens are listed page by page": func(b *bundle) {
			var want []*storage.RegistrationToken
			for range 5 {
				b.now = b.now.Add(time.Second)
				want = append(want, b.registrationToken(1))
			}
			first, err := b.ListRegistrationTokens(b.ctx, storage.ID{}, 3)
			b.ok(err)
			rest, err := b.ListRegistrationTokens(b.ctx, first[2].ID, 3)
			b.ok(err)
			b.same(append(first, rest...), want)
		},
	}
}
