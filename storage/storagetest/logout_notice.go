package storagetest

import (
	"time"

	"latchkey/storage"
)

// notice makes a notice that is due.
func (b *bundle) notice(client string) *storage.LogoutNotice {
	now := kept(b.now)
	return &storage.LogoutNotice{
		ID: storage.NewID(now), ClientID: client, UserID: 7, Subject: "slug", SessionID: storage.NewID(now), CreatedAt: now, NextAttemptAt: now,
		ExpiresAt: now.Add(24 * time.Hour),
	}
}

// note stores notices.
func (b *bundle) note(notices ...*storage.LogoutNotice) error {
	return b.RaiseUserEpoch(b.ctx, b.user("noted "+storage.NewID(b.now).String()).ID, b.now, nil, notices...)
}

// claim claims notices for a minute.
func (b *bundle) claim(at time.Time, limit int) []storage.ID {
	b.Helper()
	list, err := b.ClaimLogoutNotices(b.ctx, at, time.Minute, limit)
	b.ok(err)
	return idsOf(list, func(n *storage.LogoutNotice) storage.ID { return n.ID })
}

func logoutNotices() cases {
	return cases{
		"a claimed notice comes back with its lease": func(b *bundle) {
			n := b.notice("app")
			b.ok(b.note(n))
			got, err := b.ClaimLogoutNotices(b.ctx, b.now, time.Minute, 10)
			b.ok(err)
			n.Attempts, n.NextAttemptAt = 1, kept(b.now.Add(time.Minute))
			b.same(got, []*storage.LogoutNotice{n})
			got, err = b.ClaimLogoutNotices(b.ctx, n.NextAttemptAt.Add(-time.Microsecond), time.Minute, 10)
			b.ok(err)
			b.same(got, []*storage.LogoutNotice{})
			got, err = b.ClaimLogoutNotices(b.ctx, n.NextAttemptAt, time.Minute, 10)
			b.ok(err)
			n.Attempts, n.NextAttemptAt = 2, n.NextAttemptAt.Add(time.Minute)
			b.same(got, []*storage.LogoutNotice{n})
		},
		"those are claimed that are due, those past their end too, the oldest first": func(b *bundle) {
			var want []storage.ID
			for _, due := range []time.Duration{3, 1, 2, -1} {
				n := b.notice("app")
				n.NextAttemptAt = n.NextAttemptAt.Add(-due * time.Minute)
				b.ok(b.note(n))
				want = append(want, n.ID)
			}
			over := b.notice("app")
			over.ExpiresAt = kept(b.now)
			b.ok(b.note(over))
			b.same(b.claim(b.now, 2), []storage.ID{want[0], want[2]})
			b.same(b.claim(b.now, 0), []storage.ID(nil))
			b.same(b.claim(b.now, 10), []storage.ID{want[1], over.ID})
		},
		"parallel callers share the notices": func(b *bundle) {
			var all []*storage.LogoutNotice
			var want []storage.ID
			for range 40 {
				n := b.notice("app")
				all, want = append(all, n), append(want, n.ID)
			}
			b.ok(b.note(all...))
			b.shared(want, func() ([]storage.ID, error) {
				list, err := b.ClaimLogoutNotices(b.ctx, b.now, time.Minute, 3)
				return idsOf(list, func(n *storage.LogoutNotice) storage.ID { return n.ID }), err
			})
		},
		"a notice can be put off and be done with": func(b *bundle) {
			n, done := b.notice("app"), b.notice("app")
			b.ok(b.note(n, done))
			b.claim(b.now, 10)
			later := b.now.Add(time.Hour)
			b.ok(b.RetryLogoutNotice(b.ctx, n.ID, later))
			b.ok(b.FinishLogoutNotice(b.ctx, done.ID))
			b.same(b.claim(later.Add(-time.Second), 10), []storage.ID(nil))
			b.same(b.claim(later, 10), []storage.ID{n.ID})
			b.ok(b.FinishLogoutNotice(b.ctx, done.ID))
			b.ok(b.RetryLogoutNotice(b.ctx, done.ID, later))
		},
		"one that is there already refuses them all": func(b *bundle) {
			n, other := b.notice("app"), b.notice("app")
			b.ok(b.note(n))
			b.is(b.note(other, n), storage.ErrExists)
			b.same(b.claim(b.now, 10), []storage.ID{n.ID})
		},
		"notices are stored with what ends the sessions of a user, or not at all": func(b *bundle) {
			for _, end := range b.ends() {
				u, notice := b.user("ada "+storage.NewID(b.now).String()), b.notice("app")
				b.is(end(4711, notice), storage.ErrNotFound)
				b.same(b.claim(b.now, 10), []storage.ID(nil))
				b.ok(end(u.ID, notice))
				b.same(b.claim(b.now, 10), []storage.ID{notice.ID})
				b.ok(b.FinishLogoutNotice(b.ctx, notice.ID))
			}
		},
	}
}

// ends returns all that ends the sessions of a user.
func (b *bundle) ends() []func(id int64, n *storage.LogoutNotice) error {
	return []func(id int64, n *storage.LogoutNotice) error{
		func(id int64, n *storage.LogoutNotice) error { return b.SetUserActive(b.ctx, id, false, b.now, nil, n) },
		func(id int64, n *storage.LogoutNotice) error {
			return b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: id, Hash: "hash", Now: b.now, Notices: []*storage.LogoutNotice{n}}, nil)
		},
		func(id int64, n *storage.LogoutNotice) error { return b.RaiseUserEpoch(b.ctx, id, b.now, nil, n) },
		func(id int64, n *storage.LogoutNotice) error { return b.RemoveUser(b.ctx, id, nil, n) },
		func(id int64, n *storage.LogoutNotice) error {
			off := false
			return b.ChangeProvisionedUser(b.ctx, id, storage.ProvisionedChange{Active: &off, Notices: []*storage.LogoutNotice{n}, Now: b.now})
		},
		func(id int64, n *storage.LogoutNotice) error {
			if u, err := b.User(b.ctx, id); err == nil {
				f := b.newFactor(u, storage.FactorTOTP)
				b.ok(b.CreateFactors(b.ctx, storage.NewFactors{UserID: id, Factors: []*storage.Factor{f}, Limit: 1}, nil))
			}
			return b.RemoveFactors(b.ctx, storage.FactorRemoval{UserID: id, EndSessions: true, Notices: []*storage.LogoutNotice{n}, Now: b.now}, nil)
		},
		func(id int64, n *storage.LogoutNotice) error {
			use := storage.AccountTokenUse{Hash: b.digest(), Purpose: "reset", Now: b.now, PasswordHash: "hash", Notices: []*storage.LogoutNotice{n}}
			if u, err := b.User(b.ctx, id); err == nil {
				token := b.accountToken(u)
				token.Hash, token.Purpose = use.Hash, use.Purpose
				b.ok(b.CreateAccountTokens(b.ctx, false, token))
			}
			return b.UseAccountToken(b.ctx, use, nil)
		},
	}
}
