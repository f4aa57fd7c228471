package storagetest

import (
	"encoding/json"
	"fmt"
	"strconv"
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

// useToken uses a token for a client of its own.
func (b *bundle) useToken(t *storage.RegistrationToken, now time.Time) error {
	b.drawn++
	return b.UseRegistrationToken(b.ctx, t.Hash, now, newClient(fmt.Sprint("drawn ", b.drawn), b.now), nil)
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
			last := t.ExpiresAt.Add(-time.Microsecond)
			for ; t.Uses > 0; t.Uses-- {
				got, err := b.RegistrationToken(b.ctx, t.Hash, last)
				b.ok(err)
				b.same(got, t)
				b.ok(b.useToken(t, last))
			}
			b.is(b.useToken(t, b.now), storage.ErrNotFound)
			b.is(second(b.RegistrationToken(b.ctx, t.Hash, b.now)), storage.ErrNotFound)
			list, err := b.ListRegistrationTokens(b.ctx, storage.ID{}, 10)
			b.ok(err)
			b.same(list, []*storage.RegistrationToken{t})
		},
		"the client that a token is used for comes back as stored, with its event": func(b *bundle) {
			t := b.registrationToken(1)
			c := newClient("app", kept(b.now))
			c.Origin, c.RegistrationMAC, c.SecretMAC = storage.OriginRegistration, b.digest(), b.digest()
			b.ok(b.UseRegistrationToken(b.ctx, t.Hash, b.now, c, b.event("client_registered")))
			if c.Version != 1 || c.AuthEpoch != c.CreatedAt.UnixMicro() {
				b.Errorf("version %d, epoch %d", c.Version, c.AuthEpoch)
			}
			got, err := b.Client(b.ctx, "app")
			b.ok(err)
			b.same(got, c)
			b.audited("client_registered", 1)
		},
		"a client that can't be stored leaves the use, and a token that can't be used no client": func(b *bundle) {
			t := b.registrationToken(1)
			b.client("app")
			u := b.user("ada")
			for _, id := range []string{"app", strconv.FormatInt(u.ID, 10)} { // the second is the user's subject
				b.is(b.UseRegistrationToken(b.ctx, t.Hash, b.now, newClient(id, b.now), b.event("client_registered")), storage.ErrExists)
			}
			if err := b.UseRegistrationToken(b.ctx, t.Hash, b.now, newClient("\x00", b.now), b.event("client_registered")); err == nil {
				b.Error("a client with a NUL in its ID was stored")
			}
			got, err := b.RegistrationToken(b.ctx, t.Hash, b.now)
			b.ok(err)
			b.same(got, t)
			b.is(b.UseRegistrationToken(b.ctx, b.digest(), b.now, newClient("other", b.now), b.event("client_registered")), storage.ErrNotFound)
			b.is(second(b.Client(b.ctx, "other")), storage.ErrNotFound)
			b.audited("client_registered", 0)
		},
		"no more use a token at once than there are uses, and each has a client": func(b *bundle) {
			for _, uses := range []int{1, 7} {
				t := b.registrationToken(uses)
				before, err := b.ListClients(b.ctx, "", 100)
				b.ok(err)
				n := 0
				for _, err := range atOnce(32, func(i int) error {
					c := newClient(fmt.Sprint("app ", uses, " ", i), b.now)
					return b.UseRegistrationToken(b.ctx, t.Hash, b.now, c, nil)
				}) {
					if err == nil {
						n++
						continue
					}
					b.is(err, storage.ErrNotFound)
				}
				after, err := b.ListClients(b.ctx, "", 100)
				b.ok(err)
				if n != uses || len(after)-len(before) != uses {
					b.Errorf("%d of %d used it, for %d clients", n, uses, len(after)-len(before))
				}
			}
		},
		"a token without limit is not used up": func(b *bundle) {
			t := b.registrationToken(-1)
			for range 3 {
				b.ok(b.useToken(t, b.now))
			}
			got, err := b.RegistrationToken(b.ctx, t.Hash, b.now)
			b.ok(err)
			b.same(got, t)
		},
		"a token that has ended, was removed or never was can't be used": func(b *bundle) {
			t := b.registrationToken(5)
			unusable := func(t *storage.RegistrationToken, now time.Time) {
				b.Helper()
				b.is(b.useToken(t, now), storage.ErrNotFound)
				b.is(second(b.RegistrationToken(b.ctx, t.Hash, now)), storage.ErrNotFound)
			}
			unusable(t, t.ExpiresAt)
			unusable(&storage.RegistrationToken{Hash: b.digest()}, b.now)
			b.ok(b.RemoveRegistrationToken(b.ctx, t.ID, b.event("registration_token_removed")))
			unusable(t, b.now)
			b.is(b.RemoveRegistrationToken(b.ctx, t.ID, b.event("registration_token_removed")), storage.ErrNotFound)
			b.audited("registration_token_removed", 1)
		},
		"a token without an end has none": func(b *bundle) {
			t := &storage.RegistrationToken{ID: storage.NewID(b.now), Hash: b.digest(), Uses: -1, CreatedAt: kept(b.now)}
			b.ok(b.CreateRegistrationToken(b.ctx, t, nil))
			later := b.now.AddDate(100, 0, 0)
			_, err := b.Maintain(b.ctx, later, 10)
			b.ok(err)
			b.ok(b.useToken(t, later))
			got, err := b.RegistrationToken(b.ctx, t.Hash, later)
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
