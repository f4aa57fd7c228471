package storagetest

import (
	"slices"
	"time"

	"latchkey/storage"
)

func grantLists() cases {
	return cases{
		"grants are listed page by page in the order of their IDs": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			var want []storage.ID
			for i := range 7 {
				id := storage.NewID(b.now.Add(time.Duration(i*37%7) * time.Hour))
				b.ok(b.CreateGrant(b.ctx, newGrant(id, u, c, b.now), nil))
				want = append(want, id)
			}
			slices.SortFunc(want, func(x, y storage.ID) int { return slices.Compare(x[:], y[:]) })
			for _, f := range []storage.GrantFilter{{}, {UserID: u.ID}, {ClientID: c.ID}, {UserID: u.ID, ClientID: c.ID, LiveAt: b.now}} {
				f.Limit = 3
				var got []storage.ID
				for {
					page, err := b.ListGrants(b.ctx, f)
					b.ok(err)
					for _, g := range page {
						got = append(got, g.ID)
					}
					if len(page) > 3 {
						b.Fatalf("a page of %d", len(page))
					}
					if len(page) < 3 {
						break
					}
					f.After = got[len(got)-1]
				}
				b.same(got, want)
			}
		},
		"a filter selects by user and by client": func(b *bundle) {
			ada, bob, web, app := b.user("ada"), b.user("bob"), b.client("web"), b.client("app")
			adaWeb, adaApp, bobWeb := b.grant(ada, web), b.grant(ada, app), b.grant(bob, web)
			b.selected(storage.GrantFilter{}, adaWeb, adaApp, bobWeb)
			b.selected(storage.GrantFilter{UserID: ada.ID}, adaWeb, adaApp)
			b.selected(storage.GrantFilter{ClientID: "web"}, adaWeb, bobWeb)
			b.selected(storage.GrantFilter{UserID: bob.ID, ClientID: "web"}, bobWeb)
			b.selected(storage.GrantFilter{UserID: bob.ID, ClientID: "app"})
		},
		"a list tells the state of user and client": func(b *bundle) {
			g := b.session()
			list, err := b.ListGrants(b.ctx, storage.GrantFilter{UserID: g.UserID})
			b.ok(err)
			b.same(list, []*storage.LiveGrant{b.live(g.ID)})
		},
		"a filter for live grants leaves out those that have ended in any way": func(b *bundle) {
			stays := b.session()
			for _, end := range ends() {
				// Each way on parties of its own; raising all epochs would end what stays.
				g := b.session()
				b.now = b.now.Add(time.Second)
				client, err := b.Client(b.ctx, stays.ClientID)
				b.ok(err)
				end(b, g)
				if after, err := b.Client(b.ctx, stays.ClientID); err != nil || after.AuthEpoch != client.AuthEpoch {
					b.ok(err)
					client = after
					u, err := b.User(b.ctx, stays.UserID)
					b.ok(err)
					stays = b.grant(u, client)
				}
				u := b.live(g.ID).User
				if u != nil && u.Username == "again" {
					b.ok(b.RemoveUser(b.ctx, u.ID, nil))
				}
			}
			b.selected(storage.GrantFilter{LiveAt: b.now.Add(time.Minute)}, stays)
			b.selected(storage.GrantFilter{LiveAt: stays.ExpiresAt})
			b.selected(storage.GrantFilter{LiveAt: stays.ExpiresAt.Add(-time.Microsecond)}, stays)
		},
		"revoking many ends those that the filter selects, up to its limit": func(b *bundle) {
			ada, bob, web, app := b.user("ada"), b.user("bob"), b.client("web"), b.client("app")
			for range 5 {
				b.grant(ada, web)
			}
			adaApp, bobWeb := b.grant(ada, app), b.grant(bob, web)
			f := storage.GrantFilter{UserID: ada.ID, ClientID: "web", Limit: 3}
			for _, want := range []int{3, 2, 0} {
				n, err := b.RevokeGrants(b.ctx, f, "operator", b.now, b.event("revoked"))
				b.ok(err)
				if n != want {
					b.Fatalf("ended %d, want %d", n, want)
				}
			}
			// Nothing was ended by the third call, so nothing is noted.
			b.audited("revoked", 2)
			b.selected(storage.GrantFilter{LiveAt: b.now}, adaApp, bobWeb)
			list, err := b.ListGrants(b.ctx, storage.GrantFilter{UserID: ada.ID, ClientID: "web"})
			b.ok(err)
			for _, g := range list {
				if g.RevokeReason != "operator" || !g.RevokedAt.Equal(kept(b.now)) {
					b.Errorf("revoked at %v, reason %q", g.RevokedAt, g.RevokeReason)
				}
			}
			n, err := b.RevokeGrants(b.ctx, storage.GrantFilter{}, "all", b.now, nil)
			b.ok(err)
			if n != 2 {
				b.Errorf("ended %d of what was left", n)
			}
		},
		"revoking many counts a grant once, however many do it": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			for range 20 {
				b.grant(u, c)
			}
			counts := make([]int, 8)
			for _, err := range atOnce(len(counts), func(i int) (err error) {
				counts[i], err = b.RevokeGrants(b.ctx, storage.GrantFilter{UserID: u.ID}, "logout", b.now, nil)
				return err
			}) {
				b.ok(err)
			}
			sum := 0
			for _, n := range counts {
				sum += n
			}
			if sum != 20 {
				b.Errorf("%d were ended, counts %v", sum, counts)
			}
		},
	}
}

// selected stops the case unless a filter selects these grants, made in this order.
func (b *bundle) selected(f storage.GrantFilter, want ...*storage.Grant) {
	b.Helper()
	list, err := b.ListGrants(b.ctx, f)
	b.ok(err)
	var got, ids []storage.ID
	for _, g := range list {
		got = append(got, g.ID)
	}
	for _, g := range want {
		ids = append(ids, g.ID)
	}
	slices.SortFunc(ids, func(x, y storage.ID) int { return slices.Compare(x[:], y[:]) })
	b.same(got, ids)
	n, err := b.CountGrants(b.ctx, f)
	b.ok(err)
	b.same(n, len(ids))
	if n > 1 {
		f.Limit = 1
		n, err = b.CountGrants(b.ctx, f)
		b.ok(err)
		b.same(n, 1)
	}
}
