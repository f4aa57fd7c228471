package server

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"latchkey/server/figures"
	"latchkey/server/token"
	"latchkey/storage"
)

const (
	maintainEvery = time.Minute
	// maintainBatch and maintainBudget bound what the cleaning takes from requests: small statements, and never long.
	maintainBatch  = 500
	maintainBudget = 20 * time.Second
	// retryAfter is how long background work waits when the database is unavailable.
	retryAfter = time.Second
)

// Background does what no request asks for, until ctx ends: it watches for the changes of other processes, cleans up and
// rotates keys. wait returns when it has ended. Run does it itself.
func (s *Server) Background(ctx context.Context) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() { s.replica.Run(ctx) })
	wg.Go(s.background(ctx))
	return wg.Wait
}

// background is Background without the note that this server runs, which begins earlier when the start has to wait.
func (s *Server) background(ctx context.Context) (wait func()) {
	var wg sync.WaitGroup
	reload := make(chan struct{}, 1)
	wg.Go(func() { s.watch(ctx, reload) })
	wg.Go(func() { s.reloadKeys(ctx, reload) })
	wg.Go(func() { s.prepareKeys(ctx) })
	wg.Go(func() { s.watchClock(ctx) })
	wg.Go(func() { s.maintain(ctx) })
	wg.Go(func() { s.users.Run(ctx) })
	wg.Go(func() { s.audit.Run(ctx) })
	wg.Go(func() { s.logouts.Run(ctx) })
	wg.Go(func() { s.webhooks.Run(ctx) })
	if s.post != nil {
		wg.Go(func() { s.post.Run(ctx) })
		wg.Go(func() { s.requested.Run(ctx) })
		wg.Go(func() { s.alerts.Run(ctx) })
	}
	if s.writeback != nil {
		wg.Go(func() { s.writeback.Run(ctx) })
	}
	return wg.Wait
}

// Follow starts a server that another one of the same process does the work for, and keeps it up to date, until ctx ends: it does no more
// of Background than what only reads. It tries until the start succeeds.
func (s *Server) Follow(ctx context.Context) {
	for s.Start(ctx) != nil {
		pause(ctx, retryAfter)
		if ctx.Err() != nil {
			return
		}
	}
	var wg sync.WaitGroup
	reload := make(chan struct{}, 1)
	wg.Go(func() { s.watch(ctx, reload) })
	wg.Go(func() { s.reloadKeys(ctx, reload) })
	wg.Go(func() { s.watchClock(ctx) })
	wg.Wait()
}

// watch hands on what other processes changed: what is cached here must not outlive it by a second.
func (s *Server) watch(ctx context.Context, reload chan<- struct{}) {
	for ctx.Err() == nil {
		err := s.cfg.Store.Watch(ctx, func(c storage.Change) {
			s.registry.Changed(c)
			if c.Kind == storage.ChangeWebhooks || c.Kind == storage.ChangeAll {
				s.webhooks.Changed()
			}
			if c.Kind == storage.ChangeSigningKeys || c.Kind == storage.ChangeAll {
				// Reading the keys takes a round trip, and this function must not block. One waiting mark is enough:
				// who takes it reads everything that was written before.
				select {
				case reload <- struct{}{}:
				default:
				}
			}
		})
		if ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "watching for changes was interrupted", slog.Any("error", err))
			pause(ctx, retryAfter)
		}
	}
}

// reloadKeys reads the signing keys whenever they changed, and tries until it has succeeded.
func (s *Server) reloadKeys(ctx context.Context, reload <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
		}
		s.try(ctx, "the signing keys could not be read", s.keys.Load)
	}
}

// prepareKeys makes the key of ID tokens ahead of the first one, so that clients find it in the JWKS. A start need not wait for
// it: an RSA key takes up to a second.
func (s *Server) prepareKeys(ctx context.Context) {
	s.try(ctx, "the key of ID tokens could not be made", func(ctx context.Context) error { return s.keys.Ensure(ctx, token.IDTokenAlgs()[0]) })
}

// try calls do until it succeeds, and logs why it does not.
func (s *Server) try(ctx context.Context, failure string, do func(context.Context) error) {
	for ctx.Err() == nil {
		err := do(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		s.cfg.Logger.WarnContext(ctx, failure, slog.Any("error", err))
		pause(ctx, retryAfter)
	}
}

// maintain cleans up now and then. The times are spread, so that replicas that start together do not clean together.
func (s *Server) maintain(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.maintainOnce(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "the background cleaning failed", slog.Any("error", err))
		}
		pause(ctx, maintainEvery*9/10+rand.N(maintainEvery/5))
	}
}

// maintainOnce removes what has ended, batch by batch, for maintainBudget at most, and rotates keys that are due. It does
// nothing while this machine's clock is wrong.
func (s *Server) maintainOnce(ctx context.Context) error {
	now, err := s.clock.earlier(ctx)
	if isClockError(err) {
		return nil // the clock logs it
	}
	if err != nil {
		return err
	}
	if err := s.keys.Maintain(ctx); err != nil {
		return err
	}
	begin := time.Now()
	for time.Since(begin) < maintainBudget {
		m, err := s.cfg.Store.Maintain(ctx, now.UTC(), maintainBatch)
		if err != nil {
			return err
		}
		s.cleaned.count(m)
		if m.Clients > 0 {
			s.cfg.Logger.InfoContext(ctx, "clients removed that registered themselves and were not used", slog.Int64("clients", m.Clients))
		}
		if len(m.PartitionsCreated)+len(m.PartitionsDropped) > 0 {
			s.cfg.Logger.InfoContext(ctx, "partitions changed",
				slog.Any("created", m.PartitionsCreated), slog.Any("dropped", m.PartitionsDropped))
		}
		if !m.More {
			break
		}
		pause(ctx, 20*time.Millisecond) // requests first
	}
	if err := s.pruneAudit(ctx, now); err != nil {
		return err
	}
	if err := s.SweepAbsent(ctx, now.UTC()); err != nil {
		return err
	}
	s.cleaned.last.Set(float64(s.cfg.Now().Unix()))
	if err := figures.Count(ctx, s.cfg.Store, now.UTC()); err != nil {
		return err
	}
	return ctx.Err()
}

// watchClock compares the clocks now and then. Readiness does it too, when it is asked.
func (s *Server) watchClock(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, clockEvery)
		_, err := s.clock.earlier(ctx)
		s.outages.Note(ctx, err)
		if err != nil && !isClockError(err) && ctx.Err() == nil {
			s.cfg.Logger.DebugContext(ctx, "the clocks could not be compared", slog.Any("error", err))
		}
	}
}

// pruneAudit removes audit events that are older than the operator keeps them.
func (s *Server) pruneAudit(ctx context.Context, now time.Time) error {
	if s.cfg.AuditRetention <= 0 {
		return nil
	}
	for begin := time.Now(); time.Since(begin) < maintainBudget; {
		n, dropped, err := s.cfg.Store.PruneAudit(ctx, now.UTC().Add(-s.cfg.AuditRetention), maintainBatch)
		if err != nil {
			return err
		}
		s.cleaned.removed.WithLabelValues("audit_events").Add(float64(n))
		if len(dropped) > 0 {
			s.cfg.Logger.InfoContext(ctx, "audit events beyond --audit-retention dropped", slog.Any("partitions", dropped))
		}
		if n < maintainBatch {
			return nil
		}
		pause(ctx, 20*time.Millisecond)
	}
	return nil
}

// pause waits, but not longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
