package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"latchkey/server/internal/audit"
	"latchkey/server/internal/metrics"
	"latchkey/server/internal/request"
)

func from(ctx context.Context, address string) context.Context {
	return request.With(ctx, &request.Info{Address: netip.MustParseAddr(address)})
}

// A10: nobody but the operator chooses how often a row that stays is written.
func TestA10EventsOfOthersAreLimited(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	setup := func() (*audit.Log, func(ctx context.Context, n int, client string, user int64) int) {
		log := &audit.Log{Store: new(fakeStore), Metrics: metrics.New(), Now: func() time.Time { return now }}
		return log, func(ctx context.Context, n int, client string, user int64) (written int) {
			for range n {
				e := log.Event(ctx, "refresh_token_of_other_client", "client")
				e.ClientID, e.UserID = client, user
				if log.Limited(ctx, e) != nil {
					written++
				}
			}
			return written
		}
	}
	_, try := setup()
	home := from(t.Context(), "192.0.2.1")
	if n := try(home, 1000, "a", 0); n != 20 {
		t.Errorf("of one client: %d", n)
	}
	if n := try(home, 1000, "b", 0); n != 20 {
		t.Errorf("of another client: %d", n)
	}
	if n := try(home, 1000, "a", 7); n != 100 {
		t.Errorf("of one user: %d", n)
	}
	if n := try(home, 1000, "a", 8); n != 100 {
		t.Errorf("of another user: %d", n)
	}
	now = now.Add(5 * time.Minute)
	if n := try(home, 1000, "a", 0); n != 1 {
		t.Errorf("five minutes later: %d", n)
	}

	_, try = setup()
	written := 0
	for i := range 50 {
		written += try(from(t.Context(), fmt.Sprintf("2001:db8:1:%x::1", i)), 20, fmt.Sprint("client", i), 0)
	}
	if written != 100 {
		t.Errorf("of many clients from one /48: %d", written)
	}

	log, try := setup()
	written = 0
	for i := range 3000 { // as many clients and networks as there are
		written += try(from(t.Context(), fmt.Sprintf("10.%d.%d.1", i/200, i%200)), 5, fmt.Sprint("client", i), 0)
	}
	if written != 200 {
		t.Errorf("in all: %d", written)
	}
	store := log.Store.(*fakeStore)
	for range 2 { // the second finds nothing
		if err := log.Summarise(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := testutil.ToFloat64(log.Metrics.AuditSuppressed.WithLabelValues("refresh_token_of_other_client")); n != 15000-200 {
		t.Errorf("the metric has %v", n)
	}
	if len(store.events) != 1 || store.events[0].Action != audit.ActionSuppressed {
		t.Fatalf("%d summaries", len(store.events))
	}
	var details struct{ Actions map[string]int }
	if err := json.Unmarshal(store.events[0].Details, &details); err != nil || details.Actions["refresh_token_of_other_client"] != 15000-200 {
		t.Errorf("%s", store.events[0].Details)
	}
}
