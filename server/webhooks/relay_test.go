package webhooks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	wire "latchkey/admin"
	"latchkey/latchkeytest/eventually"
	"latchkey/server"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/metrics"
	"latchkey/server/internal/safehttp"
	"latchkey/server/keys"
	"latchkey/server/servertest"
	"latchkey/server/webhooks"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/teststore"
)

// idle is a store that has no targets, and nothing else.
type idle struct {
	webhooks.Store
	lists atomic.Int64
}

func (s *idle) ListWebhooks(context.Context) ([]*storage.Webhook, error) {
	s.lists.Add(1)
	return nil, nil
}

// Without targets nothing is done: the targets are read when the server starts, and when they change.
func TestNothingIsDoneWithoutTargets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &idle{}
		s, err := webhooks.New(webhooks.Config{
			Store: store, HTTP: safehttp.New(safehttp.Config{}), Keys: [][]byte{make([]byte, 32)}, Audit: &audit.Log{Now: time.Now}, Now: time.Now,
			Logger: slog.New(slog.DiscardHandler), Metrics: metrics.New(),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Run(ctx)
		}()
		time.Sleep(24 * time.Hour)
		if n := store.lists.Load(); n != 1 {
			t.Errorf("the targets were read %d times in a day", n)
		}
		s.Changed()
		synctest.Wait()
		if n := store.lists.Load(); n != 2 {
			t.Errorf("after a change the targets were read %d times", n)
		}
		cancel()
		<-done
	})
}

// service returns a service of its own on the server's database, for what servers can't be configured to.
func (b *bundle) service(root *keys.Root, change ...func(*webhooks.Config)) *webhooks.Service {
	b.t.Helper()
	cfg := webhooks.Config{
		Store: b.Store, HTTP: safehttp.New(safehttp.Config{TestAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}), Keys: root.Derive("webhooks"),
		Audit: &audit.Log{Store: b.Store, Now: b.Clock.Now}, Now: b.Clock.Now, Logger: slog.New(slog.DiscardHandler), Metrics: metrics.New(),
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := webhooks.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// distinct checks that deliveries are n different events, each once.
func distinct(t *testing.T, got []delivery, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, d := range got {
		seen[d.id()]++
	}
	if len(got) != n || len(seen) != n {
		t.Errorf("%d deliveries of %d events, want one of each of %d", len(got), len(seen), n)
	}
}

// However many servers there are, an event is delivered once to each target; when one dies, another one goes on where it was.
func TestSeveralServersDeliverEachEventOnce(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		severalServers(t, setup(t, servertest.Store(open(t))))
	})
}

func severalServers(t *testing.T, b *bundle) {
	t.Helper()
	second := b.Replica(t, servertest.Configure(loopback))
	r := newReceiver(t)
	w, _ := b.target(wire.NewWebhook{URL: r.URL})
	both := func() {
		t.Helper()
		b.Clock.Advance(3 * time.Second)
		var wg sync.WaitGroup
		for _, s := range []*servertest.Server{b.Server, second} {
			wg.Go(func() {
				if err := s.DeliverWebhooks(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	for range 4 {
		b.happen(50)
		both()
	}
	distinct(t, r.taken(), 200)
	first := b.read(w).RelayOwner

	// The owner dies; its lease ends.
	b.happen(30)
	survivor := b.Server
	b.Clock.Advance(3 * time.Second)
	if err := survivor.DeliverWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.taken()) > 0 { // it was the owner: the other one survives
		survivor = second
		b.happen(30)
		b.Clock.Advance(3 * time.Second)
		if err := survivor.DeliverWebhooks(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.taken(); len(got) > 0 {
			t.Errorf("%d deliveries by a server that has no lease", len(got))
		}
	}
	b.Clock.Advance(20 * time.Second)
	if err := survivor.DeliverWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	distinct(t, r.taken(), 30)
	if got := b.read(w).RelayOwner; got == first || got.IsZero() {
		t.Errorf("the owner is %s, and was %s", got, first)
	}
}

// While too many deliveries wait for a target, events stay in the trail; none is lost, and none doubled.
func TestAFloodWaitsInTheTrail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, _ := b.target(wire.NewWebhook{URL: r.URL})
	alone := b.service(b.Root(), func(c *webhooks.Config) { c.MaxWaiting = 100 })
	deliver := func() {
		t.Helper()
		b.Clock.Advance(time.Minute)
		if err := alone.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.answer(http.StatusInternalServerError)
	b.happen(700)
	deliver()
	n, _, err := b.Store.WaitingOutboxMessages(t.Context(), w.Kind())
	if err != nil || n < 100 || n >= 700 {
		t.Errorf("%d wait, %v", n, err)
	}
	r.taken()
	r.answer(http.StatusOK)
	deliver()
	deliver()
	distinct(t, r.taken(), 700)
	if n, _, err := b.Store.WaitingOutboxMessages(t.Context(), w.Kind()); err != nil || n != 0 || b.read(w).Abandoned != 0 {
		t.Errorf("%d wait, %d were abandoned, %v", n, b.read(w).Abandoned, err)
	}
}

// What could not be delivered for days because nothing was, is abandoned: no application wants last week's logins one by one.
func TestOldEventsAreAbandoned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, _ := b.target(wire.NewWebhook{URL: r.URL})
	b.happen(3)
	b.Clock.Advance(81 * time.Hour) // no server was running
	b.happen(2)
	b.deliver()
	distinct(t, r.taken(), 2)
	if w = b.read(w); w.Abandoned != 3 || len(b.events("webhook_delivery_abandoned")) != 1 {
		t.Errorf("%+v, %d audit events", w.WebhookState, len(b.events("webhook_delivery_abandoned")))
	}
}

// A target that never answers holds up no other one, and no request.
func TestASlowTargetHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t, servertest.Background())
	ctx, release := context.WithCancel(context.Background())
	slow := newReceiver(t)
	held := make(chan struct{}, 1000)
	slow.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		held <- struct{}{}
		<-ctx.Done()
	})
	t.Cleanup(release)
	fast := newReceiver(t)
	b.target(wire.NewWebhook{URL: slow.URL})
	b.target(wire.NewWebhook{URL: fast.URL})
	b.happen(40) // more than there are places for one target
	b.Clock.Advance(3 * time.Second)
	<-held
	var got []delivery
	eventually.True(t, "the deliveries to the fast target", func() bool {
		got = append(got, fast.taken()...)
		return len(got) >= 40
	})
	distinct(t, got, 40)
	release()
}

