package storagetest

import (
	"time"

	"latchkey/storage"
)

func eventCounts() cases {
	return cases{
		"events are counted by hour and action, once": func(b *bundle) {
			hour := b.now.Truncate(time.Hour)
			happen := func(action string, after ...time.Duration) {
				for _, d := range after {
					e := b.event(action)
					e.At = hour.Add(d)
					e.ID = storage.NewID(e.At)
					b.ok(b.AppendAudit(b.ctx, e))
				}
			}
			list := func(want ...*storage.EventCount) {
				b.Helper()
				got, err := b.ListEventCounts(b.ctx, hour)
				b.ok(err)
				b.same(got, want)
			}
			happen("login", -time.Second, 0, time.Minute, time.Hour-time.Second, time.Hour, 2*time.Hour)
			happen("logout", time.Minute)
			happen("other", time.Minute)
			list()
			b.ok(b.CountEvents(b.ctx, hour, hour.Add(2*time.Hour), hour, []string{"login", "logout"}))
			first, second := hour.UTC(), hour.Add(time.Hour).UTC()
			counted := []*storage.EventCount{{Hour: first, Action: "login", N: 3}, {Hour: first, Action: "logout", N: 1}, {Hour: second}, {Hour: second, Action: "login", N: 1}}
			list(counted...)
			happen("login", time.Minute) // what comes late is not counted again
			b.ok(b.CountEvents(b.ctx, hour, hour.Add(2*time.Hour), hour, []string{"login", "logout"}))
			list(counted...)
			b.ok(b.CountEvents(b.ctx, second, second.Add(time.Hour), second, []string{"logout"}))
			list(counted[2:]...)
		},
		"sessions are counted by the hour in which they began, from a browser session or without one, also when they have ended": func(b *bundle) {
			hour := b.now.Truncate(time.Hour)
			u, c := b.user("alice"), b.client("app")
			begin := func(browser bool, after time.Duration) storage.ID {
				g := newGrant(storage.NewID(hour.Add(after)), u, c, hour.Add(after))
				if browser {
					g.SessionID = storage.NewID(hour)
				}
				b.ok(b.CreateGrant(b.ctx, g, nil))
				return g.ID
			}
			begin(true, -time.Second)
			begin(true, 0)
			begin(false, time.Minute)
			_, err := b.RevokeGrant(b.ctx, begin(true, time.Hour-time.Second), "logout", b.now, nil)
			b.ok(err)
			begin(false, time.Hour)
			b.ok(b.CountEvents(b.ctx, hour, hour.Add(time.Hour), hour, nil))
			got, err := b.ListEventCounts(b.ctx, hour)
			b.ok(err)
			first := hour.UTC()
			b.same(got, []*storage.EventCount{
				{Hour: first}, {Hour: first, Action: storage.CountedBrowserSessions, N: 2}, {Hour: first, Action: storage.CountedDirectSessions, N: 1},
			})
		},
	}
}
