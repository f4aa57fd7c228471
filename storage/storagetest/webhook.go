package storagetest

import (
	"time"

	"latchkey/storage"
)

// webhook makes a target.
func (b *bundle) webhook() *storage.Webhook {
	b.Helper()
	now := kept(b.now)
	w := &storage.Webhook{
		ID: storage.NewID(now), URL: "https://example.com/hook?a=ä", Name: "SIEM", Types: []string{"login", "user.changed"}, Secret: []byte{0, 1, 0xff},
		CreatedAt: now, UpdatedAt: now, Cursor: storage.FirstID(now),
	}
	b.ok(b.CreateWebhook(b.ctx, w, 10, b.event("webhook_created")))
	return w
}

// hooks are the targets that are stored.
func (b *bundle) hooks() []*storage.Webhook {
	b.Helper()
	list, err := b.ListWebhooks(b.ctx)
	b.ok(err)
	return list
}

// delivery makes a message for a target.
func (b *bundle) delivery(w *storage.Webhook) *storage.OutboxMessage {
	m := b.mail()
	m.Kind = w.Kind()
	return m
}

func webhooks() cases {
	return cases{
		"a target comes back as stored, and changes with its version": func(b *bundle) {
			w := b.webhook()
			b.audited("webhook_created", 1)
			b.same(b.hooks(), []*storage.Webhook{w})
			old := *w
			w.URL, w.Name, w.Types = "https://example.org/", "", nil
			w.PreviousSecret, w.Secret, w.PreviousSecretExpiresAt = w.Secret, []byte{2}, w.CreatedAt.Add(time.Hour)
			w.DisabledAt, w.DisabledReason, w.UpdatedAt = w.CreatedAt.Add(time.Minute), "gone", w.CreatedAt.Add(time.Minute)
			w.Cursor = storage.FirstID(b.now.Add(time.Second))
			b.ok(b.UpdateWebhook(b.ctx, w, b.event("webhook_updated")))
			if w.Version != 2 {
				b.Errorf("version %d", w.Version)
			}
			b.same(b.hooks(), []*storage.Webhook{w})
			b.is(b.UpdateWebhook(b.ctx, &old, b.event("webhook_updated")), storage.ErrConflict)
			b.audited("webhook_updated", 1)
			w.Cursor = old.Cursor
			b.ok(b.UpdateWebhook(b.ctx, w, nil))
			if got := b.hooks()[0].Cursor; got == old.Cursor {
				b.Errorf("the cursor went back to %s", got)
			}
		},
		"no more targets than there may be, however many are created at once": func(b *bundle) {
			created := 0
			for _, err := range atOnce(8, func(int) error {
				w := &storage.Webhook{ID: storage.NewID(b.now), Secret: []byte{1}, CreatedAt: b.now, UpdatedAt: b.now, Cursor: storage.FirstID(b.now)}
				return b.CreateWebhook(b.ctx, w, 3, nil)
			}) {
				if err == nil {
					created++
					continue
				}
				b.is(err, storage.ErrLimit)
			}
			if created != 3 || len(b.hooks()) != 3 {
				b.Errorf("%d were created, %d are there", created, len(b.hooks()))
			}
		},
		"a target is removed with the deliveries that wait for it": func(b *bundle) {
			w, other := b.webhook(), b.webhook()
			b.ok(b.CreateOutboxMessages(b.ctx, b.delivery(w), b.delivery(other)))
			b.ok(b.RemoveWebhook(b.ctx, w.ID, b.event("webhook_removed")))
			b.is(b.RemoveWebhook(b.ctx, w.ID, b.event("webhook_removed")), storage.ErrNotFound)
			b.audited("webhook_removed", 1)
			b.same(b.hooks(), []*storage.Webhook{other})
			for kind, want := range map[string]int{w.Kind(): 0, other.Kind(): 1} {
				if n, _, err := b.WaitingOutboxMessages(b.ctx, kind); err != nil || n != want {
					b.Errorf("%s: %d wait, want %d: %v", kind, n, want, err)
				}
			}
		},
		"one server at a time makes deliveries, each event's once": func(b *bundle) {
			w := b.webhook()
			first, second := storage.NewID(b.now), storage.NewID(b.now)
			m := b.delivery(w)
			relay := storage.WebhookRelay{
				ID: w.ID, Owner: first, Now: b.now, Until: kept(b.now.Add(time.Minute)), Cursor: storage.FirstID(b.now.Add(time.Second)),
				Messages: []*storage.OutboxMessage{m},
			}
			b.ok(b.RelayWebhook(b.ctx, relay))
			b.ok(b.RelayWebhook(b.ctx, relay))
			other := relay
			late := b.delivery(w)
			late.Key = m.Key
			other.Owner, other.Cursor, other.Messages = second, w.Cursor, []*storage.OutboxMessage{b.delivery(w), late}
			other.Now = relay.Until.Add(-time.Microsecond)
			b.is(b.RelayWebhook(b.ctx, other), storage.ErrConflict)
			if n, _, err := b.WaitingOutboxMessages(b.ctx, w.Kind()); err != nil || n != 1 {
				b.Errorf("%d wait, %v", n, err)
			}
			other.Now, other.Until = relay.Until, kept(relay.Until.Add(time.Minute))
			b.ok(b.RelayWebhook(b.ctx, other))
			b.is(b.RelayWebhook(b.ctx, relay), storage.ErrConflict)
			if n, _, err := b.WaitingOutboxMessages(b.ctx, w.Kind()); err != nil || n != 2 {
				b.Errorf("%d wait, %v", n, err)
			}
			w.Cursor, w.RelayOwner, w.RelayUntil = relay.Cursor, second, other.Until
			b.same(b.hooks(), []*storage.Webhook{w})
			w.DisabledAt = kept(b.now)
			b.ok(b.UpdateWebhook(b.ctx, w, nil))
			b.is(b.RelayWebhook(b.ctx, other), storage.ErrConflict)
			other.ID = storage.NewID(b.now)
			b.is(b.RelayWebhook(b.ctx, other), storage.ErrConflict)
		},
		"the state of a target follows its deliveries": func(b *bundle) {
			w := b.webhook()
			at := func(minutes int) time.Time { return kept(b.now.Add(time.Duration(minutes) * time.Minute)) }
			for _, step := range []struct {
				outcome storage.WebhookOutcome
				want    storage.WebhookState
			}{
				{storage.WebhookOutcome{At: at(1), Status: 204}, storage.WebhookState{LastAttemptAt: at(1), LastSuccessAt: at(1), LastStatus: 204}},
				{storage.WebhookOutcome{At: at(2), Error: "no answer"}, storage.WebhookState{LastAttemptAt: at(2), LastSuccessAt: at(1), LastError: "no answer", FailingSince: at(2)}},
				{storage.WebhookOutcome{At: at(3), Status: 500, Error: "status 500", Abandoned: 2}, storage.WebhookState{
					LastAttemptAt: at(3), LastSuccessAt: at(1), LastStatus: 500, LastError: "status 500", FailingSince: at(2), Abandoned: 2,
				}},
				{storage.WebhookOutcome{At: at(4), Status: 200}, storage.WebhookState{LastAttemptAt: at(4), LastSuccessAt: at(4), LastStatus: 200, Abandoned: 2}},
			} {
				step.outcome.ID = w.ID
				b.ok(b.NoteWebhook(b.ctx, step.outcome, b.event("noted")))
				w.WebhookState = step.want
				b.same(b.hooks(), []*storage.Webhook{w})
			}
			b.audited("noted", 4)
			b.ok(b.NoteWebhook(b.ctx, storage.WebhookOutcome{ID: storage.NewID(b.now), At: b.now}, b.event("noted")))
			b.audited("noted", 4)
		},
	}
}
