package audit_test

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"latchkey/server/internal/audit"
	"latchkey/server/internal/metrics"
	"latchkey/server/internal/request"
	"latchkey/storage"
)

type fakeStore struct {
	events []*storage.AuditEvent
	err    error
}

func (s *fakeStore) AppendAudit(_ context.Context, events ...*storage.AuditEvent) error {
	s.events = append(s.events, events...)
	return s.err
}

func setup() (*audit.Log, *fakeStore) {
	store := new(fakeStore)
	now := time.Date(2026, 1, 2, 3, 4, 5, 678_912_345, time.FixedZone("", 3600))
	return &audit.Log{Store: store, Metrics: metrics.New(), Now: func() time.Time { return now }}, store
}

func TestEventHasTheRequest(t *testing.T) {
	t.Parallel()
	log, _ := setup()
	ctx := request.With(t.Context(), &request.Info{ID: "r1", Address: netip.MustParseAddr("192.0.2.7")})
	got := log.Event(ctx, "login_failed", "user")
	if got.ID == (storage.ID{}) {
		t.Error("no ID")
	}
	got.ID = storage.ID{}
	want := &storage.AuditEvent{
		At: time.Date(2026, 1, 2, 2, 4, 5, 678_912_000, time.UTC), Action: "login_failed", Actor: "user",
		RequestID: "r1", Address: "192.0.2.7", Outcome: "success",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestL1UnknownAddressIsEmpty(t *testing.T) {
	t.Parallel()
	log, _ := setup()
	if got := log.Event(request.With(t.Context(), &request.Info{ID: "r1"}), "login_failed", "user").Address; got != "" {
		t.Errorf("address %q", got)
	}
}

func TestOnlyWrittenEventsAreCounted(t *testing.T) {
	t.Parallel()
	log, store := setup()
	event := log.Event(t.Context(), "login_failed", "user")
	counted := func() float64 { return testutil.ToFloat64(log.Metrics.Audit.WithLabelValues("login_failed")) }

	store.err = storage.ErrUnavailable
	if err := log.Append(t.Context(), event); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("append: %v", err)
	}
	if counted() != 0 {
		t.Error("an event that was not written is counted")
	}
	store.err = nil
	if err := log.Append(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	log.Written(event)
	log.Written(nil)
	if counted() != 2 {
		t.Errorf("counted %v", counted())
	}
	(&audit.Log{Now: log.Now}).Written(event) // without metrics
}
