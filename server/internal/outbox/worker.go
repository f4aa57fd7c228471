package outbox

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	batch = 10
	// lease is longer than an attempt may take, including the wait for a slot and for the database.
	lease     = 30 * time.Second
	atOnce    = 16
	pollEvery = 2 * time.Second
	// sendTimeout limits an attempt, whatever it does, unless Work says otherwise.
	sendTimeout = 15 * time.Second
)

// Work configures a Worker.
type Work[T any] struct {
	// What names the outbox in the log.
	What string
	// Claim returns up to limit pieces that are due, each to one caller only until the lease is over.
	Claim func(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]T, error)
	// Send makes one attempt and stores its outcome. After an error the piece is claimed again when the lease is over.
	Send   func(ctx context.Context, piece T) error
	Now    func() time.Time
	Logger *slog.Logger
	// Paused reports whether nothing may be sent or dropped now, such as while this machine's clock is wrong; nil means never.
	Paused func() bool
	// AtOnce is how many are sent at once; 0 means 16.
	AtOnce int
	// PollEvery is how often the worker looks for what other processes have stored; 0 means 2 seconds.
	PollEvery time.Duration
	// Timeout limits an attempt; 0 means 15 seconds. At most 25: the lease is 30.
	Timeout time.Duration
}

// Worker sends what is in an outbox. Any number of workers may use one database.
type Worker[T any] struct {
	cfg   Work[T]
	wake  chan struct{}
	slots chan struct{}
	wg    sync.WaitGroup
}

// NewWorker returns a Worker.
func NewWorker[T any](cfg Work[T]) *Worker[T] {
	return &Worker[T]{cfg: cfg, wake: make(chan struct{}, 1), slots: make(chan struct{}, cmp.Or(cfg.AtOnce, atOnce))}
}

// Wake makes the worker look now. It never blocks.
func (w *Worker[T]) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends, and then waits for the attempts under way.
func (w *Worker[T]) Run(ctx context.Context) {
	defer w.wg.Wait()
	for ctx.Err() == nil {
		n, err := w.round(ctx)
		if err != nil && ctx.Err() == nil {
			w.cfg.Logger.WarnContext(ctx, "could not read an outbox", slog.String("outbox", w.cfg.What), slog.Any("error", err))
		}
		if n > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-time.After(cmp.Or(w.cfg.PollEvery, pollEvery)):
		}
	}
}

// Flush sends what is due and waits for it. It is for tests and for programs that do not call Run.
func (w *Worker[T]) Flush(ctx context.Context) error {
	defer w.wg.Wait()
	for {
		if n, err := w.round(ctx); n == 0 || err != nil {
			return err
		}
	}
}

// round waits for a free slot, claims as many pieces as there are free slots, and starts to send them.
func (w *Worker[T]) round(ctx context.Context) (int, error) {
	if w.cfg.Paused != nil && w.cfg.Paused() {
		return 0, nil
	}
	free := 0
	select {
	case w.slots <- struct{}{}:
		free++
	case <-ctx.Done():
		return 0, nil
	}
	for more := true; more && free < batch; {
		select {
		case w.slots <- struct{}{}:
			free++
		default:
			more = false
		}
	}
	claimed, err := w.cfg.Claim(ctx, w.cfg.Now().UTC(), lease, free)
	for range free - len(claimed) {
		<-w.slots
	}
	if err != nil {
		return 0, err
	}
	for _, piece := range claimed {
		w.wg.Go(func() {
			defer func() { <-w.slots }()
			// An attempt is completed even if ctx ends, so that a restart does not send it twice.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(w.cfg.Timeout, sendTimeout))
			defer cancel()
			if err := w.cfg.Send(ctx, piece); err != nil {
				w.cfg.Logger.WarnContext(ctx, "could not send from an outbox", slog.String("outbox", w.cfg.What), slog.Any("error", err))
			}
		})
	}
	return len(claimed), nil
}