// The secrets of targets are sealed: a new root secret takes them over while the one before is known.
func TestSecretsFollowTheRootSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, secret := b.target(wire.NewWebhook{URL: r.URL})
	if strings.Contains(string(w.Secret), secret) || len(w.Secret) < 32+24+16 {
		t.Error("the secret is not sealed")
	}
	root := func(current storage.Secret, previous ...storage.Secret) servertest.Option {
		return servertest.Configure(func(c *server.Config) {
			loopback(c)
			var err error
			if c.Root, err = keys.NewRoot(current, previous...); err != nil {
				t.Fatal(err)
			}
		})
	}
	const now = storage.Secret("another root secret for tests, and tests alone")
	b.login()
	b.Clock.Advance(3 * time.Second)
	if err := b.Replica(t, root(now, "a root secret for tests, and tests alone")).DeliverWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	verified(t, r.taken()[0], secret)
	b.Clock.Advance(time.Minute)
	b.login()
	b.Clock.Advance(3 * time.Second)
	alone, err := keys.NewRoot(now)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.service(alone).Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.taken(); len(got) == 1 {
		verified(t, got[0], secret)
	} else {
		t.Errorf("%d deliveries", len(got))
	}
	if tried, err := b.Webhooks().Test(t.Context(), b.read(w)); err != nil || tried.Delivered || !strings.Contains(tried.Error, "rotate-secret") {
		t.Errorf("with the old root secret alone: %+v, %v", tried, err)
	}
}

// While the database is away nothing is lost.
func TestEventsWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	b := setup(t, servertest.Store(outage))
	r := newReceiver(t)
	b.target(wire.NewWebhook{URL: r.URL})
	b.login()
	b.Clock.Advance(3 * time.Second)
	outage.Away(true)
	if err := b.DeliverWebhooks(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("without a database: %v", err)
	}
	outage.Away(false)
	b.deliver()
	distinct(t, r.taken(), 1)
}

// The gauges of a target go with it.
func TestMetricsOfTargets(t *testing.T) {
	t.Parallel()
	b := setup(t, servertest.Background())
	r := newReceiver(t)
	w, _ := b.target(wire.NewWebhook{URL: r.URL})
	b.login()
	b.Clock.Advance(3 * time.Second)
	line := func(name string) string { return fmt.Sprintf("%s{kind=%q", name, w.Kind()) }
	shown := func(text string) bool {
		return strings.Contains(b.Do("GET", b.Admin+"/metrics", "").Expect(http.StatusOK).Body, text)
	}
	eventually.True(t, "the metrics of a delivery", func() bool {
		return shown(line("latchkey_outbox_attempts_total")+`,outcome="sent"} 1`) && shown(line("latchkey_outbox_waiting"))
	})
	if err := b.Webhooks().Remove(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	eventually.True(t, "the end of its gauges", func() bool { return !shown(line("latchkey_outbox_waiting")) })
}
