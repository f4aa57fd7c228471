package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"latchkey/clients"
	"latchkey/server/keys"
	"latchkey/storage"
)

// startReminder is how often it is logged that the start has to wait.
const startReminder = time.Minute

// Start reads the signing keys and makes what a first start needs. Run does it too; tests that only use Handler call it.
// What may pass by itself, such as an unreachable database, leaves the server as it was: not ready.
func (s *Server) Start(ctx context.Context) error {
	if s.cfg.Prepare != nil {
		if err := s.cfg.Prepare(ctx); err != nil {
			return err
		}
	}
	if err := s.keys.Load(ctx); err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	if _, err := s.scopes(ctx); err != nil {
		return err
	}
	// What is made from here on has times in it.
	if _, err := s.clock.earlier(ctx); err != nil {
		return err
	}
	if err := s.keys.Ensure(ctx, keys.ES256); err != nil {
		return fmt.Errorf("make the first signing key: %w", err)
	}
	if err := s.startSimpleJWT(ctx); err != nil {
		return err
	}
	if !s.cfg.LoginThrottle {
		s.cfg.Logger.WarnContext(ctx, "the login throttle is off: nothing limits the guessing of passwords", slog.String("fix", "--login-throttle on"))
	}
	if err := s.warnOfAmbiguousLogins(ctx); err != nil {
		return err
	}
	s.ready.started.Store(true)
	return nil
}

// warnOfAmbiguousLogins logs how many names find no user because two have them.
func (s *Server) warnOfAmbiguousLogins(ctx context.Context) error {
	if s.cfg.LoginNames == (storage.LoginNames{}) {
		return nil
	}
	n, err := s.cfg.Store.AmbiguousLogins(ctx, s.cfg.LoginNames)
	if err != nil {
		return fmt.Errorf("count ambiguous login names: %w", err)
	}
	if n > 0 {
		s.cfg.Logger.WarnContext(ctx, "names that more than one user has can't be used to log in", slog.Int("names", n),
			slog.String("fix", "change these users' names or addresses, or --login-names and --login-case"))
	}
	return nil
}

func (s *Server) startSimpleJWT(ctx context.Context) error {
	if !s.cfg.SimpleJWT.Enabled {
		return nil
	}
	if !s.cfg.SimpleJWT.symmetric() {
		if err := s.keys.Ensure(ctx, s.cfg.SimpleJWT.Algorithm); err != nil {
			return fmt.Errorf("make the first signing key: %w", err)
		}
	}
	if err := s.registry.EnsureSimpleJWT(ctx, clients.Policy{}); err != nil {
		return fmt.Errorf("make the client %s: %w", clients.SimpleJWTID, err)
	}
	return nil
}

// mayPass reports whether a start that failed may succeed later without a change by the operator.
func mayPass(err error) bool {
	return errors.Is(err, storage.ErrUnavailable) || isClockError(err)
}

// startLater tries to start until it succeeds, having failed with err; it returns an error that does not pass by itself, and
// nil when ctx ends. It calls answered whenever only the clock keeps it from starting: the database has answered.
func (s *Server) startLater(ctx context.Context, err error, answered func()) error {
	var logged time.Time
	for mayPass(err) {
		if isClockError(err) {
			answered()
		}
		if now := time.Now(); !isClockError(err) && now.Sub(logged) >= startReminder { // the clock logs for itself
			logged = now
			s.cfg.Logger.WarnContext(ctx, "the server is not ready: it waits for the database, and tries again every second", slog.Any("error", err))
		}
		s.ready.waitFor(err)
		pause(ctx, retryAfter)
		if err = s.Start(ctx); ctx.Err() != nil {
			return nil
		}
	}
	return err
}
