package storagetest

import (
	"encoding/json"
	"time"

	"latchkey/storage"
)

// undelivered makes a letter that was abandoned, about a user if there is one.
func (b *bundle) undelivered(u *storage.User) *storage.UndeliveredLetter {
	now := kept(b.now)
	l := &storage.UndeliveredLetter{
		ID: storage.NewID(now), Name: "reset", RequestID: storage.NewID(now), Recipient: "ada@example.com", Lang: "de", Details: json.RawMessage(`{"by_operator":true}`), QueuedAt: now.Add(-time.Hour), Attempts: 3,
		Refused: true, LastError: "550 5.1.1", AbandonedAt: now, ExpiresAt: now.Add(30 * 24 * time.Hour),
	}
	if u != nil {
		l.UserID = u.ID
	}
	return l
}

// abandon stores a message and abandons it.
func (b *bundle) abandon(l *storage.UndeliveredLetter) *storage.OutboxMessage {
	b.Helper()
	m := b.mail()
	b.ok(b.CreateOutboxMessages(b.ctx, m))
	b.ok(b.AbandonLetter(b.ctx, m.ID, l))
	return m
}

// lost stops the case unless these letters, and no others, match the filter.
func (b *bundle) lost(f storage.UndeliveredLetterFilter, want ...*storage.UndeliveredLetter) {
	b.Helper()
	got, err := b.ListUndeliveredLetters(b.ctx, f)
	b.ok(err)
	b.same(got, want)
}

func undeliveredLetters() cases {
	type filter = storage.UndeliveredLetterFilter
	return cases{
		"a letter that is abandoned is kept, and its message is emptied and never sent": func(b *bundle) {
			l := b.undelivered(b.user("ada"))
			m := b.abandon(l)
			got, err := b.UndeliveredLetter(b.ctx, l.ID)
			b.ok(err)
			b.same(got, l)
			n, _, err := b.WaitingOutboxMessages(b.ctx, "mail")
			b.ok(err)
			if n != 0 {
				b.Errorf("%d wait", n)
			}
			b.same(b.claimMail(m.GiveUpAt, 10), []storage.ID(nil))
			b.ok(b.RetryOutboxMessage(b.ctx, m.ID, b.now))
			b.same(b.claimMail(m.GiveUpAt, 10), []storage.ID(nil))
		},
		"a letter without a user, a request and a name is kept too": func(b *bundle) {
			l := &storage.UndeliveredLetter{ID: storage.NewID(b.now), QueuedAt: kept(b.now), AbandonedAt: kept(b.now), ExpiresAt: kept(b.now)}
			b.abandon(l)
			b.lost(filter{}, l)
			_, err := b.UndeliveredLetter(b.ctx, storage.ID{})
			b.is(err, storage.ErrNotFound)
		},
		"one that was sent, abandoned already or never stored is not abandoned": func(b *bundle) {
			sent := b.mail()
			b.ok(b.CreateOutboxMessages(b.ctx, sent))
			b.ok(b.FinishOutboxMessage(b.ctx, sent.ID))
			b.ok(b.AbandonLetter(b.ctx, sent.ID, b.undelivered(nil)))
			b.ok(b.AbandonLetter(b.ctx, storage.NewID(b.now), b.undelivered(nil)))
			b.lost(filter{})
			l := b.undelivered(nil)
			m := b.abandon(l)
			for _, err := range atOnce(4, func(int) error { return b.AbandonLetter(b.ctx, m.ID, b.undelivered(nil)) }) {
				b.ok(err)
			}
			b.lost(filter{}, l)
		},
		"letters are listed newest first, part by part, and by their user": func(b *bundle) {
			ada, bob := b.user("ada"), b.user("bob")
			var list []*storage.UndeliveredLetter
			for i := range 5 {
				b.now = b.now.Add(time.Second)
				l := b.undelivered([]*storage.User{ada, bob}[i%2])
				b.abandon(l)
				list = append([]*storage.UndeliveredLetter{l}, list...)
			}
			b.lost(filter{}, list...)
			b.lost(filter{Limit: 2}, list[:2]...)
			b.lost(filter{Before: list[1].ID, Limit: 2}, list[2:4]...)
			b.lost(filter{UserID: bob.ID}, list[1], list[3])
			b.lost(filter{UserID: bob.ID, Before: list[1].ID}, list[3])
		},
		"a letter is removed once, with its event": func(b *bundle) {
			l, other := b.undelivered(nil), b.undelivered(nil)
			b.abandon(l)
			b.abandon(other)
			b.oneWins(atOnce(4, func(int) error { return b.RemoveUndeliveredLetter(b.ctx, l.ID, b.event("dismissed")) }), storage.ErrNotFound)
			b.audited("dismissed", 1)
			b.is(b.RemoveUndeliveredLetter(b.ctx, storage.ID{}, b.event("dismissed")), storage.ErrNotFound)
			b.lost(filter{}, other)
		},
		"the letters of a user go with the user, and later ones are only emptied": func(b *bundle) {
			u := b.user("ada")
			l, other := b.undelivered(u), b.undelivered(nil)
			b.abandon(l)
			b.abandon(other)
			b.ok(b.RemoveUser(b.ctx, u.ID, nil))
			b.lost(filter{}, other)
			m := b.abandon(b.undelivered(u))
			b.lost(filter{}, other)
			b.same(b.claimMail(m.GiveUpAt, 10), []storage.ID(nil))
		},
		"letters are counted from a time on, up to a limit": func(b *bundle) {
			count := func(since time.Time, limit, want int) {
				b.Helper()
				n, err := b.CountUndeliveredLetters(b.ctx, since, limit)
				b.ok(err)
				if n != want {
					b.Errorf("%d since %s up to %d, want %d", n, since, limit, want)
				}
			}
			count(time.Time{}, 10, 0)
			for range 3 {
				b.abandon(b.undelivered(nil))
				b.now = b.now.Add(time.Hour)
			}
			count(time.Time{}, 10, 3)
			count(time.Time{}, 2, 2)
			count(time.Time{}, 0, 0)
			count(b.now.Add(-2*time.Hour), 10, 2)
			count(b.now, 10, 0)
		},
	}
}
