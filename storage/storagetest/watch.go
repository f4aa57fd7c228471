package storagetest

import (
	"context"
	"errors"
	"time"

	"latchkey/storage"
)

// promised is how soon Watch tells: within a second, and the machine may be busy with other tests.
const promised = time.Minute

func watch() cases {
	return cases{
		"a watch begins with everything and ends with its context": func(b *bundle) {
			ctx, cancel := context.WithCancel(b.ctx)
			seen, end := b.watching(ctx, b.Store)
			if got := b.seen(seen); got.Kind != storage.ChangeAll {
				b.Errorf("began with %v", got)
			}
			cancel()
			if err := <-end; !errors.Is(err, context.Canceled) {
				b.Errorf("ended with %v", err)
			}
		},
		"each change by another process is told": func(b *bundle) {
			seen, _ := b.watching(b.ctx, b.opener.OpenAgain(b, b.Store))
			b.seen(seen)
			c, key := newClient("app", b.now), newKey("ES256", 1, b.now)
			hook := &storage.Webhook{ID: storage.NewID(b.now), Secret: []byte{1}, CreatedAt: b.now, UpdatedAt: b.now, Cursor: storage.NewID(b.now)}
			for _, change := range []struct {
				what string
				kind storage.ChangeKind
				do   func() error
			}{
				{"create client", storage.ChangeClient, func() error { return b.CreateClient(b.ctx, c, nil) }},
				{"update client", storage.ChangeClient, func() error { return b.UpdateClient(b.ctx, c, nil) }},
				{"raise client epoch", storage.ChangeClient, func() error { return b.RaiseClientEpoch(b.ctx, "app", b.now, nil) }},
				{"raise all epochs", storage.ChangeClient, func() error { return b.RaiseClientEpoch(b.ctx, "", b.now, nil) }},
				{"remove client", storage.ChangeClient, func() error { return b.RemoveClient(b.ctx, "app", nil) }},
				{"create key", storage.ChangeSigningKeys, func() error {
					return b.CreateSigningKey(b.ctx, key, time.Time{}, time.Time{}, nil)
				}},
				{"retire key", storage.ChangeSigningKeys, func() error { return b.RetireSigningKey(b.ctx, key.KID, b.now, b.now, nil) }},
				{"remove keys", storage.ChangeSigningKeys, func() error {
					_, err := b.RemoveSigningKeys(b.ctx, b.now)
					return err
				}},
				{"create resource", storage.ChangeResources, func() error {
					return b.CreateResource(b.ctx, &storage.Resource{Identifier: "urn:a", CreatedAt: b.now}, nil)
				}},
				{"create webhook", storage.ChangeWebhooks, func() error { return b.CreateWebhook(b.ctx, hook, 1, nil) }},
				{"update webhook", storage.ChangeWebhooks, func() error { return b.UpdateWebhook(b.ctx, hook, nil) }},
				{"remove webhook", storage.ChangeWebhooks, func() error { return b.RemoveWebhook(b.ctx, hook.ID, nil) }},
				{"remove resource", storage.ChangeResources, func() error { return b.RemoveResource(b.ctx, "urn:a", nil) }},
			} {
				b.ok(change.do())
				if got := b.seen(seen); got.Kind != change.kind {
					b.Errorf("%s was told as %q", change.what, got.Kind)
				}
			}
		},
		"what servers don't keep is not told": func(b *bundle) {
			seen, _ := b.watching(b.ctx, b.opener.OpenAgain(b, b.Store))
			b.seen(seen)
			c := b.client("app")
			b.seen(seen)
			u := b.user("ada")
			g := b.grant(u, c)
			_, err := b.touch(g.ID, g.Current, time.Second)
			b.ok(err)
			b.is(b.CreateClient(b.ctx, newClient("app", b.now), nil), storage.ErrExists)
			b.ok(b.RevokeToken(b.ctx, "jti", b.now, nil))
			b.ok(b.CreateResource(b.ctx, &storage.Resource{Identifier: "urn:a", CreatedAt: b.now}, nil))
			if got := b.seen(seen); got.Kind != storage.ChangeResources {
				b.Errorf("told was %q", got.Kind)
			}
		},
	}
}

// watching watches a store until the case ends.
func (b *bundle) watching(ctx context.Context, s storage.Store) (seen <-chan storage.Change, end <-chan error) {
	changes, ended := make(chan storage.Change, 100), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	b.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		ended <- s.Watch(ctx, func(c storage.Change) { changes <- c })
	}()
	return changes, ended
}

// seen waits for the next change.
func (b *bundle) seen(changes <-chan storage.Change) storage.Change {
	b.Helper()
	select {
	case c := <-changes:
		return c
	case <-time.After(promised):
		b.Fatal("nothing was told in time")
		panic("unreachable")
	}
}
