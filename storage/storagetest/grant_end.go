package storagetest

import (
	"time"

	"latchkey/storage"
)

// end is a way in which a grant ends.
type end func(b *bundle, g *storage.Grant)

// ends are all ways but the passing of time.
func ends() map[string]end {
	updated := func(b *bundle, id string, change func(*storage.Client)) {
		c, err := b.Client(b.ctx, id)
		b.ok(err)
		change(c)
		b.ok(b.UpdateClient(b.ctx, c, nil))
	}
	return map[string]end{
		"is revoked": func(b *bundle, g *storage.Grant) {
			ended, err := b.RevokeGrant(b.ctx, g.ID, "logout", b.now, nil)
			b.ok(err)
			if !ended {
				b.Fatal("it was not ended")
			}
		},
		"is revoked among others": func(b *bundle, g *storage.Grant) {
			_, err := b.RevokeGrants(b.ctx, storage.GrantFilter{UserID: g.UserID}, "logout", b.now, nil)
			b.ok(err)
		},
		"has a disabled user": func(b *bundle, g *storage.Grant) {
			b.ok(b.SetUserActive(b.ctx, g.UserID, false, b.now, nil))
		},
		"has a user who was disabled and enabled": func(b *bundle, g *storage.Grant) {
			b.ok(b.SetUserActive(b.ctx, g.UserID, false, b.now, nil))
			b.ok(b.SetUserActive(b.ctx, g.UserID, true, b.now, nil))
		},
		"has a user with a new password": func(b *bundle, g *storage.Grant) {
			b.ok(b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: g.UserID, Hash: "new hash", Now: b.now}, nil))
		},
		"has a user whose epoch was raised": func(b *bundle, g *storage.Grant) {
			b.ok(b.RaiseUserEpoch(b.ctx, g.UserID, b.now, nil))
		},
		"has a removed user": func(b *bundle, g *storage.Grant) {
			b.ok(b.RemoveUser(b.ctx, g.UserID, nil))
		},
		"has a user who was removed and made again with the same ID": func(b *bundle, g *storage.Grant) {
			b.ok(b.RemoveUser(b.ctx, g.UserID, nil))
			b.ok(b.CreateUser(b.ctx, &storage.User{ID: g.UserID, Username: "again", Active: true, CreatedAt: b.now.Add(time.Second)}))
		},
		"has a user who was made again by a clock that is behind": func(b *bundle, g *storage.Grant) {
			b.ok(b.RemoveUser(b.ctx, g.UserID, nil))
			b.ok(b.CreateUser(b.ctx, &storage.User{ID: g.UserID, Username: "again", Active: true, CreatedAt: start.Add(-time.Hour)}))
		},
		"has a client that was made again by a clock that is behind": func(b *bundle, g *storage.Grant) {
			b.ok(b.RemoveClient(b.ctx, g.ClientID, nil))
			b.ok(b.CreateClient(b.ctx, newClient(g.ClientID, start.Add(-time.Hour)), nil))
		},
		"has a disabled client": func(b *bundle, g *storage.Grant) {
			updated(b, g.ClientID, func(c *storage.Client) { c.Disabled = true })
		},
		"has a client whose epoch was raised": func(b *bundle, g *storage.Grant) {
			b.ok(b.RaiseClientEpoch(b.ctx, g.ClientID, b.now, nil))
		},
		"has a client whose epoch was raised by an update": func(b *bundle, g *storage.Grant) {
			updated(b, g.ClientID, func(c *storage.Client) { c.AuthEpoch++ })
		},
		"is one of all whose epochs were raised": func(b *bundle, _ *storage.Grant) {
			b.ok(b.RaiseClientEpoch(b.ctx, "", b.now, nil))
		},
		"has a removed client": func(b *bundle, g *storage.Grant) {
			b.ok(b.RemoveClient(b.ctx, g.ClientID, nil))
		},
		"has a client that was removed and made again with the same ID": func(b *bundle, g *storage.Grant) {
			b.ok(b.RemoveClient(b.ctx, g.ClientID, nil))
			b.ok(b.CreateClient(b.ctx, newClient(g.ClientID, b.now.Add(time.Second)), nil))
		},
	}
}

