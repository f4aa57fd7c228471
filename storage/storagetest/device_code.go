package storagetest

import (
	"errors"
	"fmt"
	"time"

	"latchkey/storage"
)

// device is a device code with what it is of.
type device struct {
	*storage.DeviceCode
	user   *storage.User
	client *storage.Client
}

// device makes a user, a client and a code that waits for a decision.
func (b *bundle) device() *device {
	b.Helper()
	b.drawn++
	name := fmt.Sprintf("device-%d", b.drawn)
	return b.deviceOf(b.user(name), b.client(name))
}

func (b *bundle) deviceOf(u *storage.User, c *storage.Client) *device {
	b.Helper()
	now := kept(b.now)
	d := &storage.DeviceCode{
		Hash: b.digest(), UserCode: b.digest(), ClientID: c.ID, ClientEpoch: c.AuthEpoch, Scope: []string{"openid"},
		Interval: 5, CreatedAt: now, ValidUntil: now.Add(10 * time.Minute), ExpiresAt: now.Add(time.Hour),
	}
	b.ok(b.CreateDeviceCode(b.ctx, d))
	return &device{d, u, c}
}

// answer is the user's decision.
func (d *device) answer(b *bundle, decision storage.DeviceDecision) storage.DeviceAnswer {
	return storage.DeviceAnswer{
		Hash: d.Hash, Decision: decision, UserID: d.user.ID, UserEpoch: d.user.AuthEpoch, AuthTime: kept(b.now), AMR: []string{"pwd"}, Now: b.now,
	}
}

// approved is a code that its user has approved.
func (b *bundle) approved() *device {
	b.Helper()
	d := b.device()
	b.ok(b.AnswerDeviceCode(b.ctx, d.answer(b, storage.DeviceApproved), b.event("device_approved")))
	return d
}

func (d *device) grant(now time.Time) *storage.Grant {
	return newGrant(storage.NewID(now), d.user, d.client, now)
}

func (b *bundle) redeemDevice(d *device) error {
	return b.RedeemDeviceCode(b.ctx, d.Hash, d.grant(b.now), b.now.Add(time.Hour), b.event("device_redeemed"))
}

// poll polls and reports whether that was too early.
func (b *bundle) poll(d *device) (slowed bool, interval int64) {
	b.Helper()
	got, err := b.PollDeviceCode(b.ctx, d.Hash, d.ClientID)
	b.ok(err)
	return got.Slowed, got.Interval
}

// refusedDevice stops the case unless a code can't be redeemed, and nothing comes of it.
func (b *bundle) refusedDevice(d *device) {
	b.Helper()
	g := d.grant(b.now)
	b.is(b.RedeemDeviceCode(b.ctx, d.Hash, g, b.now.Add(time.Hour), b.event("device_redeemed")), storage.ErrConflict)
	_, err := b.Grant(b.ctx, g.ID)
	b.is(err, storage.ErrNotFound)
	b.audited("device_redeemed", 0)
}

