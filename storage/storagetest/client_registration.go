package storagetest

import (
	"fmt"
	"time"

	"latchkey/storage"
)

// registration makes a client that registers itself.
func (b *bundle) registration(id string, key storage.Digest) *storage.Client {
	c := newClient(id, kept(b.now))
	c.Origin, c.RegistrationKey, c.ExpiresAt = storage.OriginRegistration, key, kept(b.now.Add(time.Hour))
	return c
}

// register registers a client, at most 100 of them.
func (b *bundle) register(id string) *storage.Client {
	b.Helper()
	c, err := b.CreateRegisteredClient(b.ctx, b.registration(id, b.digest()), 100, nil)
	b.ok(err)
	return c
}

func clientRegistrations() cases {
	return cases{
		"a registered client comes back as stored": func(b *bundle) {
			c := b.registration("app", b.digest())
			c.RegistrationMAC, c.SecretMAC = b.digest(), b.digest()
			stored, err := b.CreateRegisteredClient(b.ctx, c, 10, b.event("client_registered"))
			b.ok(err)
			c.Version, c.AuthEpoch = 1, c.CreatedAt.UnixMicro()
			b.same(stored, c)
			got, err := b.Client(b.ctx, "app")
			b.ok(err)
			b.same(got, c)
			b.audited("client_registered", 1)
		},
		"a client comes from the operator unless it says otherwise": func(b *bundle) {
			for origin, want := range map[storage.ClientOrigin]storage.ClientOrigin{
				"": storage.OriginOperator, storage.OriginOperator: storage.OriginOperator, storage.OriginDocument: storage.OriginDocument,
			} {
				c := newClient("app "+string(origin), b.now)
				c.Origin = origin
				b.ok(b.CreateClient(b.ctx, c, nil))
				got, err := b.Client(b.ctx, c.ID)
				b.ok(err)
				if got.Origin != want || c.Origin != want {
					b.Errorf("%q became %q, stored as %q", origin, c.Origin, got.Origin)
				}
				c.Origin = storage.OriginRegistration
				b.ok(b.UpdateClient(b.ctx, c, nil))
				if got, err = b.Client(b.ctx, c.ID); err != nil || got.Origin != want {
					b.Errorf("an update made it %q: %v", got.Origin, err)
				}
			}
		},
		"the same registration is the same client, and lives longer": func(b *bundle) {
			key := b.digest()
			first, err := b.CreateRegisteredClient(b.ctx, b.registration("one", key), 1, b.event("client_registered"))
			b.ok(err)
			b.now = b.now.Add(time.Minute)
			first.ExpiresAt = first.ExpiresAt.Add(time.Minute)
			for range 2 {
				again, err := b.CreateRegisteredClient(b.ctx, b.registration("two", key), 1, b.event("client_registered"))
				b.ok(err)
				b.same(again, first)
			}
			b.now = b.now.Add(-time.Hour)
			again, err := b.CreateRegisteredClient(b.ctx, b.registration("two", key), 1, b.event("client_registered"))
			b.ok(err)
			b.same(again, first)
			b.audited("client_registered", 1)
		},
		"parallel callers with the same key get the same client": func(b *bundle) {
			key := b.digest()
			got := make([]*storage.Client, 16)
			for _, err := range atOnce(len(got), func(i int) (err error) {
				got[i], err = b.CreateRegisteredClient(b.ctx, b.registration(fmt.Sprint("app ", i), key), 1, b.event("client_registered"))
				return err
			}) {
				b.ok(err)
			}
			for _, c := range got {
				b.same(c, got[0])
			}
			list, err := b.ListClients(b.ctx, "", 100)
			b.ok(err)
			b.same(list, got[:1])
			b.audited("client_registered", 1)
		},
		"no more are registered at once than there may be": func(b *bundle) {
			b.client("mine")
			keys := make([]storage.Digest, 24)
			for i := range keys {
				keys[i] = b.digest()
			}
			n := 0
			for _, err := range atOnce(len(keys), func(i int) error {
				return second(b.CreateRegisteredClient(b.ctx, b.registration(fmt.Sprint("app ", i), keys[i]), 5, b.event("client_registered")))
			}) {
				if err == nil {
					n++
					continue
				}
				b.is(err, storage.ErrLimit)
			}
			if n != 5 {
				b.Errorf("%d were registered", n)
			}
			b.audited("client_registered", 5)
			_, err := b.CreateRegisteredClient(b.ctx, b.registration("late", b.digest()), 0, nil)
			b.is(err, storage.ErrLimit)
		},
		"a taken ID or no key at all is refused": func(b *bundle) {
			b.client("app")
			_, err := b.CreateRegisteredClient(b.ctx, b.registration("app", b.digest()), 10, b.event("client_registered"))
			b.is(err, storage.ErrExists)
			if _, err := b.CreateRegisteredClient(b.ctx, b.registration("other", storage.Digest{}), 10, b.event("client_registered")); err == nil {
				b.Error("a client without a key was registered")
			}
			list, err := b.ListClients(b.ctx, "", 10)
			b.ok(err)
			if len(list) != 1 {
				b.Errorf("%d clients", len(list))
			}
			b.audited("client_registered", 0)
		},
		"an update changes the registration, and gives no end to a client that has none": func(b *bundle) {
			c := b.register("app")
			other := b.register("other")
			c.RegistrationMAC, c.RegistrationKey, c.ExpiresAt = b.digest(), b.digest(), c.ExpiresAt.Add(time.Minute)
			same := func() {
				b.Helper()
				b.ok(b.UpdateClient(b.ctx, c, nil))
				got, err := b.Client(b.ctx, "app")
				b.ok(err)
				b.same(got, c)
			}
			same()
			stolen := *c
			stolen.RegistrationKey = other.RegistrationKey
			b.is(b.UpdateClient(b.ctx, &stolen, nil), storage.ErrExists)
			c.RegistrationMAC, c.RegistrationKey, c.ExpiresAt = storage.Digest{}, storage.Digest{}, time.Time{}
			same()
			// Who read it before it was used for the first time must not take its life again.
			late := *c
			late.ExpiresAt = b.now.Add(time.Hour)
			b.ok(b.UpdateClient(b.ctx, &late, nil))
			got, err := b.Client(b.ctx, "app")
			b.ok(err)
			if !got.ExpiresAt.IsZero() {
				b.Errorf("it ends at %v", got.ExpiresAt)
			}
		},
		"a client that nobody has logged in to is removed at its end, and servers are told": func(b *bundle) {
			seen, _ := b.watching(b.ctx, b.opener.OpenAgain(b, b.Store))
			b.seen(seen)
			c := b.register("app")
			b.seen(seen)
			u := b.user("ada")
			b.consent(u, c, "openid")
			m, err := b.Maintain(b.ctx, c.ExpiresAt.Add(-time.Microsecond), 10)
			b.ok(err)
			if m.Clients != 0 {
				b.Errorf("%d were removed early", m.Clients)
			}
			m, err = b.Maintain(b.ctx, c.ExpiresAt, 10)
			b.ok(err)
			if m.Clients != 1 {
				b.Errorf("%d were removed", m.Clients)
			}
			if got := b.seen(seen); got.Kind != storage.ChangeClient {
				b.Errorf("told was %q", got.Kind)
			}
			_, err = b.Client(b.ctx, "app")
			b.is(err, storage.ErrNotFound)
			b.allowedBy(u)
		},
		"a client that a user has logged in to stays, and servers are told": func(b *bundle) {
			seen, _ := b.watching(b.ctx, b.opener.OpenAgain(b, b.Store))
			b.seen(seen)
			c := b.register("app")
			b.seen(seen)
			u := b.user("ada")
			a := b.codeOf(u, c, b.browser(u))
			b.ok(b.redeem(a))
			if got := b.seen(seen); got.Kind != storage.ChangeClient || got.ID != "" && got.ID != "app" {
				b.Errorf("told was %+v", got)
			}
			m, err := b.Maintain(b.ctx, c.ExpiresAt.AddDate(1, 0, 0), 10)
			b.ok(err)
			if m.Clients != 0 {
				b.Errorf("%d were removed", m.Clients)
			}
			c.ExpiresAt = time.Time{}
			got, err := b.Client(b.ctx, "app")
			b.ok(err)
			b.same(got, c)
			// It no longer counts.
			_, err = b.CreateRegisteredClient(b.ctx, b.registration("next", b.digest()), 1, nil)
			b.ok(err)
		},
		"a client whose code is redeemed while it is removed either stays or gives nothing": func(b *bundle) {
			for i := range 2 * rounds {
				c := b.register(fmt.Sprint("app ", i))
				u := b.user(c.ID)
				b.now = c.ExpiresAt
				a := b.codeOf(u, c, b.browser(u))
				g := a.grant(b.now)
				errs := atOnce(2, func(i int) error {
					if i == 0 {
						return second(b.Maintain(b.ctx, b.now, 10))
					}
					return b.RedeemAuthorizationCode(b.ctx, a.Hash, g)
				})
				b.ok(errs[0])
				_, err := b.Client(b.ctx, c.ID)
				switch {
				case err == nil:
					b.ok(errs[1])
					b.selected(storage.GrantFilter{UserID: u.ID, LiveAt: b.now}, g)
				default:
					b.is(err, storage.ErrNotFound)
					b.selected(storage.GrantFilter{UserID: u.ID, LiveAt: b.now})
				}
			}
		},
	}
}
