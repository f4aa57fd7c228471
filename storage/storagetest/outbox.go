package storagetest

import (
	"time"

	"latchkey/storage"
)

// mail makes a message that is due.
func (b *bundle) mail() *storage.OutboxMessage {
	now := kept(b.now)
	return &storage.OutboxMessage{
		ID: storage.NewID(now), Kind: "mail", Key: b.digest(), Payload: []byte{0, 1, 0xff}, CreatedAt: now, NextAttemptAt: now,
		GiveUpAt: now.Add(24 * time.Hour), ExpiresAt: now.Add(48 * time.Hour),
	}
}

// claimMail claims messages for a minute.
func (b *bundle) claimMail(at time.Time, limit int) []storage.ID {
	b.Helper()
	list, err := b.ClaimOutboxMessages(b.ctx, "mail", at, time.Minute, limit)
	b.ok(err)
	return idsOf(list, func(m *storage.OutboxMessage) storage.ID { return m.ID })
}

// credentialChanges returns what changes the credentials of the user with an ID and stores a message with it. Factors are made for u.
func (b *bundle) credentialChanges() []func(u *storage.User, id int64, m *storage.OutboxMessage) error {
	hash := "hash"
	return []func(u *storage.User, id int64, m *storage.OutboxMessage) error{
		func(_ *storage.User, id int64, m *storage.OutboxMessage) error {
			return b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: id, Hash: hash, Now: b.now, Messages: []*storage.OutboxMessage{m}}, nil)
		},
		func(_ *storage.User, id int64, m *storage.OutboxMessage) error {
			return b.ChangeProvisionedUser(b.ctx, id, storage.ProvisionedChange{PasswordHash: &hash, Messages: []*storage.OutboxMessage{m}, Now: b.now})
		},
		func(u *storage.User, id int64, m *storage.OutboxMessage) error {
			n := storage.NewFactors{UserID: id, Factors: []*storage.Factor{b.newFactor(u, storage.FactorTOTP)}, Limit: 1, Messages: []*storage.OutboxMessage{m}}
			if id != u.ID {
				n.UserID, n.Limit = u.ID, 0
			}
			return b.CreateFactors(b.ctx, n, nil)
		},
		func(u *storage.User, id int64, m *storage.OutboxMessage) error {
			b.factor(u, storage.FactorTOTP)
			return b.RemoveFactors(b.ctx, storage.FactorRemoval{UserID: id, Messages: []*storage.OutboxMessage{m}, Now: b.now}, nil)
		},
	}
}

