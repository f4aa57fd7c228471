package storagetest

import (
	"time"

	"latchkey/storage"
)

// newFactor makes a factor that is not stored.
func (b *bundle) newFactor(u *storage.User, kind storage.FactorKind) *storage.Factor {
	b.drawn++
	now := kept(b.now).Add(time.Duration(b.drawn) * time.Millisecond) // so that IDs are in the order of creation
	return &storage.Factor{ID: storage.NewID(now), UserID: u.ID, Kind: kind, Name: "mine", Data: []byte{0, 255}, CreatedAt: now}
}

// factor makes a factor of a user.
func (b *bundle) factor(u *storage.User, kind storage.FactorKind) *storage.Factor {
	b.Helper()
	f := b.newFactor(u, kind)
	b.ok(b.CreateFactors(b.ctx, storage.NewFactors{UserID: u.ID, Factors: []*storage.Factor{f}, Limit: 10}, nil))
	return f
}

// factorsAre stops the case unless these are the factors of a user.
func (b *bundle) factorsAre(u *storage.User, want ...*storage.Factor) {
	b.Helper()
	got, err := b.ListFactors(b.ctx, u.ID)
	b.ok(err)
	b.same(got, want)
}

// hasSecondFactor reports what a login learns about a user.
func (b *bundle) hasSecondFactor(u *storage.User) bool {
	b.Helper()
	read, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: u.Username, Now: b.now})
	b.ok(err)
	taken, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: u.Username, Now: b.now, Always: b.bucket(1, time.Minute)})
	b.ok(err)
	named, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: u.Username, Now: b.now, Names: storage.LoginNames{Fold: true}})
	b.ok(err)
	if read.SecondFactor != taken.SecondFactor || read.SecondFactor != named.SecondFactor {
		b.Error("it depends on the kind of login")
	}
	return read.SecondFactor
}

