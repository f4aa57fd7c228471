package storagetest

import (
	"encoding/json"
	"fmt"
	"time"

	"latchkey/storage"
)

func clients() cases {
	return cases{
		"a client comes back as stored": func(b *bundle) {
			c := &storage.Client{
				ID:        "app",
				Metadata:  json.RawMessage(`{"client_name":"Äpp \"1\"","redirect_uris":["https://app.example/cb"],"n":12345678901234567}`),
				SecretMAC: b.digest(), PreviousSecretMAC: b.digest(), PreviousSecretExpiresAt: b.now.Add(time.Hour),
				Disabled: true, CreatedAt: b.now, UpdatedAt: b.now.Add(time.Minute),
			}
			b.ok(b.CreateClient(b.ctx, c, b.event("client_added")))
			if c.AuthEpoch != b.now.UnixMicro() || c.Version != 1 {
				b.Errorf("epoch %d, version %d", c.AuthEpoch, c.Version)
			}
			c.PreviousSecretExpiresAt, c.CreatedAt, c.UpdatedAt = kept(c.PreviousSecretExpiresAt), kept(c.CreatedAt), kept(c.UpdatedAt)
			got, err := b.Client(b.ctx, "app")
			b.ok(err)
			b.same(got, c)
			b.audited("client_added", 1)
		},
		"a public client has no secrets": func(b *bundle) {
			b.client("app")
			got, err := b.Client(b.ctx, "app")
			b.ok(err)
			if !got.SecretMAC.IsZero() || !got.PreviousSecretMAC.IsZero() || !got.PreviousSecretExpiresAt.IsZero() || got.Disabled {
				b.Errorf("got %+v", got)
			}
		},
		"of parallel creations with one ID exactly one succeeds": func(b *bundle) {
			winner := b.oneWins(atOnce(16, func(i int) error {
				c := newClient("app", b.now)
				c.Metadata = json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))
				return b.CreateClient(b.ctx, c, b.event("client_added"))
			}), storage.ErrExists)
			got, err := b.Client(b.ctx, "app")
			b.ok(err)
			b.same(got.Metadata, json.RawMessage(fmt.Sprintf(`{"n":%d}`, winner)))
			b.audited("client_added", 1)
		},
		"an update replaces the row and raises the version": func(b *bundle) {
			c := b.client("app")
			c.Metadata, c.SecretMAC, c.Disabled = json.RawMessage(`{"client_name":"new"}`), b.digest(), true
			c.PreviousSecretMAC, c.PreviousSecretExpiresAt = b.digest(), b.now.Add(time.Hour)
			c.UpdatedAt = b.now.Add(time.Minute)
			b.ok(b.UpdateClient(b.ctx, c, b.event("client_updated")))
			if c.Version != 2 {
				b.Errorf("version %d", c.Version)
			}
			c.PreviousSecretExpiresAt, c.CreatedAt, c.UpdatedAt = kept(c.PreviousSecretExpiresAt), kept(c.CreatedAt), kept(c.UpdatedAt)
			got, err := b.Client(b.ctx, "app")
			b.ok(err)
			b.same(got, c)
			c.SecretMAC, c.PreviousSecretMAC, c.PreviousSecretExpiresAt = storage.Digest{}, storage.Digest{}, time.Time{}
			b.ok(b.UpdateClient(b.ctx, c, b.event("client_updated")))
			got, err = b.Client(b.ctx, "app")
			b.ok(err)
			b.same(got, c)
			b.audited("client_updated", 2)
		},
		"an update of another version is a conflict and changes nothing": func(b *bundle) {
			c := b.client("app")
			stale := *c
			b.ok(b.UpdateClient(b.ctx, c, nil))
			stale.Metadata, stale.Disabled = json.RawMessage(`{"client_name":"stale"}`), true
			b.is(b.UpdateClient(b.ctx, &stale, b.event("client_updated")), storage.ErrConflict)
			if stale.Version != 1 {
				b.Errorf("the refused version became %d", stale.Version)
			}
			got, err := b.Client(b.ctx, "app")
			b.ok(err)
			if got.Disabled || got.Version != 2 {
				b.Errorf("got %+v", got)
			}
			b.same(got.Metadata, json.RawMessage(`{}`))
			b.audited("client_updated", 0)
		},
		"of parallel updates of one version exactly one succeeds": func(b *bundle) {
			c := b.client("app")
			b.oneWins(atOnce(16, func(int) error {
				mine := *c
				return b.UpdateClient(b.ctx, &mine, b.event("client_updated"))
			}), storage.ErrConflict)
			b.audited("client_updated", 1)
		},
		"an update never lowers the epoch": func(b *bundle) {
			c := b.client("app")
			b.ok(b.RaiseClientEpoch(b.ctx, "app", b.now.Add(time.Hour), nil))
			raised := b.now.Add(time.Hour).UnixMicro()
			b.ok(b.UpdateClient(b.ctx, c, nil))
			got, err := b.Client(b.ctx, "app")
			b.ok(err)
			if got.AuthEpoch != raised || c.AuthEpoch != raised {
				b.Errorf("epoch %d, stored %d, want %d", c.AuthEpoch, got.AuthEpoch, raised)
			}
			c.AuthEpoch = raised + 5
			b.ok(b.UpdateClient(b.ctx, c, nil))
			got, err = b.Client(b.ctx, "app")
			b.ok(err)
			if got.AuthEpoch != raised+5 {
				b.Errorf("stored epoch %d, want %d", got.AuthEpoch, raised+5)
			}
		},
		"raising an epoch concerns the one client": func(b *bundle) {
			one, two := b.client("one"), b.client("two")
			b.ok(b.RaiseClientEpoch(b.ctx, "one", b.now.Add(-time.Hour), b.event("raised")))
			b.epochs(map[string]int64{"one": one.AuthEpoch + 1, "two": two.AuthEpoch})
			b.ok(b.RaiseClientEpoch(b.ctx, "one", b.now.Add(time.Hour), b.event("raised")))
			b.epochs(map[string]int64{"one": b.now.Add(time.Hour).UnixMicro(), "two": two.AuthEpoch})
			b.audited("raised", 2)
		},
		"raising the epoch of every client concerns all": func(b *bundle) {
			b.ok(b.RaiseClientEpoch(b.ctx, "", b.now, nil))
			b.client("one")
			b.client("two")
			later := b.now.Add(time.Hour)
			b.ok(b.RaiseClientEpoch(b.ctx, "", later, b.event("raised")))
			b.epochs(map[string]int64{"one": later.UnixMicro(), "two": later.UnixMicro()})
			b.audited("raised", 1)
		},
		"the origins of the redirect URIs of enabled clients are known": func(b *bundle) {
			c := newClient("web", b.now)
			c.Metadata = json.RawMessage(`{"redirect_uris":["https://Spa.Example/cb","https://spa.example?x","https://port.example:8443",
				"https://default.example:443/cb","https://[2001:db8::1]/cb","http://127.0.0.1/cb","http://[::1]:1/cb","com.example.app:/cb"]}`)
			b.ok(b.CreateClient(b.ctx, c, nil))
			b.client("none")
			b.origins(map[string]bool{
				"https://spa.example": true, "https://port.example:8443": true, "https://default.example": true, "https://[2001:db8::1]": true,
				"http://127.0.0.1:*": true, "http://[::1]:*": true, "http://localhost:*": false, "https://spa": false, "https://spa.example.evil": false,
				"https://port.example": false, "https://spa.example:443": false, "http://spa.example": false, "com.example.app:": false, "": false,
			})
			c.Metadata = json.RawMessage(`{"redirect_uris":["https://new.example/cb"]}`)
			b.ok(b.UpdateClient(b.ctx, c, nil))
			b.origins(map[string]bool{"https://spa.example": false, "https://new.example": true})
			other := newClient("other", b.now)
			other.Metadata = c.Metadata
			b.ok(b.CreateClient(b.ctx, other, nil))
			c.Disabled = true
			b.ok(b.UpdateClient(b.ctx, c, nil))
			b.origins(map[string]bool{"https://new.example": true})
			b.ok(b.RemoveClient(b.ctx, "other", nil))
			b.origins(map[string]bool{"https://new.example": false})
		},
		"clients are listed page by page in byte order": func(b *bundle) {
			for _, id := range []string{"b", "a", "Z", "ä", "aa", "a-", "_"} {
				b.client(id)
			}
			var ids []string
			for after := ""; ; after = ids[len(ids)-1] {
				page, err := b.ListClients(b.ctx, after, 3)
				b.ok(err)
				for _, c := range page {
					ids = append(ids, c.ID)
				}
				if len(page) > 3 {
					b.Fatalf("a page of %d", len(page))
				}
				if len(page) < 3 {
					break
				}
			}
			b.same(ids, []string{"Z", "_", "a", "a-", "aa", "b", "ä"})
		},
		"what is not there is not found, and nothing is noted": func(b *bundle) {
			c := b.client("app")
			b.ok(b.RemoveClient(b.ctx, "app", b.event("removed")))
			_, err := b.Client(b.ctx, "app")
			b.is(err, storage.ErrNotFound)
			b.is(b.UpdateClient(b.ctx, c, b.event("nothing")), storage.ErrNotFound)
			b.is(b.RaiseClientEpoch(b.ctx, "app", b.now, b.event("nothing")), storage.ErrNotFound)
			b.is(b.RemoveClient(b.ctx, "app", b.event("nothing")), storage.ErrNotFound)
			b.audited("removed", 1)
			b.audited("nothing", 0)
		},
	}
}

// epochs stops the case unless the clients have these epochs.
func (b *bundle) epochs(want map[string]int64) {
	b.Helper()
	got := map[string]int64{}
	for id := range want {
		c, err := b.Client(b.ctx, id)
		b.ok(err)
		got[id] = c.AuthEpoch
	}
	b.same(got, want)
}

// origins stops the case unless just these origins are known.
func (b *bundle) origins(want map[string]bool) {
	b.Helper()
	got := map[string]bool{}
	for origin := range want {
		known, err := b.ClientHasOrigin(b.ctx, origin)
		b.ok(err)
		got[origin] = known
	}
	b.same(got, want)
}
