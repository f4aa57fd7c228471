// Package writeback ends in Django what ended here, so that a way back revives no session.
//
// The store knows which tokens Django would accept, and the database notices which of them have ended. The worker brings these to Django's
// blacklist and forgets them then: each at least once, also after a crash and after an outage of Django's database. It never delays a request.
package writeback

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"latchkey/storage"
)

const (
	every = time.Second
	// maxPause is how long the worker waits at most after failures.
	maxPause = time.Minute
	batch    = 1000
	// missedEvery is how often the worker looks for tokens that were recorded while their session ended, missedWithin how far back.
	missedEvery  = 30 * time.Second
	missedWithin = 10 * time.Minute
)

// Blacklist is that of Django.
type Blacklist interface {
	Add(ctx context.Context, tokens []storage.RevokedToken) error
}

// Config configures a Worker.
type Config struct {
	Store     storage.IssuedTokens
	Blacklist Blacklist
	Now       func() time.Time
	Logger    *slog.Logger
	Registry  prometheus.Registerer
}

// Worker writes to Django's blacklist. Any number of workers may use one database.
type Worker struct {
	cfg     Config
	written prometheus.Counter
	failed  prometheus.Counter
	behind  prometheus.Gauge
	looked  time.Time
}

// New returns a worker and registers its metrics.
func New(cfg Config) *Worker {
	w := &Worker{
		cfg: cfg,
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "latchkey_django_blacklist_written_total", Help: "Ended tokens that were written to Django's blacklist.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "latchkey_django_blacklist_failures_total", Help: "Attempts to write to Django's blacklist that failed and are repeated.",
		}),
		behind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "latchkey_django_blacklist_failing_seconds", Help: "How long writing to Django's blacklist has failed; 0 when it works.",
		}),
	}
	cfg.Registry.MustRegister(w.written, w.failed, w.behind)
	return w
}

// Run writes until ctx ends.
func (w *Worker) Run(ctx context.Context) {
	var since time.Time // of the failures
	pause := every
	for ctx.Err() == nil {
		err := w.Once(ctx)
		switch {
		case err == nil:
			if !since.IsZero() {
				w.cfg.Logger.InfoContext(ctx, "Django's blacklist is written again")
			}
			since, pause = time.Time{}, every
			w.behind.Set(0)
		case ctx.Err() == nil:
			w.failed.Inc()
			if since.IsZero() {
				since = w.cfg.Now()
				w.cfg.Logger.ErrorContext(ctx, "sessions that ended here can't be ended in Django; it is tried again", slog.Any("error", err))
			}
			pause = min(2*pause, maxPause)
			w.behind.Set(w.cfg.Now().Sub(since).Seconds())
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// Once writes what has ended so far.
func (w *Worker) Once(ctx context.Context) error {
	now := w.cfg.Now().UTC()
	if now.Sub(w.looked) >= missedEvery {
		if _, err := w.cfg.Store.MissedTokens(ctx, now.Add(-missedWithin)); err != nil {
			return err
		}
		w.looked = now
	}
	for {
		tokens, err := w.cfg.Store.EndedTokens(ctx, now, batch)
		if err != nil || len(tokens) == 0 {
			return err
		}
		if err := w.cfg.Blacklist.Add(ctx, tokens); err != nil {
			return err
		}
		jtis := make([]string, len(tokens))
		for i, t := range tokens {
			jtis[i] = t.JTI
		}
		if err := w.cfg.Store.ForgetIssuedTokens(ctx, jtis); err != nil { // written again next time
			return err
		}
		w.written.Add(float64(len(tokens)))
		if len(tokens) < batch {
			return nil
		}
	}
}
