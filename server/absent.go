package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"latchkey/server/users/external"
	"latchkey/storage"
)

// SweepAbsent removes users whose accounts have been missing in the directory for long; the background cleaning does it once an hour. It does nothing while
// the directory does not answer.
func (s *Server) SweepAbsent(ctx context.Context, now time.Time) error {
	if s.sweeper == nil {
		return nil
	}
	found, _, err := s.sweeper.Pass(ctx, now, maintainBudget)
	switch {
	case errors.Is(err, external.ErrManyAbsent):
		s.cfg.Logger.WarnContext(ctx, "so many accounts are missing in Django's table that no user is removed",
			slog.Int("absent", found.Absent), slog.Int("users", found.Seen),
			slog.String("fix", "If they were removed on purpose, run latchkey django remove-absent --any-number. If not, check --django-database-url and --django-users."))
		return nil
	case errors.Is(err, storage.ErrUnavailable) && ctx.Err() == nil:
		s.cfg.Logger.WarnContext(ctx, "whose accounts are missing in Django's table is not known: no user is removed", slog.Any("error", err))
		return nil
	}
	s.cleaned.removed.WithLabelValues("users").Add(float64(found.Removed))
	return err
}