func deviceCodes() cases {
	all := cases{
		"a device code comes back as stored": func(b *bundle) {
			c := b.client("tv")
			now := kept(b.now)
			d := &storage.DeviceCode{
				Hash: b.digest(), UserCode: b.digest(), ClientID: c.ID, ClientEpoch: 4, Scope: []string{"openid", "email"},
				Audience: []string{"https://api.example/"}, Offered: []string{"urn:b"}, Address: "2001:db8::1", UserAgent: "tv \"' ü", Interval: 5,
				CreatedAt: now, ValidUntil: now.Add(time.Minute), ExpiresAt: now.Add(time.Hour),
			}
			b.ok(b.CreateDeviceCode(b.ctx, d))
			got, err := b.PendingDeviceCode(b.ctx, d.UserCode, b.now)
			b.ok(err)
			b.same(got, d)
			b.is(b.CreateDeviceCode(b.ctx, d), storage.ErrExists)
			same := *d
			same.Hash = b.digest()
			b.is(b.CreateDeviceCode(b.ctx, &same), storage.ErrExists)
			_, err = b.PendingDeviceCode(b.ctx, b.digest(), b.now)
			b.is(err, storage.ErrNotFound)
			_, err = b.PendingDeviceCode(b.ctx, d.UserCode, d.ValidUntil)
			b.is(err, storage.ErrNotFound)
			_, err = b.PollDeviceCode(b.ctx, b.digest(), "tv")
			b.is(err, storage.ErrNotFound)
		},
		"a decision is made once, in time, and comes with its user": func(b *bundle) {
			d, late := b.device(), b.device()
			b.now = b.now.Add(time.Second)
			a := d.answer(b, storage.DeviceApproved)
			b.ok(b.AnswerDeviceCode(b.ctx, a, b.event("device_approved")))
			b.is(b.AnswerDeviceCode(b.ctx, d.answer(b, storage.DeviceDenied), b.event("device_denied")), storage.ErrConflict)
			b.audited("device_approved", 1)
			b.audited("device_denied", 0)
			_, err := b.PendingDeviceCode(b.ctx, d.UserCode, b.now)
			b.is(err, storage.ErrNotFound)
			got, err := b.PollDeviceCode(b.ctx, d.Hash, d.ClientID)
			b.ok(err)
			d.Decision, d.UserID, d.UserEpoch, d.AuthTime, d.AMR = a.Decision, a.UserID, a.UserEpoch, a.AuthTime, a.AMR
			d.user.CreatedAt = kept(d.user.CreatedAt)
			b.same(got, &storage.LiveDeviceCode{DeviceCode: *d.DeviceCode, User: d.user})
			b.now = late.ValidUntil
			b.is(b.AnswerDeviceCode(b.ctx, late.answer(b, storage.DeviceApproved), nil), storage.ErrConflict)
			a.Hash = b.digest()
			b.is(b.AnswerDeviceCode(b.ctx, a, nil), storage.ErrConflict)
		},
		"of parallel decisions one is kept": func(b *bundle) {
			for range rounds {
				d := b.device()
				b.oneWins(atOnce(8, func(i int) error {
					return b.AnswerDeviceCode(b.ctx, d.answer(b, []storage.DeviceDecision{storage.DeviceApproved, storage.DeviceDenied}[i%2]), nil)
				}), storage.ErrConflict)
			}
		},
		"who polls too early is slowed down, by every replica": func(b *bundle) {
			d := b.device()
			other := b.opener.OpenAgain(b, b.Store)
			for i, step := range []struct {
				after    time.Duration
				slowed   bool
				interval int64
			}{
				{0, false, 5}, // the first
				{5 * time.Second, false, 5},
				{4 * time.Second, false, 5}, // the tolerance
				{3 * time.Second, true, 10},
				{5 * time.Second, true, 15},
				{0, true, 20},
				{19 * time.Second, false, 20},
			} {
				b.now = b.now.Add(step.after)
				if slowed, interval := b.poll(d); slowed != step.slowed || interval != step.interval {
					b.Fatalf("poll %d: slowed %t, interval %d", i, slowed, interval)
				}
			}
			got, err := other.PollDeviceCode(b.ctx, d.Hash, d.ClientID) // by its own clock: years later
			b.ok(err)
			if got.Slowed {
				b.Errorf("%+v", got)
			}
		},
		"of parallel polls one is in time": func(b *bundle) {
			d := b.device()
			early := 0
			slowed := make([]bool, 10)
			for _, err := range atOnce(len(slowed), func(i int) error {
				got, err := b.PollDeviceCode(b.ctx, d.Hash, d.ClientID)
				if err == nil {
					slowed[i] = got.Slowed
				}
				return err
			}) {
				b.ok(err)
			}
			for _, s := range slowed {
				if s {
					early++
				}
			}
			if early != len(slowed)-1 {
				b.Errorf("%d of %d were too early", early, len(slowed))
			}
			if _, interval := b.poll(d); interval != 55 {
				b.Errorf("the interval is %d", interval)
			}
		},
		"another client's poll, and one after the decision, change nothing": func(b *bundle) {
			d := b.device()
			for range 3 {
				got, err := b.PollDeviceCode(b.ctx, d.Hash, "other")
				b.ok(err)
				b.same(got.DeviceCode, *d.DeviceCode)
			}
			b.ok(b.AnswerDeviceCode(b.ctx, d.answer(b, storage.DeviceDenied), nil))
			for range 3 {
				if slowed, interval := b.poll(d); slowed || interval != 5 {
					b.Errorf("slowed %t, interval %d", slowed, interval)
				}
			}
		},
		"a redemption stores the grant and marks the device code": func(b *bundle) {
			d := b.approved()
			b.now = b.now.Add(time.Second)
			g, until := d.grant(kept(b.now)), kept(b.now.Add(24*time.Hour))
			b.ok(b.RedeemDeviceCode(b.ctx, d.Hash, g, until, b.event("device_redeemed"), b.event("token_issued")))
			b.same(b.live(g.ID).Grant, *g)
			got, err := b.PollDeviceCode(b.ctx, d.Hash, d.ClientID)
			b.ok(err)
			if got.RedeemedAt != kept(b.now) || got.GrantID != g.ID || got.ExpiresAt != until {
				b.Errorf("the code is %+v", got)
			}
			b.audited("device_redeemed", 1)
			b.audited("token_issued", 1)
			_, err = b.touch(g.ID, g.Current, time.Second)
			b.ok(err)
		},
		"of parallel redemptions of a device code exactly one succeeds": func(b *bundle) {
			for range rounds {
				d := b.approved()
				grants := make([]*storage.Grant, 10)
				for i := range grants {
					grants[i] = d.grant(b.now)
				}
				winner := b.oneWins(atOnce(len(grants), func(i int) error {
					return b.RedeemDeviceCode(b.ctx, d.Hash, grants[i], b.now.Add(time.Hour))
				}), storage.ErrConflict)
				b.selected(storage.GrantFilter{UserID: d.user.ID}, grants[winner])
			}
		},
		"a device code that no user has approved can't be redeemed": func(b *bundle) {
			d, denied := b.device(), b.device()
			b.refusedDevice(d)
			b.ok(b.AnswerDeviceCode(b.ctx, denied.answer(b, storage.DeviceDenied), nil))
			b.refusedDevice(denied)
		},
		"a device code is good until its end, for its client and its user only": func(b *bundle) {
			d, late, other := b.approved(), b.approved(), b.approved()
			for what, g := range map[string]*storage.Grant{
				"client": newGrant(storage.NewID(b.now), d.user, other.client, b.now),
				"user":   newGrant(storage.NewID(b.now), other.user, d.client, b.now),
			} {
				if err := b.RedeemDeviceCode(b.ctx, d.Hash, g, b.now); !errors.Is(err, storage.ErrConflict) {
					b.Errorf("another %s: %v", what, err)
				}
			}
			b.now = late.ValidUntil
			b.refusedDevice(late)
			b.now = d.ValidUntil.Add(-time.Microsecond)
			b.ok(b.redeemDevice(d))
		},
		"an end of the consent at the same time as the redemption leaves nothing alive": func(b *bundle) {
			for range 2 * rounds {
				d := b.approved()
				errs := atOnce(2, func(i int) error {
					if i == 0 {
						return second(b.RevokeConsent(b.ctx, storage.ConsentEnd{UserID: d.user.ID, ClientID: d.ClientID, Now: b.now}, nil))
					}
					return b.redeemDevice(d)
				})
				b.ok(errs[0])
				if errs[1] != nil {
					b.is(errs[1], storage.ErrConflict)
				}
				b.selected(storage.GrantFilter{UserID: d.user.ID, LiveAt: b.now})
			}
		},
	}
	for name, end := range ends() {
		switch name {
		case "is revoked", "is revoked among others":
			continue
		}
		all["a device code that "+name+" can't be redeemed"] = func(b *bundle) {
			d := b.approved()
			b.now = b.now.Add(time.Second)
			end(b, d.grant(b.now))
			b.refusedDevice(d)
		}
	}
	all["a device code whose consent was taken back can't be redeemed"] = func(b *bundle) {
		d := b.approved()
		b.revoke(d.user, d.client)
		b.refusedDevice(d)
	}
	return all
}
