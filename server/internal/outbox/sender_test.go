package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"latchkey/server/internal/metrics"
	"latchkey/server/internal/outbox"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
)

// bundle is a sender whose attempts end as the test wants.
type bundle struct {
	*testing.T
	*outbox.Sender
	store   storage.Store
	clock   *testclock.Clock
	metrics *metrics.Metrics
	log     bytes.Buffer

	mu   sync.Mutex
	fail error
	got  []string
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{T: t, store: sqlitetest.SQLite(t), metrics: metrics.New(), clock: testclock.New(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	b.Sender = outbox.NewSender(outbox.Sending{
		Kind: "mail", Store: b.store, Now: b.clock.Now, Logger: slog.New(slog.NewTextHandler(&b.log, nil)), Metrics: b.metrics, AtOnce: 1,
		Send: func(_ context.Context, m *storage.OutboxMessage) ([]*storage.OutboxMessage, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.got = append(b.got, string(m.Payload))
			if strings.HasPrefix(string(m.Payload), "job ") {
				return []*storage.OutboxMessage{b.message(strings.TrimPrefix(string(m.Payload), "job "))}, b.fail
			}
			return nil, b.fail
		},
	})
	return b
}

func (b *bundle) message(text string) *storage.OutboxMessage {
	var key storage.Digest
	copy(key[:], text)
	return outbox.Message("mail", key, []byte(text), b.clock.Now(), 24*time.Hour)
}

func (b *bundle) put(text string) {
	b.Helper()
	if err := b.store.CreateOutboxMessages(b.Context(), b.message(text)); err != nil {
		b.Fatal(err)
	}
}

// flush sends what is due and returns what was sent since the last call.
func (b *bundle) flush() []string {
	b.Helper()
	if err := b.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	got := b.got
	b.got = nil
	return got
}

func (b *bundle) counted(outcome string) float64 {
	return testutil.ToFloat64(b.metrics.OutboxAttempts.WithLabelValues("mail", outcome))
}

func TestAMessageIsSentOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put("hello")
	b.put("hello")
	if got := b.flush(); fmt.Sprint(got) != "[hello]" || b.counted("sent") != 1 {
		t.Errorf("sent %v, %v", got, b.counted("sent"))
	}
	b.put("hello")
	if got := b.flush(); got != nil {
		t.Errorf("sent %v again", got)
	}
}

func TestWhatFollowsFromAMessageIsSentToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put("job hello")
	if got := b.flush(); fmt.Sprint(got) != "[job hello hello]" {
		t.Errorf("sent %v", got)
	}
}

func TestAMessageIsRetriedWithGrowingDelaysAndGivenUpWithAWarning(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fail = errors.New("nobody answers")
	b.put("hello")
	attempts := 0
	for range 24*60 + 1 { // a day in minutes, and its end: the last attempt may have been planned for the minute before
		attempts += len(b.flush())
		b.clock.Advance(time.Minute)
	}
	if attempts < 24 || attempts > 100 {
		t.Errorf("%d attempts in a day", attempts)
	}
	if b.counted("expired") != 1 || !strings.Contains(b.log.String(), "a message was dropped") || !strings.Contains(b.log.String(), "outcome=expired") {
		t.Errorf("%v given up: %s", b.counted("expired"), b.log.String())
	}
	b.clock.Advance(time.Hour)
	if got := b.flush(); got != nil {
		t.Errorf("sent after the end: %v", got)
	}
}

func TestARefusedMessageIsAbandonedAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fail = fmt.Errorf("550 no such mailbox: %w", outbox.ErrRefused)
	b.put("hello")
	b.flush()
	b.clock.Advance(time.Hour)
	if got := b.flush(); got != nil || b.counted("refused") != 1 || !strings.Contains(b.log.String(), "550 no such mailbox") {
		t.Errorf("sent %v, log %s", got, b.log.String())
	}
}

// archive keeps what was dropped.
type archive struct {
	kept []string
	err  error
}

func (a *archive) Abandon(_ context.Context, m *storage.OutboxMessage, refused bool, reason error) error {
	if a.err == nil {
		a.kept = append(a.kept, fmt.Sprintf("%s %t %v", m.Payload, refused, reason))
	}
	return a.err
}

func (a *archive) CountUndelivered(context.Context) (int, error) { return len(a.kept), nil }

func TestDroppedMessagesAreKeptWhereThatIsWantedAndCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := &archive{err: errors.New("no database")}
	s := outbox.NewSender(outbox.Sending{
		Kind: "mail", Store: b.store, Now: b.clock.Now, Logger: slog.New(slog.NewTextHandler(&b.log, nil)), Metrics: b.metrics, AtOnce: 1, Undelivered: a,
		Send: func(_ context.Context, m *storage.OutboxMessage) ([]*storage.OutboxMessage, error) {
			if string(m.Payload) == "fine" {
				return nil, nil
			}
			return nil, fmt.Errorf("550: %w", outbox.ErrRefused)
		},
	})
	b.put("fine")
	b.put("lost")
	if err := s.Flush(t.Context()); err != nil || len(a.kept) > 0 || b.counted("refused") > 0 {
		t.Fatalf("without a database %v is kept, %v dropped: %v", a.kept, b.counted("refused"), err)
	}
	a.err = nil
	b.clock.Advance(time.Minute) // after its lease
	if err := s.Flush(t.Context()); err != nil || fmt.Sprint(a.kept) != "[lost true 550: refused for good]" || b.counted("refused") != 1 || b.counted("sent") != 1 {
		t.Errorf("kept %v, %v dropped, %v sent: %v", a.kept, b.counted("refused"), b.counted("sent"), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	for testutil.ToFloat64(b.metrics.OutboxUndelivered.WithLabelValues("mail")) != 1 {
		time.Sleep(time.Millisecond) // until the test's own time-out
	}
	cancel()
	<-done
}

func TestAMessageOfAWorkerThatDiedIsSentByAnother(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put("hello")
	if list, err := b.store.ClaimOutboxMessages(t.Context(), "mail", b.clock.Now(), time.Minute, 1); err != nil || len(list) != 1 {
		t.Fatalf("%v %v", list, err)
	}
	if got := b.flush(); got != nil {
		t.Errorf("sent %v while another one has it", got)
	}
	b.clock.Advance(time.Minute)
	if got := b.flush(); fmt.Sprint(got) != "[hello]" {
		t.Errorf("sent %v", got)
	}
}
