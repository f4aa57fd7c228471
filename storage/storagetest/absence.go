package storagetest

import (
	"time"

	"latchkey/storage"
)

// absences are about users whose accounts were in another database.
func absences() cases {
	presence := func(b *bundle) map[string]storage.Presence {
		list, err := b.ListPresence(b.ctx, 0, 100)
		b.ok(err)
		all := map[string]storage.Presence{}
		for _, p := range list {
			all[p.Sub()] = *p
		}
		return all
	}
	enter := func(b *bundle, subject string) *storage.User {
		u, err := b.EnterUser(b.ctx, storage.UserEntry{Subject: subject, PasswordHash: "one", Now: b.now})
		b.ok(err)
		return u
	}
	return cases{
		"a user is absent since the first time, and until they enter or are seen": func(b *bundle) {
			first, second := kept(b.now), kept(b.now.Add(time.Hour))
			for i, back := range []func(u *storage.User){
				func(u *storage.User) { enter(b, u.Subject) },
				func(u *storage.User) { b.ok(b.NotePresence(b.ctx, []int64{u.ID}, nil, second)) },
			} {
				u := enter(b, []string{"ada", "bob"}[i])
				b.same(presence(b)[u.Subject], storage.Presence{ID: u.ID, Subject: u.Subject, Seen: true})
				for _, now := range []time.Time{first, second} {
					b.ok(b.NotePresence(b.ctx, nil, []int64{u.ID}, now))
				}
				b.same(presence(b)[u.Subject].AbsentSince, first)
				back(u)
				b.same(presence(b)[u.Subject], storage.Presence{ID: u.ID, Subject: u.Subject, Seen: true})
				b.is(b.RemoveAbsentUser(b.ctx, u.ID, first, b.event("user_removed")), storage.ErrNotFound)
			}
			b.audited("user_removed", 0)
		},
		"who never had an account is not absent": func(b *bundle) {
			u := b.user("own")
			b.ok(b.NotePresence(b.ctx, nil, []int64{u.ID}, b.now))
			b.same(presence(b)[u.Sub()], storage.Presence{ID: u.ID})
			b.ok(b.NotePresence(b.ctx, []int64{u.ID}, nil, b.now))
			b.ok(b.NotePresence(b.ctx, nil, []int64{u.ID}, b.now))
			b.same(presence(b)[u.Sub()].AbsentSince, kept(b.now))
			absent, seen, err := b.CountAbsent(b.ctx)
			b.ok(err)
			b.same([]int{absent, seen}, []int{1, 1})
		},
		"an absent user is removed with all that is kept of them": func(b *bundle) {
			c, u, other := b.client("app"), enter(b, "ada"), enter(b, "bob")
			for _, user := range []*storage.User{u, other} {
				g := newGrant(storage.NewID(b.now), user, c, b.now)
				g.Address, g.UserAgent = "192.0.2.1", "Browser"
				b.ok(b.CreateGrant(b.ctx, g, nil))
			}
			b.ok(b.NotePresence(b.ctx, []int64{other.ID}, []int64{u.ID}, b.now))
			since := presence(b)["ada"].AbsentSince
			remove := func(since time.Time) error {
				note := &storage.LogoutNotice{ID: storage.NewID(b.now), ClientID: c.ID, UserID: u.ID, CreatedAt: b.now, NextAttemptAt: b.now, ExpiresAt: b.now.Add(time.Hour)}
				return b.RemoveAbsentUser(b.ctx, u.ID, since, b.event("user_removed"), note)
			}
			b.is(remove(since.Add(time.Second)), storage.ErrNotFound)
			b.oneWins(atOnce(4, func(int) error { return remove(since) }), storage.ErrNotFound)
			b.audited("user_removed", 1)
			notices, err := b.ClaimLogoutNotices(b.ctx, b.now, time.Minute, 10)
			b.ok(err)
			b.same(len(notices), 1)
			_, err = b.UserBySubject(b.ctx, "ada")
			b.is(err, storage.ErrNotFound)
			list, err := b.Store.ListGrants(b.ctx, storage.GrantFilter{UserID: u.ID, Limit: 10})
			b.ok(err)
			for _, g := range list {
				b.same([]string{g.Address, g.UserAgent}, []string{"", ""})
			}
			list, err = b.Store.ListGrants(b.ctx, storage.GrantFilter{UserID: other.ID, Limit: 10})
			b.ok(err)
			b.same([]any{len(list), list[0].UserAgent}, []any{1, "Browser"})
		},
	}
}
