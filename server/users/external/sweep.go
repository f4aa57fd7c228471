package external

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"latchkey/server/internal/audit"
	"latchkey/server/internal/metrics"
	"latchkey/storage"
)

const (
	// sweepEvery is how long after a pass the next one begins.
	sweepEvery = time.Hour
	sweepPage  = 500
	// sweepMost bounds what one pass removes.
	sweepMost = 10_000
	// At most one account in so many, or a single one, may be missing; if more are, the cause is not that they were deleted.
	absentOneIn = 10
)

// ErrManyAbsent means that so many accounts are missing that no user was removed.
var ErrManyAbsent = errors.New("more accounts are missing than deletions explain")

// TooManyAbsent reports whether so many accounts are missing, of those that were seen, that only an operator may remove their users.
func TooManyAbsent(absent, seen int) bool { return absent > max(1, seen/absentOneIn) }

// Accounts says who has an account in the other system.
type Accounts interface {
	// Presence sorts users by whether they have an account. An error says nothing about any user: that of a directory that is unavailable, or empty.
	Presence(ctx context.Context, list []*storage.Presence) (present, absent []int64, err error)
}

// Sweeper removes what is kept here of users whose accounts were removed in the other system some time ago.
type Sweeper struct {
	Store interface {
		storage.Absences
		audit.Store
	}
	Accounts Accounts
	// After is for how long an account must have been missing.
	After  time.Duration
	Logger *slog.Logger
	// Notices returns the logout notices for the clients of a user's sessions, which are stored in the transaction that removes the user, and Noticed is called
	// after that. Either may be nil.
	Notices func(ctx context.Context, p *storage.Presence) ([]*storage.LogoutNotice, error)
	Noticed func()
	// Metrics may be nil.
	Metrics *metrics.Metrics
	// Any removes users however many are missing. DryRun removes no user.
	Any, DryRun bool

	due    time.Time
	cursor int64
	pass   Swept
	gone   []*storage.Presence
}

// Swept is what a pass over all users has found.
type Swept struct {
	// Seen had an account; of these Absent have none now, Removed were removed, and Due had been absent for long enough.
	Seen    int `json:"seen"`
	Absent  int `json:"absent"`
	Due     int `json:"due"`
	Removed int `json:"removed"`
}

// Pass goes on with a pass over the users for up to a budget, or begins one if one is due. done is true when it has ended: then those who were due are
// removed. Errors: ErrManyAbsent; those of the directory and of the store, after which the next call begins anew.
func (s *Sweeper) Pass(ctx context.Context, now time.Time, budget time.Duration) (result Swept, done bool, err error) {
	if now = now.UTC().Truncate(time.Microsecond); now.Before(s.due) {
		return Swept{}, false, nil
	}
	for begin := time.Now(); ; {
		last, err := s.page(ctx, now)
		if err != nil {
			s.restart()
			return Swept{}, false, err
		}
		if last {
			break
		}
		if time.Since(begin) > budget {
			return Swept{}, false, nil
		}
	}
	defer s.restart()
	s.due = now.Add(sweepEvery)
	s.pass.Due = len(s.gone)
	switch {
	case len(s.gone) == 0 || s.DryRun:
		return s.pass, true, nil
	case !s.Any && TooManyAbsent(s.pass.Absent, s.pass.Seen):
		return s.pass, true, fmt.Errorf("%d of %d users: %w", s.pass.Absent, s.pass.Seen, ErrManyAbsent)
	}
	err = s.remove(ctx, now)
	return s.pass, true, err
}

func (s *Sweeper) restart() { s.cursor, s.pass, s.gone = 0, Swept{}, nil }

// page looks at the next users. last is true if there are no more.
func (s *Sweeper) page(ctx context.Context, now time.Time) (last bool, err error) {
	list, err := s.Store.ListPresence(ctx, s.cursor, sweepPage)
	if err != nil || len(list) == 0 {
		return true, err
	}
	present, absent, err := s.Accounts.Presence(ctx, list)
	if err != nil {
		return false, err
	}
	missing := make(map[int64]bool, len(absent))
	for _, id := range absent {
		missing[id] = true
	}
	for _, p := range list {
		switch {
		case !missing[p.ID]:
			s.pass.Seen++
		case p.Seen: // others never had an account there
			s.pass.Seen++
			s.pass.Absent++
			if p.AbsentSince.IsZero() {
				p.AbsentSince = now
			}
			if !p.AbsentSince.After(now.Add(-s.After)) && len(s.gone) < sweepMost {
				s.gone = append(s.gone, p)
			}
		}
	}
	s.cursor = list[len(list)-1].ID
	if !s.DryRun {
		err = s.Store.NotePresence(ctx, present, absent, now)
	}
	return len(list) < sweepPage, err
}

// remove removes those who were due and still have no account.
func (s *Sweeper) remove(ctx context.Context, now time.Time) error {
	for len(s.gone) > 0 {
		some := s.gone[:min(len(s.gone), 100)]
		s.gone = s.gone[len(some):]
		_, absent, err := s.Accounts.Presence(ctx, some)
		if err != nil {
			return err
		}
		for _, p := range some {
			if !slices.Contains(absent, p.ID) {
				continue
			}
			if err := s.removeOne(ctx, p, now); err != nil {
				return err
			}
		}
	}
	s.Logger.InfoContext(ctx, "users removed whose accounts are no longer in Django's table", slog.Int("users", s.pass.Removed))
	return nil
}

// removeOne removes a user. A user who has entered meanwhile, or was removed by another replica, is left alone.
func (s *Sweeper) removeOne(ctx context.Context, p *storage.Presence, now time.Time) error {
	var notices []*storage.LogoutNotice
	if s.Notices != nil {
		var err error
		if notices, err = s.Notices(ctx, p); err != nil {
			return err
		}
	}
	e := audit.EventAt(ctx, "user_removed", "server", now)
	e.UserID, e.Details = p.ID, fmt.Appendf(nil, `{"absent_since":%q}`, p.AbsentSince.UTC().Format(time.RFC3339))
	switch err := s.Store.RemoveAbsentUser(ctx, p.ID, p.AbsentSince, e, notices...); {
	case errors.Is(err, storage.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("remove a user without an account: %w", err)
	}
	(&audit.Log{Store: s.Store, Metrics: s.Metrics}).Written(e)
	s.pass.Removed++
	if len(notices) > 0 && s.Noticed != nil {
		s.Noticed()
	}
	return nil
}
