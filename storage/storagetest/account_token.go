package storagetest

import (
	"time"

	"latchkey/storage"
)

// accountToken makes a token of a user; nil for one who is yet to be.
func (b *bundle) accountToken(u *storage.User) *storage.AccountToken {
	now := kept(b.now)
	t := &storage.AccountToken{
		Hash: b.digest(), Purpose: "reset", RequestID: storage.NewID(now), Data: []byte{0, 0xff}, CreatedAt: now, ExpiresAt: now.Add(30 * time.Minute),
	}
	if u != nil {
		t.UserID, t.UserEpoch = u.ID, u.AuthEpoch
	}
	return t
}

func accountTokens() cases {
	lives := func(b *bundle, t *storage.AccountToken, at time.Time) bool {
		b.Helper()
		got, err := b.AccountToken(b.ctx, t.Hash, t.Purpose, at)
		if err == nil {
			b.same(got, t)
			return true
		}
		b.is(err, storage.ErrNotFound)
		return false
	}
	reset := func(b *bundle, t *storage.AccountToken, hash string) error {
		return b.UseAccountToken(b.ctx, storage.AccountTokenUse{
			Hash: t.Hash, Purpose: t.Purpose, Now: b.now, PasswordHash: hash, Messages: []*storage.OutboxMessage{b.mail()},
		}, b.event("password_changed"))
	}
	return cases{
		"tokens that are no user's are listed by their purpose, page by page, and removed": func(b *bundle) {
			var want []*storage.AccountToken
			for range 5 {
				b.now = b.now.Add(time.Second)
				t := b.accountToken(nil)
				t.Purpose = "invitation"
				b.ok(b.CreateAccountTokens(b.ctx, false, t))
				want = append(want, t)
			}
			other, theirs := b.accountToken(nil), b.accountToken(b.user("ada"))
			theirs.Purpose = "invitation"
			b.ok(b.CreateAccountTokens(b.ctx, false, other, theirs))
			list := func(after storage.ID, limit int) []*storage.AccountToken {
				got, err := b.ListAccountTokens(b.ctx, "invitation", after, b.now, limit)
				b.ok(err)
				return got
			}
			first := list(storage.ID{}, 3)
			b.same(append(first, list(first[2].RequestID, 3)...), want)
			b.is(b.RemoveAccountTokens(b.ctx, "invitation", other.RequestID, b.now, b.event("removed")), storage.ErrNotFound)
			b.is(b.RemoveAccountTokens(b.ctx, "invitation", want[4].RequestID, want[4].ExpiresAt, b.event("removed")), storage.ErrNotFound)
			b.audited("removed", 0)
			b.oneWins(atOnce(8, func(int) error {
				return b.RemoveAccountTokens(b.ctx, "invitation", want[0].RequestID, b.now, b.event("removed"))
			}), storage.ErrNotFound)
			b.audited("removed", 1)
			b.same(list(storage.ID{}, 10), want[1:])
			b.now = want[1].ExpiresAt
			b.same(list(storage.ID{}, 10), want[2:])
		},
		"a token lives until its end, for its purpose, as long as its user's sessions": func(b *bundle) {
			u := b.user("ada")
			t := b.accountToken(u)
			b.ok(b.CreateAccountTokens(b.ctx, false, t))
			if !lives(b, t, b.now) || !lives(b, t, t.ExpiresAt.Add(-time.Microsecond)) || lives(b, t, t.ExpiresAt) {
				b.Error("it does not live until its end")
			}
			b.is(second(b.AccountToken(b.ctx, t.Hash, "email", b.now)), storage.ErrNotFound)
			b.is(second(b.AccountToken(b.ctx, b.digest(), t.Purpose, b.now)), storage.ErrNotFound)
			b.ok(b.RaiseUserEpoch(b.ctx, u.ID, b.now.Add(time.Second), nil))
			if lives(b, t, b.now) {
				b.Error("it outlives the user's sessions")
			}
			b.is(reset(b, t, "new"), storage.ErrNotFound)
			nobodys := b.accountToken(nil)
			b.ok(b.CreateAccountTokens(b.ctx, false, nobodys))
			if !lives(b, nobodys, b.now) {
				b.Error("one without a user does not live")
			}
			b.is(b.CreateAccountTokens(b.ctx, false, b.accountToken(&storage.User{ID: 4711})), storage.ErrNotFound)
		},
		"a token of a user who is disabled or removed is dead": func(b *bundle) {
			u, v := b.user("ada"), b.user("eve")
			t, w := b.accountToken(u), b.accountToken(v)
			b.ok(b.CreateAccountTokens(b.ctx, false, t))
			b.ok(b.CreateAccountTokens(b.ctx, false, w))
			b.ok(b.SetUserActive(b.ctx, u.ID, false, b.now, nil))
			b.ok(b.RemoveUser(b.ctx, v.ID, nil))
			for _, dead := range []*storage.AccountToken{t, w} {
				if lives(b, dead, b.now) {
					b.Error("it lives")
				}
				b.is(reset(b, dead, "new"), storage.ErrNotFound)
			}
		},
		"a password is set once, and ends the sessions and all such tokens": func(b *bundle) {
			u := b.user("ada")
			t, code, other, address := b.accountToken(u), b.accountToken(u), b.accountToken(u), b.accountToken(u)
			code.RequestID, address.Purpose = t.RequestID, "email"
			b.ok(b.CreateAccountTokens(b.ctx, false, t, code))
			b.ok(b.CreateAccountTokens(b.ctx, false, other))
			b.ok(b.CreateAccountTokens(b.ctx, false, address))
			b.ok(reset(b, t, "new"))
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if got.PasswordHash != "new" || got.AuthEpoch <= u.AuthEpoch {
				b.Errorf("the user is %+v", got)
			}
			for _, dead := range []*storage.AccountToken{t, code, other, address} {
				b.is(reset(b, dead, "newer"), storage.ErrNotFound)
			}
			events, err := b.ListAudit(b.ctx, storage.AuditFilter{})
			b.ok(err)
			if n, _, err := b.WaitingOutboxMessages(b.ctx, "mail"); err != nil || n != 1 || len(events) != 1 {
				b.Errorf("%d letters and %d events, %v", n, len(events), err)
			}
		},
		"an address is verified, and the sessions go on": func(b *bundle) {
			u := b.user("ada")
			old, t := b.accountToken(u), b.accountToken(u)
			old.Purpose, t.Purpose = "email", "email"
			b.ok(b.CreateAccountTokens(b.ctx, true, old))
			b.ok(b.CreateAccountTokens(b.ctx, true, t))
			if lives(b, old, b.now) {
				b.Error("an earlier one lives")
			}
			b.ok(b.UseAccountToken(b.ctx, storage.AccountTokenUse{Hash: t.Hash, Purpose: "email", Now: b.now, Email: "ada@new.example"}, nil))
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if got.Email != "ada@new.example" || !got.EmailVerified || got.AuthEpoch != u.AuthEpoch || !got.UpdatedAt.Equal(kept(b.now)) {
				b.Errorf("the user is %+v", got)
			}
		},
		"a user is created, and a name that is taken leaves the token": func(b *bundle) {
			b.user("ada")
			t := b.accountToken(nil)
			t.Purpose = "sign-up"
			b.ok(b.CreateAccountTokens(b.ctx, false, t))
			use := func(u *storage.User) error {
				return b.UseAccountToken(b.ctx, storage.AccountTokenUse{Hash: t.Hash, Purpose: t.Purpose, Now: b.now, User: u}, nil)
			}
			b.is(use(&storage.User{Username: "ada", CreatedAt: kept(b.now)}), storage.ErrExists)
			eve := &storage.User{Username: "eve", Email: "eve@example.com", PasswordHash: "hash", Active: true, CreatedAt: kept(b.now)}
			eve.EmailVerified = true
			b.ok(use(eve))
			got, err := b.UserByUsername(b.ctx, "eve")
			b.ok(err)
			if eve.ID < storage.DrawnUserIDs || got.ID != eve.ID || !got.EmailVerified || got.AuthEpoch != eve.AuthEpoch || got.AuthEpoch == 0 {
				b.Errorf("the user is %+v", got)
			}
			b.is(use(&storage.User{Username: "eva", CreatedAt: kept(b.now)}), storage.ErrNotFound)
			b.is(second(b.UserByUsername(b.ctx, "eva")), storage.ErrNotFound)
		},
		"of parallel callers one uses a token": func(b *bundle) {
			u := b.user("ada")
			for range rounds {
				u, err := b.User(b.ctx, u.ID)
				b.ok(err)
				link, code := b.accountToken(u), b.accountToken(u)
				code.RequestID = link.RequestID
				b.ok(b.CreateAccountTokens(b.ctx, false, link, code))
				b.oneWins(atOnce(16, func(i int) error {
					if i%2 == 0 {
						return reset(b, link, "new")
					}
					return reset(b, code, "new")
				}), storage.ErrNotFound)
			}
		},
	}
}