func grantsEnd() cases {
	all := cases{
		"a grant that is past its end can't be refreshed": func(b *bundle) {
			g := b.session()
			b.now = g.ExpiresAt.Add(-time.Microsecond)
			_, err := b.touch(g.ID, g.Current, time.Second)
			b.ok(err)
			b.now = g.ExpiresAt
			b.dead(g)
			b.now = g.ExpiresAt.Add(time.Hour)
			b.dead(g)
		},
		"a grant that began after its user was disabled can't be refreshed": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			b.ok(b.SetUserActive(b.ctx, u.ID, false, b.now, nil))
			u, err := b.User(b.ctx, u.ID)
			b.ok(err)
			b.dead(b.grant(u, c))
			b.selected(storage.GrantFilter{LiveAt: b.now})
		},
		"ending one grant leaves others alone": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			gone, stays := b.grant(u, c), b.grant(u, c)
			ended, err := b.RevokeGrant(b.ctx, gone.ID, "logout", b.now, nil)
			b.ok(err)
			if !ended {
				b.Error("it was not ended")
			}
			_, err = b.touch(stays.ID, stays.Current, time.Second)
			b.ok(err)
		},
		"a revocation is noted once, by who ended the grant": func(b *bundle) {
			g := b.session()
			ended, err := b.RevokeGrant(b.ctx, g.ID, "logout", b.now, b.event("revoked"))
			b.ok(err)
			again, err := b.RevokeGrant(b.ctx, g.ID, "other", b.now.Add(time.Hour), b.event("revoked"))
			b.ok(err)
			if !ended || again {
				b.Errorf("ended by the first call: %v, by the second: %v", ended, again)
			}
			if got := b.live(g.ID); got.RevokeReason != "logout" || !got.RevokedAt.Equal(kept(b.now)) {
				b.Errorf("revoked at %v, reason %q", got.RevokedAt, got.RevokeReason)
			}
			b.audited("revoked", 1)
		},
		"revoking what is not there is no error": func(b *bundle) {
			ended, err := b.RevokeGrant(b.ctx, storage.NewID(b.now), "logout", b.now, b.event("revoked"))
			b.ok(err)
			if ended {
				b.Error("something was ended")
			}
			b.audited("revoked", 0)
		},
		"of parallel revocations exactly one ends the grant": func(b *bundle) {
			g := b.session()
			ended := make([]bool, 16)
			for _, err := range atOnce(len(ended), func(i int) (err error) {
				ended[i], err = b.RevokeGrant(b.ctx, g.ID, "logout", b.now, b.event("revoked"))
				return err
			}) {
				b.ok(err)
			}
			n := 0
			for _, e := range ended {
				if e {
					n++
				}
			}
			if n != 1 {
				b.Errorf("%d calls ended it", n)
			}
			b.audited("revoked", 1)
		},
	}
	for name, end := range ends() {
		all["a grant that "+name+" can't be refreshed"] = func(b *bundle) {
			g := b.session()
			b.now = b.now.Add(time.Minute)
			end(b, g)
			b.dead(g)
		}
	}
	return all
}

// dead stops the case unless a grant can neither be touched nor advanced, and stays as it is.
func (b *bundle) dead(g *storage.Grant) {
	b.Helper()
	before := b.live(g.ID)
	_, err := b.touch(g.ID, g.Current, time.Second)
	b.is(err, storage.ErrConflict)
	a := storage.GrantMove{ID: g.ID, From: g.Current, To: next(g.Current), Generation: 1}
	b.is(b.advance(a, b.event("advanced")), storage.ErrConflict)
	b.audited("advanced", 0)
	b.same(b.live(g.ID), before)
}