func factors() cases {
	return cases{
		"a factor comes back as stored": func(b *bundle) {
			u, other := b.user("ada"), b.user("bob")
			full := b.newFactor(u, storage.FactorBrowser)
			full.Lookup, full.Counter, full.UserEpoch = b.digest(), 1<<40, u.AuthEpoch
			full.LastUsedAt, full.ExpiresAt = full.CreatedAt.Add(time.Second), full.CreatedAt.Add(time.Hour)
			bare := &storage.Factor{ID: b.newFactor(u, "").ID, UserID: u.ID, Kind: storage.FactorTOTP, CreatedAt: kept(b.now)}
			b.ok(b.CreateFactors(b.ctx, storage.NewFactors{UserID: u.ID, Factors: []*storage.Factor{full, bare}, Limit: 1}, b.event("enrolled")))
			b.audited("enrolled", 1)
			b.factorsAre(u, full, bare)
			b.factorsAre(other)
			got, err := b.FactorByLookup(b.ctx, storage.FactorBrowser, full.Lookup)
			b.ok(err)
			b.same(got, full)
			for kind, lookup := range map[storage.FactorKind]storage.Digest{storage.FactorWebAuthn: full.Lookup, storage.FactorBrowser: b.digest(), storage.FactorTOTP: {}} {
				_, err := b.FactorByLookup(b.ctx, kind, lookup)
				b.is(err, storage.ErrNotFound)
			}
		},
		"a factor whose lookup is taken, or of a user who is not there, is not stored, nor what comes with it": func(b *bundle) {
			u, other := b.user("ada"), b.user("bob")
			first := b.newFactor(u, storage.FactorWebAuthn)
			first.Lookup = b.digest()
			b.ok(b.CreateFactors(b.ctx, storage.NewFactors{UserID: u.ID, Factors: []*storage.Factor{first}, Limit: 10}, nil))
			same := b.newFactor(other, storage.FactorWebAuthn)
			same.Lookup = first.Lookup
			taken := storage.NewFactors{UserID: other.ID, Factors: []*storage.Factor{b.newFactor(other, storage.FactorTOTP), same}, Limit: 10}
			b.is(b.CreateFactors(b.ctx, taken, b.event("enrolled")), storage.ErrExists)
			b.factorsAre(other)
			gone := &storage.User{ID: 4711}
			b.is(b.CreateFactors(b.ctx, storage.NewFactors{
				UserID: gone.ID, Factors: []*storage.Factor{b.newFactor(gone, storage.FactorTOTP)}, Limit: 10,
			}, b.event("enrolled")), storage.ErrNotFound)
			b.audited("enrolled", 0)
			same.Kind = storage.FactorBrowser
			b.ok(b.CreateFactors(b.ctx, storage.NewFactors{UserID: other.ID, Factors: []*storage.Factor{same}, Limit: 10}, nil))
		},
		"of parallel callers no more succeed than the limit permits": func(b *bundle) {
			u := b.user("ada")
			b.factor(u, storage.FactorWebAuthn) // of another kind
			made := make([]*storage.Factor, 12)
			for i := range made {
				made[i] = b.newFactor(u, storage.FactorTOTP)
			}
			won := 0
			for _, err := range atOnce(len(made), func(i int) error {
				return b.CreateFactors(b.ctx, storage.NewFactors{UserID: u.ID, Factors: made[i : i+1], Limit: 3}, b.event("enrolled"))
			}) {
				if err == nil {
					won++
				} else {
					b.is(err, storage.ErrLimit)
				}
			}
			if won != 3 {
				b.Errorf("%d succeeded", won)
			}
			b.audited("enrolled", 3)
		},
		"new codes replace those before": func(b *bundle) {
			u, other := b.user("ada"), b.user("bob")
			totp, others := b.factor(u, storage.FactorTOTP), b.factor(other, storage.FactorRecovery)
			codes := func() (list []*storage.Factor) {
				for range 10 {
					f := b.newFactor(u, storage.FactorRecovery)
					f.Lookup = b.digest()
					list = append(list, f)
				}
				b.ok(b.CreateFactors(b.ctx, storage.NewFactors{UserID: u.ID, Factors: list, Replaces: storage.FactorRecovery, Limit: 10}, nil))
				return list
			}
			codes()
			b.factorsAre(u, append([]*storage.Factor{totp}, codes()...)...)
			b.factorsAre(other, others)
		},
		"a step is accepted once, and none before it": func(b *bundle) { // statement 56, RFC 6238 §5.2
			u, bob := b.user("ada"), b.user("bob")
			f := b.factor(u, storage.FactorTOTP)
			use := storage.FactorUse{ID: f.ID, UserID: u.ID, Counter: 5, Now: kept(b.now)}
			b.oneWins(atOnce(16, func(int) error { return b.UseFactor(b.ctx, use, b.event("used")) }), storage.ErrConflict)
			b.audited("used", 1)
			for _, counter := range []int64{5, 4, 0, -1} {
				use.Counter = counter
				b.is(b.UseFactor(b.ctx, use, nil), storage.ErrConflict)
			}
			use.Counter, use.UserID = 6, bob.ID
			b.is(b.UseFactor(b.ctx, use, nil), storage.ErrConflict)
			use.UserID, use.Data = u.ID, []byte("other")
			b.ok(b.UseFactor(b.ctx, use, nil))
			f.Counter, f.LastUsedAt, f.Data = 6, use.Now, use.Data
			b.factorsAre(u, f)
			use.ID = storage.NewID(b.now)
			b.is(b.UseFactor(b.ctx, use, nil), storage.ErrConflict)
		},
		"a factor that does not count can be used again and again": func(b *bundle) {
			u := b.user("ada")
			f := b.factor(u, storage.FactorWebAuthn)
			for range 2 {
				b.ok(b.UseFactor(b.ctx, storage.FactorUse{ID: f.ID, UserID: u.ID, Now: b.now}, nil))
			}
		},
		"of parallel callers exactly one spends a code": func(b *bundle) {
			u, bob := b.user("ada"), b.user("bob")
			totp, code := b.factor(u, storage.FactorTOTP), b.factor(u, storage.FactorRecovery)
			b.is(b.UseFactor(b.ctx, storage.FactorUse{ID: code.ID, UserID: bob.ID, Spend: true}, nil), storage.ErrConflict)
			b.oneWins(atOnce(16, func(int) error {
				return b.UseFactor(b.ctx, storage.FactorUse{ID: code.ID, UserID: u.ID, Spend: true}, b.event("spent"))
			}), storage.ErrConflict)
			b.audited("spent", 1)
			b.factorsAre(u, totp)
		},
		"a factor is renamed by its user only": func(b *bundle) {
			u, bob := b.user("ada"), b.user("bob")
			f := b.factor(u, storage.FactorTOTP)
			b.is(b.RenameFactor(b.ctx, bob.ID, f.ID, "his", b.event("renamed")), storage.ErrNotFound)
			b.ok(b.RenameFactor(b.ctx, u.ID, f.ID, "hers\x00", b.event("renamed")))
			b.audited("renamed", 1)
			f.Name = "hers\uFFFD"
			b.factorsAre(u, f)
		},
		"a login learns whether the user has a second factor": func(b *bundle) {
			for kind, want := range map[storage.FactorKind]bool{
				storage.FactorTOTP: true, storage.FactorWebAuthn: true, storage.FactorRecovery: false, storage.FactorBrowser: false,
			} {
				u := b.user(string(kind))
				if b.hasSecondFactor(u) {
					b.Error("a user without factors has one")
				}
				b.factor(u, kind)
				if b.hasSecondFactor(u) != want || kind.Second() != want {
					b.Errorf("%s: not %v", kind, want)
				}
			}
			if check, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: "nobody", Now: b.now}); err != nil || check.SecondFactor {
				b.Errorf("nobody has one: %v", err)
			}
		},
		"a browser session tells whether its user has a second factor": func(b *bundle) {
			u := b.user("ada")
			s := b.browser(u)
			b.factor(b.user("bob"), storage.FactorTOTP)
			for _, want := range []bool{false, true} {
				if b.signedIn(s.Hash).SecondFactor != want {
					b.Errorf("not %v", want)
				}
				b.factor(u, storage.FactorTOTP)
			}
		},
		"the last second factor takes the others with it, and the sessions": func(b *bundle) {
			u, bob := b.user("ada"), b.user("bob")
			his := b.factor(bob, storage.FactorTOTP)
			first, key := b.factor(u, storage.FactorTOTP), b.factor(u, storage.FactorWebAuthn)
			code, browser := b.factor(u, storage.FactorRecovery), b.factor(u, storage.FactorBrowser)
			remove := func(end bool, ids ...storage.ID) error {
				return b.RemoveFactors(b.ctx, storage.FactorRemoval{UserID: u.ID, IDs: ids, EndSessions: end, Now: b.now}, b.event("removed"))
			}
			epoch := func() int64 {
				got, err := b.User(b.ctx, u.ID)
				b.ok(err)
				return got.AuthEpoch
			}
			b.is(remove(true, his.ID, storage.NewID(b.now)), storage.ErrNotFound)
			b.is(remove(true, []storage.ID{}...), storage.ErrNotFound)
			b.audited("removed", 0)
			b.ok(remove(false, browser.ID))
			if epoch() != u.AuthEpoch {
				b.Error("the sessions have ended")
			}
			b.ok(remove(true, first.ID))
			before := epoch()
			if before <= u.AuthEpoch {
				b.Error("the sessions have not ended")
			}
			b.factorsAre(u, key, code)
			b.ok(remove(true, key.ID))
			b.factorsAre(u)
			if epoch() <= before {
				b.Error("the sessions have not ended")
			}
			b.factorsAre(bob, his)
			b.audited("removed", 3)
		},
		"all factors are removed at once, and those of a removed user": func(b *bundle) {
			u, bob := b.user("ada"), b.user("bob")
			all := storage.FactorRemoval{UserID: u.ID, EndSessions: true, Now: b.now}
			b.is(b.RemoveFactors(b.ctx, all, nil), storage.ErrNotFound)
			b.factor(u, storage.FactorTOTP)
			b.factor(u, storage.FactorRecovery)
			b.ok(b.RemoveFactors(b.ctx, all, nil))
			b.factorsAre(u)
			b.factor(bob, storage.FactorTOTP)
			b.ok(b.RemoveUser(b.ctx, bob.ID, nil))
			b.factorsAre(bob)
		},
		"what has ended is removed": func(b *bundle) {
			u := b.user("ada")
			stays, ends := b.factor(u, storage.FactorTOTP), b.newFactor(u, storage.FactorBrowser)
			ends.ExpiresAt = kept(b.now).Add(time.Minute)
			b.ok(b.CreateFactors(b.ctx, storage.NewFactors{UserID: u.ID, Factors: []*storage.Factor{ends}, Limit: 1}, nil))
			m, err := b.Maintain(b.ctx, ends.ExpiresAt.Add(-time.Microsecond), 10)
			b.ok(err)
			b.same(m.Factors, int64(0))
			m, err = b.Maintain(b.ctx, ends.ExpiresAt, 10)
			b.ok(err)
			b.same(m.Factors, int64(1))
			b.factorsAre(u, stays)
		},
	}
}
