package trail_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"latchkey/server/trail"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// counting counts the events that are read.
type counting struct {
	storage.Store
	read int
}

func (c *counting) ListAudit(ctx context.Context, f storage.AuditFilter) ([]*storage.AuditEvent, error) {
	list, err := c.Store.ListAudit(ctx, f)
	c.read += len(list)
	return list, err
}

// Each event is returned once, also one whose transaction took ten seconds; and the last seconds are not read again each second.
func TestFollower(t *testing.T) {
	t.Parallel()
	store := &counting{Store: sqlitetest.SQLite(t)}
	begin := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	follower := trail.NewFollower(store, storage.FirstID(begin))
	var want, got []string
	happen := func(at time.Time) {
		t.Helper()
		e := storage.NewAuditEvent("login_succeeded", "user", at)
		if err := store.AppendAudit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		want = append(want, e.ID.String())
	}
	const seconds, each = 60, 20
	for second := range seconds {
		now := begin.Add(time.Duration(second) * time.Second)
		for i := range each {
			happen(now.Add(time.Duration(i) * time.Millisecond))
		}
		if second%7 == 0 && second > 10 {
			happen(now.Add(-10 * time.Second)) // commits only now
		}
		for {
			list, err := follower.Next(t.Context(), now.Add(time.Second))
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			for _, e := range list {
				got = append(got, e.ID.String())
			}
		}
	}
	for after := time.Duration(0); after < 20*time.Second; after += time.Second {
		list, err := follower.Next(t.Context(), begin.Add(seconds*time.Second+after))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			got = append(got, e.ID.String())
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d events were returned, want the %d that happened, each once", len(got), len(want))
	}
	if per := float64(store.read) / float64(len(want)); per > 8 {
		t.Errorf("each event was read %.1f times", per)
	}
}
