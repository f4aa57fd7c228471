package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"latchkey/server/internal/metrics"
	"latchkey/storage"
)

const (
	// FirstWait and MaxWait are the shortest and the longest delay between two attempts.
	FirstWait = 5 * time.Second
	MaxWait   = 30 * time.Minute
	// kept is how long a row stays after its end: it must not be removed by the cleaning before a worker has given it up and said so.
	kept = 24 * time.Hour
	// measureEvery is how often the gauge of waiting messages is read.
	measureEvery = 15 * time.Second
)

// Backoff returns the delay after a number of attempts, at least one. It doubles each time and has a random part, so that what failed
// together is not retried together.
func Backoff(attempts int) time.Duration {
	wait := MaxWait
	if doublings := max(attempts, 1) - 1; doublings < 16 {
		wait = min(FirstWait<<doublings, MaxWait)
	}
	return wait*3/4 + rand.N(wait/2)
}

// Message returns a message of a kind that is due at now, and is dropped after a time.
func Message(kind string, key storage.Digest, payload []byte, now time.Time, giveUp time.Duration) *storage.OutboxMessage {
	now = now.UTC().Truncate(time.Microsecond)
	return &storage.OutboxMessage{
		ID: storage.NewID(now), Kind: kind, Key: key, Payload: payload, CreatedAt: now, NextAttemptAt: now,
		GiveUpAt: now.Add(giveUp), ExpiresAt: now.Add(giveUp + kept),
	}
}

// The outcomes of an attempt, in the metrics.
const (
	outcomeSent    = "sent"
	outcomeRetried = "retried" // will be tried again
	outcomeRefused = "refused" // dropped: it would be refused again
	outcomeExpired = "expired" // dropped: its time is over
)

// ErrRefused is in the error of an attempt that no other one will better.
var ErrRefused = errors.New("refused for good")

// Send makes one attempt to send a message, of which others may follow: also one that has succeeded may be repeated, if this process
// dies before it is noted. What it returns is stored in the same transaction as that the message is done with. An error that wraps ErrRefused ends the attempts.
type Send func(ctx context.Context, m *storage.OutboxMessage) (next []*storage.OutboxMessage, err error)

// Sending configures a Sender.
type Sending struct {
	Kind    string
	Store   storage.Outbox
	Send    Send
	Now     func() time.Time
	Logger  *slog.Logger
	Metrics *metrics.Metrics
	// Backoff returns the delay after a number of attempts; nil means Backoff.
	Backoff func(attempts int) time.Duration
	// Dropped, unless nil, is called once a message was dropped, with the error of the last attempt, nil if there was none.
	Dropped func(ctx context.Context, m *storage.OutboxMessage, reason error)
	// Undelivered, unless nil, keeps the messages that were dropped.
	Undelivered Undelivered
	// Paused, AtOnce, PollEvery and Timeout are those of Work.
	Paused             func() bool
	AtOnce             int
	PollEvery, Timeout time.Duration
}

// Undelivered keeps the messages of a kind that were dropped, for operators.
type Undelivered interface {
	// Abandon stores that a message is dropped, and finishes it: it was refused for good, or its time is over. reason is the error of the last
	// attempt, nil if it is not known.
	Abandon(ctx context.Context, m *storage.OutboxMessage, refused bool, reason error) error
	// CountUndelivered returns how many are kept now, or a bound if there are more.
	CountUndelivered(ctx context.Context) (int, error)
}

// Sender sends the messages of one kind.
type Sender struct {
	*Worker[*storage.OutboxMessage]
	cfg Sending
}

// NewSender returns a Sender.
func NewSender(cfg Sending) *Sender {
	if cfg.Backoff == nil {
		cfg.Backoff = Backoff
	}
	s := &Sender{cfg: cfg}
	s.Worker = NewWorker(Work[*storage.OutboxMessage]{
		What: cfg.Kind, Send: s.attempt, Now: cfg.Now, Logger: cfg.Logger, Paused: cfg.Paused, AtOnce: cfg.AtOnce, PollEvery: cfg.PollEvery,
		Timeout: cfg.Timeout,
		Claim: func(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]*storage.OutboxMessage, error) {
			return cfg.Store.ClaimOutboxMessages(ctx, cfg.Kind, now, lease, limit)
		},
	})
	return s
}

