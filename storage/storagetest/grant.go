package storagetest

import (
	"fmt"
	"time"

	"latchkey/storage"
)

func grants() cases {
	return cases{
		"a grant comes back as stored, with the state of its user and client": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			g := newGrant(storage.NewID(b.now), u, c, b.now)
			g.Scope, g.Audience = []string{"openid", "profile"}, []string{"https://api.example/", "urn:x:y"}
			g.Offered = []string{"urn:b", "urn:c"}
			g.AuthTime, g.Address, g.UserAgent, g.Generation = b.now.Add(-time.Hour), "2001:db8::1", "Mozilla/5.0 (X11; Linux)", 7
			g.WindowAt, g.Previous, g.PreviousRetiredAt = b.now.Add(time.Second), storage.TokenID{9}, b.now.Add(2*time.Second)
			g.CurrentExpiresAt, g.Windows = b.now.Add(time.Minute), 3
			g.Sharing = storage.Sharing{Network: -5, Elsewhere: true, Joins: 2, JoinedGeneration: 7}
			g.LastUsedAt, g.RevokedAt, g.RevokeReason = b.now.Add(3*time.Second), b.now.Add(4*time.Second), "logout"
			b.ok(b.CreateGrant(b.ctx, g, nil, b.event("login"), b.event("login")))
			b.audited("login", 2)
			for _, t := range []*time.Time{
				&g.AuthTime, &g.CreatedAt, &g.ExpiresAt, &g.CurrentExpiresAt, &g.WindowAt, &g.PreviousRetiredAt, &g.LastUsedAt, &g.RevokedAt, &u.CreatedAt,
			} {
				*t = kept(*t)
			}
			b.same(b.live(g.ID), &storage.LiveGrant{Grant: *g, User: u, ClientExists: true, ClientAuthEpoch: c.AuthEpoch, Now: kept(b.now)})
		},
		"what a grant does not have yet is zero": func(b *bundle) {
			g := b.session()
			got := b.live(g.ID)
			if !got.WindowAt.IsZero() || !got.PreviousRetiredAt.IsZero() || !got.RevokedAt.IsZero() ||
				got.Previous != (storage.TokenID{}) || got.RevokeReason != "" || len(got.Scope)+len(got.Audience) != 0 {
				b.Errorf("got %+v", got.Grant)
			}
		},
		"a grant tells that its user is gone": func(b *bundle) {
			g := b.session()
			b.ok(b.RemoveUser(b.ctx, g.UserID, nil))
			if got := b.live(g.ID); got.User != nil || !got.ClientExists {
				b.Errorf("got %+v", got)
			}
		},
		"a grant tells that its client is gone or disabled": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			g := b.grant(u, c)
			c.Disabled, c.AuthEpoch = true, c.AuthEpoch+1
			b.ok(b.UpdateClient(b.ctx, c, nil))
			if got := b.live(g.ID); !got.ClientExists || !got.ClientDisabled || got.ClientAuthEpoch != c.AuthEpoch {
				b.Errorf("disabled: got %+v", got)
			}
			b.ok(b.RemoveClient(b.ctx, "app", nil))
			if got := b.live(g.ID); got.ClientExists || got.ClientDisabled || got.User == nil {
				b.Errorf("removed: got %+v", got)
			}
		},
		"a grant that is not there is not found": func(b *bundle) {
			b.session()
			_, err := b.Grant(b.ctx, storage.NewID(b.now))
			b.is(err, storage.ErrNotFound)
			_, err = b.Grant(b.ctx, storage.ID{})
			b.is(err, storage.ErrNotFound)
		},
		"of parallel creations with one ID exactly one succeeds, and nothing of the others is written": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			id := storage.NewID(b.now)
			winner := b.oneWins(atOnce(16, func(i int) error {
				g := newGrant(id, u, c, b.now)
				g.UserAgent = fmt.Sprint(i)
				login := &storage.Login{UserID: u.ID, SetLastLogin: b.now.Add(time.Duration(i) * time.Second)}
				return b.CreateGrant(b.ctx, g, login, b.event(fmt.Sprint("login ", i)))
			}), storage.ErrExists)
			if got := b.live(id).UserAgent; got != fmt.Sprint(winner) {
				b.Errorf("the grant is of %s, the winner is %d", got, winner)
			}
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if want := kept(b.now.Add(time.Duration(winner) * time.Second)); !got.LastLogin.Equal(want) {
				b.Errorf("last login %v, want %v", got.LastLogin, want)
			}
			list, err := b.ListAudit(b.ctx, storage.AuditFilter{})
			b.ok(err)
			if len(list) != 1 || list[0].Action != fmt.Sprint("login ", winner) {
				b.Errorf("%d audit events", len(list))
			}
		},
		"a taken ID writes nothing": func(b *bundle) {
			g := b.session()
			u, err := b.User(b.ctx, g.UserID)
			b.ok(err)
			buckets, home := b.bucket(1, time.Hour), b.digest()
			b.take(0, buckets...)
			login := &storage.Login{
				UserID: u.ID, GiveBack: buckets, Known: home, KnownUntil: b.now.Add(time.Hour), SetLastLogin: b.now,
				OldHash: "old hash", NewHash: "better hash",
			}
			again := newGrant(g.ID, u, &storage.Client{ID: g.ClientID}, b.now)
			b.is(b.CreateGrant(b.ctx, again, login, b.event("login")), storage.ErrExists)
			b.take(time.Hour, buckets...)
			check, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: u.Username, Now: b.now, Known: home})
			b.ok(err)
			b.same(check, &storage.LoginCheck{User: u})
			b.audited("login", 0)
		},
		"a touch opens a window and keeps it for its length": func(b *bundle) {
			g := b.session()
			const window = 10 * time.Second
			for _, step := range []struct{ at, windowAt time.Duration }{
				{0, 0},
				{time.Second, 0},
				{window - time.Microsecond, 0},
				{window, window},
				{window + time.Second, window},
				{5 * window, 5 * window},
			} {
				at := b.now.Add(step.at)
				got, err := b.touchAt(at, g.ID, g.Current, window)
				b.ok(err)
				if want := kept(b.now.Add(step.windowAt)); !got.Equal(want) {
					b.Errorf("after %v the window is of %v, want %v", step.at, got, want)
				}
				now := b.live(g.ID)
				if !now.WindowAt.Equal(got) || !now.LastUsedAt.Equal(kept(at)) {
					b.Errorf("after %v stored are window %v, last use %v", step.at, now.WindowAt, now.LastUsedAt)
				}
			}
		},
		"a touch changes nothing else": func(b *bundle) {
			g := b.session()
			before := b.live(g.ID)
			later := b.now.Add(time.Minute)
			_, err := b.touchAt(later, g.ID, g.Current, time.Second)
			b.ok(err)
			before.WindowAt, before.LastUsedAt, before.Windows = kept(later), kept(later), 1
			b.same(b.live(g.ID), before)
		},
		"a touch by clocks that differ a little finds the same window": func(b *bundle) {
			g := b.session()
			first, err := b.touch(g.ID, g.Current, 10*time.Second)
			b.ok(err)
			second, err := b.touchAt(b.now.Add(-time.Second), g.ID, g.Current, 10*time.Second)
			b.ok(err)
			if !second.Equal(first) {
				b.Errorf("windows %v and %v", first, second)
			}
		},
		"parallel touches within one window get the same window": func(b *bundle) {
			g := b.session()
			windows := make([]time.Time, 32)
			for _, err := range atOnce(len(windows), func(i int) (err error) {
				windows[i], err = b.touch(g.ID, g.Current, 10*time.Second)
				return err
			}) {
				b.ok(err)
			}
			stored := b.live(g.ID).WindowAt
			for _, w := range windows {
				if !w.Equal(stored) {
					b.Fatalf("one got %v, stored is %v", w, stored)
				}
			}
		},
		"the windows of the current token are counted": func(b *bundle) {
			g := b.session()
			for i, step := range []struct {
				wait    time.Duration
				windows int64
			}{{0, 1}, {time.Second, 1}, {10 * time.Second, 2}, {time.Second, 2}, {time.Hour / 4, 3}} {
				b.now = b.now.Add(step.wait)
				moved, err := b.MoveGrant(b.ctx, storage.GrantMove{ID: g.ID, From: g.Current, Window: 10 * time.Second}, nil)
				b.ok(err)
				if moved.Windows != step.windows {
					b.Errorf("presentation %d: %d windows, want %d", i, moved.Windows, step.windows)
				}
			}
			moved, err := b.MoveGrant(b.ctx, storage.GrantMove{ID: g.ID, From: g.Current, To: next(g.Current), Generation: 1}, nil)
			b.ok(err)
			if moved.Windows != 1 {
				b.Errorf("another token begins with %d windows", moved.Windows)
			}
		},
		"a move returns the grant as a read does": func(b *bundle) {
			g := b.session()
			for _, to := range []storage.TokenID{{}, next(g.Current)} {
				moved, err := b.MoveGrant(b.ctx, storage.GrantMove{ID: g.ID, From: g.Current, To: to, Generation: 1}, b.event("moved"))
				b.ok(err)
				b.same(moved, b.live(g.ID))
			}
			b.audited("moved", 2)
		},
		"a move stores what is known about networks, and what was known guards it": func(b *bundle) {
			g := b.session()
			known := storage.Sharing{}
			for i, then := range []storage.Sharing{
				{Network: 5}, {Network: 5, Elsewhere: true}, {Network: -6, Joins: 1}, {Network: -6, Joins: 1, JoinedGeneration: 4}, {},
			} {
				m := storage.GrantMove{ID: g.ID, From: g.Current, Was: known, Sharing: then}
				b.ok(b.advance(m, nil))
				b.is(b.advance(m, b.event("stale")), storage.ErrConflict)
				if got := b.live(g.ID).Sharing; got != then {
					b.Errorf("step %d: stored %+v, want %+v", i, got, then)
				}
				known = then
			}
			b.audited("stale", 0)
		},
		"the end of the current token is kept while it stays": func(b *bundle) {
			g := b.session()
			end := kept(b.now.Add(time.Hour))
			m := storage.GrantMove{ID: g.ID, From: g.Current, CurrentExpiresAt: end}
			b.ok(b.advance(m, nil))
			m.CurrentExpiresAt = time.Time{}
			b.ok(b.advance(m, nil))
			if got := b.live(g.ID).CurrentExpiresAt; !got.Equal(end) {
				b.Errorf("it is %v, want %v", got, end)
			}
			m.To = next(g.Current)
			b.ok(b.advance(m, nil))
			if got := b.live(g.ID).CurrentExpiresAt; !got.IsZero() {
				b.Errorf("another token has the end %v", got)
			}
		},
		"a token that was revoked by itself moves nothing": func(b *bundle) {
			g := b.session()
			b.ok(b.RevokeToken(b.ctx, "ended", b.now.Add(time.Hour), nil))
			m := storage.GrantMove{ID: g.ID, From: g.Current, NotRevoked: "ended"}
			b.is(b.advance(m, b.event("moved")), storage.ErrConflict)
			m.NotRevoked = "other"
			b.ok(b.advance(m, b.event("moved")))
			b.audited("moved", 1)
		},
		"only the current token can be touched": func(b *bundle) {
			g := b.session()
			before := b.live(g.ID)
			_, err := b.touch(g.ID, next(g.Current), time.Second)
			b.is(err, storage.ErrConflict)
			_, err = b.touch(storage.NewID(b.now), g.Current, time.Second)
			b.is(err, storage.ErrConflict)
			b.same(b.live(g.ID), before)
		},
		"an advance makes the other token current and retires the one before": func(b *bundle) {
			g := b.session()
			want := b.live(g.ID)
			later := b.now.Add(time.Minute)
			a := storage.GrantMove{ID: g.ID, From: g.Current, To: next(g.Current), Generation: 1, CurrentExpiresAt: later.Add(time.Hour)}
			b.now = later
			b.ok(b.advance(a, b.event("advanced")))
			want.CurrentExpiresAt, want.Windows, want.Now = kept(a.CurrentExpiresAt), 1, kept(later)
			want.Current, want.Generation, want.Previous = a.To, 1, g.Current
			want.PreviousRetiredAt, want.WindowAt, want.LastUsedAt = kept(later), kept(later), kept(later)
			b.same(b.live(g.ID), want)
			b.audited("advanced", 1)
		},
		"an advance can retire another token than the stored one": func(b *bundle) {
			g := b.session()
			a := storage.GrantMove{
				ID: g.ID, From: g.Current, Retired: storage.TokenID{1, 2}, To: storage.TokenID{1, 3}, Generation: 12,
			}
			b.ok(b.advance(a, nil))
			if got := b.live(g.ID); got.Previous != a.Retired || got.Current != a.To || got.Generation != 12 {
				b.Errorf("got %+v", got.Grant)
			}
		},
		"an advance from a token that is not current changes nothing": func(b *bundle) {
			g := b.session()
			a := storage.GrantMove{ID: g.ID, From: g.Current, To: next(g.Current), Generation: 1}
			b.ok(b.advance(a, nil))
			before := b.live(g.ID)
			b.is(b.advance(a, b.event("advanced")), storage.ErrConflict)
			a.ID = storage.NewID(b.now)
			b.is(b.advance(a, b.event("advanced")), storage.ErrConflict)
			b.same(b.live(g.ID), before)
			b.audited("advanced", 0)
		},
		"of parallel advances from one token exactly one succeeds": func(b *bundle) {
			g := b.session()
			winner := b.oneWins(atOnce(32, func(i int) error {
				a := storage.GrantMove{ID: g.ID, From: g.Current, To: storage.TokenID{15: byte(i + 1)}, Generation: 1}
				return b.advance(a, b.event("advanced"))
			}), storage.ErrConflict)
			if got := b.live(g.ID); got.Current != (storage.TokenID{15: byte(winner + 1)}) || got.Previous != g.Current {
				b.Errorf("winner is %d, stored %+v", winner, got.Grant)
			}
			b.audited("advanced", 1)
		},
	}
}
