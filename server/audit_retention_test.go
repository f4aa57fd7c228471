package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// A10: --audit-retention removes what is older: Postgres whole months, when all of a month is; SQLite to the second. Without it all stays.
func TestA10AuditRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Bare())
		// Fifteen events: in March, April and May, on the first to the fifth of each month.
		for month := range 3 {
			s.Clock.Advance(time.Date(2026, time.Month(3+month), 1, 12, 0, 0, 0, time.UTC).Sub(s.Clock.Now()))
			if _, err := s.Store.Maintain(t.Context(), s.Clock.Now(), 100); err != nil { // makes the partition of the month
				t.Fatal(err)
			}
			for range 5 {
				e := storage.NewAuditEvent("login_failed", "user", s.Clock.Now())
				e.Outcome = "failure"
				if err := s.Store.AppendAudit(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				s.Clock.Advance(day)
			}
		}
		kept := func() (months string) {
			list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "login_failed", Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			n := map[time.Month]int{}
			for _, e := range list {
				n[e.At.UTC().Month()]++
			}
			return fmt.Sprint(n[time.March], n[time.April], n[time.May])
		}
		// The cleaning runs once when a server starts.
		clean := func(retention time.Duration) {
			r := s.Replica(t, servertest.Background(), servertest.Configure(func(c *server.Config) { c.AuditRetention = retention }))
			const last = "latchkey_maintenance_last_success_timestamp_seconds"
			for !strings.Contains(r.Get(r.Admin+"/metrics").Body, last+" 1.") {
				if t.Context().Err() != nil {
					t.Fatal("the cleaning did not go through")
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		clean(0)
		if got := kept(); got != "5 5 5" {
			t.Errorf("for ever: %s events", got)
		}
		// It is noon of the sixth of May: what is older than noon of the third of April may go.
		clean(33 * day)
		whole := strings.HasSuffix(t.Name(), "/postgres")
		if got, want := kept(), map[bool]string{true: "0 5 5", false: "0 3 5"}[whole]; got != want {
			t.Errorf("33 days: %s events, want %s", got, want)
		}
		partitions := func() []string {
			_, dropped, err := s.Store.PruneAudit(t.Context(), time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), 100)
			if err != nil {
				t.Fatal(err)
			}
			return dropped
		}
		dropped := partitions()
		if got := kept(); got != "0 0 5" || whole && fmt.Sprint(dropped) != "[audit_events_2026_04]" {
			t.Errorf("before May: %s events, dropped %v", got, dropped)
		}
		if again := partitions(); len(again) != 0 {
			t.Errorf("dropped again: %v", again)
		}
	})
}