// Run is that of the Worker; it also measures how much waits.
func (s *Sender) Run(ctx context.Context) {
	measured := make(chan struct{})
	go func() {
		defer close(measured)
		for ctx.Err() == nil {
			s.measure(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(measureEvery):
			}
		}
	}()
	s.Worker.Run(ctx)
	<-measured
}

// measure sets the gauges. While the database is unreachable they keep their values.
func (s *Sender) measure(ctx context.Context) {
	n, since, err := s.cfg.Store.WaitingOutboxMessages(ctx, s.cfg.Kind)
	if err != nil {
		return
	}
	age := 0.0
	if !since.IsZero() {
		age = max(0, s.cfg.Now().Sub(since).Seconds())
	}
	s.cfg.Metrics.OutboxWaiting.WithLabelValues(s.cfg.Kind).Set(float64(n))
	s.cfg.Metrics.OutboxAge.WithLabelValues(s.cfg.Kind).Set(age)
	if s.cfg.Undelivered == nil {
		return
	}
	if n, err := s.cfg.Undelivered.CountUndelivered(ctx); err == nil {
		s.cfg.Metrics.OutboxUndelivered.WithLabelValues(s.cfg.Kind).Set(float64(n))
	}
}

// attempt makes one attempt, or drops a message whose time is over.
func (s *Sender) attempt(ctx context.Context, m *storage.OutboxMessage) error {
	if !s.now().Before(m.GiveUpAt) {
		return s.finish(ctx, m, outcomeExpired, nil, nil)
	}
	next, err := s.cfg.Send(ctx, m)
	switch {
	case err == nil:
		return s.finish(ctx, m, outcomeSent, nil, next)
	case errors.Is(err, ErrRefused):
		return s.finish(ctx, m, outcomeRefused, err, nil)
	}
	at := s.now().Add(s.cfg.Backoff(m.Attempts))
	if !at.Before(m.GiveUpAt) {
		return s.finish(ctx, m, outcomeExpired, err, nil)
	}
	s.count(outcomeRetried)
	s.cfg.Logger.InfoContext(ctx, "a message could not be sent and will be tried again", slog.String("outbox", s.cfg.Kind),
		slog.String("id", m.ID.String()), slog.Int("attempts", m.Attempts), slog.Time("next_attempt", at), slog.Any("error", err))
	if err := s.cfg.Store.RetryOutboxMessage(ctx, m.ID, at); err != nil {
		return fmt.Errorf("retry message: %w", err)
	}
	return nil
}

// finish notes that a message is done with. If it was dropped, the operator is warned.
func (s *Sender) finish(ctx context.Context, m *storage.OutboxMessage, outcome string, reason error, next []*storage.OutboxMessage) error {
	var err error
	if outcome != outcomeSent && s.cfg.Undelivered != nil {
		err = s.cfg.Undelivered.Abandon(ctx, m, outcome == outcomeRefused, reason)
	} else {
		err = s.cfg.Store.FinishOutboxMessage(ctx, m.ID, next...)
	}
	if err != nil {
		return fmt.Errorf("finish message: %w", err)
	}
	s.count(outcome)
	if outcome != outcomeSent {
		s.cfg.Logger.WarnContext(ctx, "a message was dropped", slog.String("outbox", s.cfg.Kind), slog.String("id", m.ID.String()),
			slog.String("outcome", outcome), slog.Int("attempts", m.Attempts), slog.Any("error", reason))
		if s.cfg.Dropped != nil {
			s.cfg.Dropped(ctx, m, reason)
		}
	}
	if len(next) > 0 {
		s.Wake()
	}
	return nil
}

func (s *Sender) count(outcome string) {
	s.cfg.Metrics.OutboxAttempts.WithLabelValues(s.cfg.Kind, outcome).Inc()
}

func (s *Sender) now() time.Time { return s.cfg.Now().UTC() }
