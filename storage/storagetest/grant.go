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
			g.AuthTime, g.Address, g.UserAgent, g.Generation = b.now.Add(-time.Hour), "2001:db8::1", "Mozilla/5.0 (X11; Linux)", 7
			g.WindowAt, g.Previous, g.PreviousRetiredAt = b.now.Add(time.Second), storage.TokenID{9}, b.now.Add(2*time.Second)
			g.LastUsedAt, g.RevokedAt, g.RevokeReason = b.now.Add(3*time.Second), b.now.Add(4*time.Second), "logout"
			b.ok(b.CreateGrant(b.ctx, g, nil, b.event("login"), b.event("login")))
			b.audited("login", 2)
			for _, t := range []*time.Time{
				&g.AuthTime, &g.CreatedAt, &g.ExpiresAt, &g.WindowAt, &g.PreviousRetiredAt, &g.LastUsedAt, &g.RevokedAt, &u.CreatedAt,
			} {
				*t = kept(*t)
			}
			// Who asks for a grant has no use for the hash.
			u.PasswordHash = ""
			b.same(b.live(g.ID), &storage.LiveGrant{Grant: *g, User: u, ClientExists: true, ClientAuthEpoch: c.AuthEpoch})
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
				got, err := b.TouchGrant(b.ctx, g.ID, g.Current, window, at)
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
			_, err := b.TouchGrant(b.ctx, g.ID, g.Current, time.Second, later)
			b.ok(err)
			before.WindowAt, before.LastUsedAt = kept(later), kept(later)
			b.same(b.live(g.ID), before)
		},
		"a touch by clocks that differ a little finds the same window": func(b *bundle) {
			g := b.session()
			first, err := b.TouchGrant(b.ctx, g.ID, g.Current, 10*time.Second, b.now)
			b.ok(err)
			second, err := b.TouchGrant(b.ctx, g.ID, g.Current, 10*time.Second, b.now.Add(-time.Second))
			b.ok(err)
			if !second.Equal(first) {
				b.Errorf("windows %v and %v", first, second)
			}
		},
		"parallel touches within one window get the same window": func(b *bundle) {
			g := b.session()
			windows := make([]time.Time, 32)
			for _, err := range atOnce(len(windows), func(i int) (err error) {
				windows[i], err = b.TouchGrant(b.ctx, g.ID, g.Current, 10*time.Second, b.now.Add(time.Duration(i)*time.Millisecond))
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
		"only the current token can be touched": func(b *bundle) {
			g := b.session()
			before := b.live(g.ID)
			_, err := b.TouchGrant(b.ctx, g.ID, next(g.Current), time.Second, b.now.Add(time.Second))
			b.is(err, storage.ErrConflict)
			_, err = b.TouchGrant(b.ctx, storage.NewID(b.now), g.Current, time.Second, b.now)
			b.is(err, storage.ErrConflict)
			b.same(b.live(g.ID), before)
		},
		"an advance makes the other token current and retires the one before": func(b *bundle) {
			g := b.session()
			want := b.live(g.ID)
			later := b.now.Add(time.Minute)
			a := storage.GrantAdvance{ID: g.ID, From: g.Current, To: next(g.Current), Generation: 1, Now: later}
			b.ok(b.AdvanceGrant(b.ctx, a, b.event("advanced")))
			want.Current, want.Generation, want.Previous = a.To, 1, g.Current
			want.PreviousRetiredAt, want.WindowAt, want.LastUsedAt = kept(later), kept(later), kept(later)
			b.same(b.live(g.ID), want)
			b.audited("advanced", 1)
		},
		"an advance can retire another token than the stored one": func(b *bundle) {
			g := b.session()
			a := storage.GrantAdvance{
				ID: g.ID, From: g.Current, Retired: storage.TokenID{1, 2}, To: storage.TokenID{1, 3}, Generation: 12, Now: b.now,
			}
			b.ok(b.AdvanceGrant(b.ctx, a, nil))
			if got := b.live(g.ID); got.Previous != a.Retired || got.Current != a.To || got.Generation != 12 {
				b.Errorf("got %+v", got.Grant)
			}
		},
		"an advance from a token that is not current changes nothing": func(b *bundle) {
			g := b.session()
			a := storage.GrantAdvance{ID: g.ID, From: g.Current, To: next(g.Current), Generation: 1, Now: b.now}
			b.ok(b.AdvanceGrant(b.ctx, a, nil))
			before := b.live(g.ID)
			b.is(b.AdvanceGrant(b.ctx, a, b.event("advanced")), storage.ErrConflict)
			a.ID = storage.NewID(b.now)
			b.is(b.AdvanceGrant(b.ctx, a, b.event("advanced")), storage.ErrConflict)
			b.same(b.live(g.ID), before)
			b.audited("advanced", 0)
		},
		"of parallel advances from one token exactly one succeeds": func(b *bundle) {
			g := b.session()
			winner := b.oneWins(atOnce(32, func(i int) error {
				a := storage.GrantAdvance{ID: g.ID, From: g.Current, To: storage.TokenID{15: byte(i + 1)}, Generation: 1, Now: b.now}
				return b.AdvanceGrant(b.ctx, a, b.event("advanced"))
			}), storage.ErrConflict)
			if got := b.live(g.ID); got.Current != (storage.TokenID{15: byte(winner + 1)}) || got.Previous != g.Current {
				b.Errorf("winner is %d, stored %+v", winner, got.Grant)
			}
			b.audited("advanced", 1)
		},
	}
}