func outbox() cases {
	return cases{
		"a claimed message comes back with its lease, and others of another kind never": func(b *bundle) {
			m, other := b.mail(), b.mail()
			other.Kind = "webhook"
			b.ok(b.CreateOutboxMessages(b.ctx))
			b.ok(b.CreateOutboxMessages(b.ctx, m, other))
			got, err := b.ClaimOutboxMessages(b.ctx, "mail", b.now, time.Minute, 10)
			b.ok(err)
			m.Attempts, m.NextAttemptAt = 1, kept(b.now.Add(time.Minute))
			b.same(got, []*storage.OutboxMessage{m})
			b.same(b.claimMail(m.NextAttemptAt.Add(-time.Microsecond), 10), []storage.ID(nil))
			b.same(b.claimMail(m.NextAttemptAt, 10), []storage.ID{m.ID})
		},
		"messages are stored with a change of credentials, or not at all": func(b *bundle) {
			for _, change := range b.credentialChanges() {
				u, m := b.user("ada "+storage.NewID(b.now).String()), b.mail()
				if change(u, 4711, m) == nil {
					b.Error("the user does not exist")
				}
				b.same(b.claimMail(b.now, 10), []storage.ID(nil))
				b.ok(change(u, u.ID, m))
				b.same(b.claimMail(b.now, 10), []storage.ID{m.ID})
				b.ok(b.FinishOutboxMessage(b.ctx, m.ID))
			}
		},
		"those are claimed that are due, those to be given up too, the oldest first": func(b *bundle) {
			var want []storage.ID
			for _, due := range []time.Duration{3, 1, 2, -1} {
				m := b.mail()
				m.NextAttemptAt = m.NextAttemptAt.Add(-due * time.Minute)
				b.ok(b.CreateOutboxMessages(b.ctx, m))
				want = append(want, m.ID)
			}
			over := b.mail()
			over.GiveUpAt = kept(b.now)
			b.ok(b.CreateOutboxMessages(b.ctx, over))
			b.same(b.claimMail(b.now, 2), []storage.ID{want[0], want[2]})
			b.same(b.claimMail(b.now, 0), []storage.ID(nil))
			b.same(b.claimMail(b.now, 10), []storage.ID{want[1], over.ID})
		},
		"under one key one message is sent, also after it was": func(b *bundle) {
			m, again, other := b.mail(), b.mail(), b.mail()
			again.Key = m.Key
			m.NextAttemptAt = m.NextAttemptAt.Add(-time.Second) // the first of the two
			b.ok(b.CreateOutboxMessages(b.ctx, m, again, other))
			b.ok(b.CreateOutboxMessages(b.ctx, again))
			b.same(b.claimMail(b.now, 10), []storage.ID{m.ID, other.ID})
			b.ok(b.FinishOutboxMessage(b.ctx, m.ID))
			b.ok(b.CreateOutboxMessages(b.ctx, again))
			b.same(b.claimMail(b.now, 10), []storage.ID(nil))
			_, err := b.Maintain(b.ctx, m.ExpiresAt, 10)
			b.ok(err)
			b.ok(b.CreateOutboxMessages(b.ctx, again))
			b.same(b.claimMail(b.now, 10), []storage.ID{again.ID})
		},
		"a message can be put off and be done with, and then leads to others": func(b *bundle) {
			m, done, next := b.mail(), b.mail(), b.mail()
			b.ok(b.CreateOutboxMessages(b.ctx, m, done))
			b.claimMail(b.now, 10)
			later := b.now.Add(time.Hour)
			b.ok(b.RetryOutboxMessage(b.ctx, m.ID, later))
			b.ok(b.FinishOutboxMessage(b.ctx, done.ID, next))
			b.same(b.claimMail(later.Add(-time.Second), 10), []storage.ID{next.ID})
			b.ok(b.FinishOutboxMessage(b.ctx, next.ID))
			b.same(b.claimMail(later, 10), []storage.ID{m.ID})
			b.ok(b.RetryOutboxMessage(b.ctx, done.ID, later))
			b.same(b.claimMail(later, 10), []storage.ID(nil))
			b.ok(b.FinishOutboxMessage(b.ctx, storage.NewID(b.now)))
		},
		"waiting messages are counted": func(b *bundle) {
			n, since, err := b.WaitingOutboxMessages(b.ctx, "mail")
			b.ok(err)
			if n != 0 || !since.IsZero() {
				b.Errorf("%d since %s in an empty outbox", n, since)
			}
			m, later := b.mail(), b.mail()
			later.CreatedAt = later.CreatedAt.Add(time.Minute)
			b.ok(b.CreateOutboxMessages(b.ctx, later, m))
			b.claimMail(b.now, 1)
			n, since, err = b.WaitingOutboxMessages(b.ctx, "mail")
			b.ok(err)
			if n != 2 || !since.Equal(m.CreatedAt) {
				b.Errorf("%d since %s", n, since)
			}
			b.ok(b.FinishOutboxMessage(b.ctx, m.ID))
			n, since, err = b.WaitingOutboxMessages(b.ctx, "mail")
			b.ok(err)
			if n != 1 || !since.Equal(later.CreatedAt) {
				b.Errorf("%d since %s", n, since)
			}
		},
		"parallel callers share the messages": func(b *bundle) {
			var all []*storage.OutboxMessage
			var want []storage.ID
			for range 40 {
				m := b.mail()
				all, want = append(all, m), append(want, m.ID)
			}
			b.ok(b.CreateOutboxMessages(b.ctx, all...))
			b.shared(want, func() ([]storage.ID, error) {
				list, err := b.ClaimOutboxMessages(b.ctx, "mail", b.now, time.Minute, 3)
				return idsOf(list, func(m *storage.OutboxMessage) storage.ID { return m.ID }), err
			})
		},
	}
}
