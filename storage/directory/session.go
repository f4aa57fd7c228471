package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/storage"
)

// This file puts the accounts into what is read together with a user. Where the statements of the store read the accounts themselves, it
// only makes sure that a missing account is missed in the right table.

// present returns the user of what is kept of them, or nil if there is none or the account is gone.
func (s *Store) present(ctx context.Context, kept *storage.User, profile bool) (*storage.User, error) {
	if s.joined {
		if kept == nil {
			return nil, s.source.Confirm(ctx)
		}
		return kept, nil
	}
	if kept == nil {
		return nil, nil
	}
	account, err := s.source.Account(ctx, profile, kept.Sub())
	if err != nil || account == nil {
		return nil, err
	}
	return of(account, kept), nil
}

// alive reports whether a session of a user lives that has this epoch.
func alive(u *storage.User, epoch int64) bool { return u != nil && u.Active && u.AuthEpoch == epoch }

// Grant implements storage.Grants.
func (s *Store) Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	live, err := s.Store.Grant(ctx, id)
	return s.withUser(ctx, live, false, err)
}

// GrantWithProfile implements storage.Grants.
func (s *Store) GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	live, err := s.Store.GrantWithProfile(ctx, id)
	return s.withUser(ctx, live, true, err)
}

func (s *Store) withUser(ctx context.Context, live *storage.LiveGrant, profile bool, err error) (*storage.LiveGrant, error) {
	if err != nil {
		return nil, err
	}
	if live.User, err = s.present(ctx, live.User, profile); err != nil {
		return nil, err
	}
	return live, nil
}

// AttemptGrant implements storage.Grants. Where the accounts are in another database, the account is asked for at the same time if the
// attempt can be made again and says whose it is; after it, if it does not say so; and before it, if it can be made only once. An attempt
// for a user whose session has ended is a conflict, although the chain was moved: its token is never sent.
func (s *Store) AttemptGrant(ctx context.Context, a storage.GrantAttempt) (*storage.LiveGrant, int, error) {
	if s.joined {
		return s.Store.AttemptGrant(ctx, a)
	}
	ask := func(subjects []string) func() (map[string]*storage.User, error) {
		return later(func() (map[string]*storage.User, error) { return s.source.Accounts(ctx, a.Profile, subjects...) })
	}
	answer := ask(a.Subjects)
	if !a.Repeatable {
		if len(a.Subjects) == 0 {
			live, err := s.Store.Grant(ctx, a.ID)
			if errors.Is(err, storage.ErrNotFound) || err == nil && live.User == nil {
				err = fmt.Errorf("attempt grant: %w", storage.ErrConflict)
			}
			if err != nil {
				return nil, 0, err
			}
			answer = ask([]string{live.User.Sub()})
		}
		if _, err := answer(); err != nil {
			return nil, 0, err
		}
	}
	live, which, err := s.Store.AttemptGrant(ctx, a)
	if err != nil {
		return nil, 0, err
	}
	accounts, err := answer()
	if err == nil && live.User != nil && accounts[live.User.Sub()] == nil {
		accounts, err = s.source.Accounts(ctx, a.Profile, live.User.Sub())
	}
	if err != nil {
		return nil, 0, err
	}
	if account := accounts[live.User.Sub()]; account == nil {
		live.User = nil
	} else {
		live.User = of(account, live.User)
	}
	if !alive(live.User, live.UserEpoch) {
		return nil, 0, fmt.Errorf("attempt grant: the account has changed: %w", storage.ErrConflict)
	}
	return live, which, nil
}

// later runs f beside what follows, and returns what waits for its answer.
func later[T any](f func() (T, error)) func() (T, error) {
	var value T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		value, err = f()
	}()
	return func() (T, error) {
		<-done
		return value, err
	}
}

// ListGrants implements storage.Grants.
func (s *Store) ListGrants(ctx context.Context, f storage.GrantFilter) ([]*storage.LiveGrant, error) {
	if s.joined {
		return s.Store.ListGrants(ctx, f)
	}
	var list []*storage.LiveGrant
	for limit := f.Limit; ; {
		page, err := s.Store.ListGrants(ctx, f)
		if err != nil {
			return nil, err
		}
		users := make([]*storage.User, len(page))
		for i, g := range page {
			users[i] = g.User
		}
		accounts, err := s.accounts(ctx, false, users)
		if err != nil {
			return nil, err
		}
		for _, g := range page {
			f.After = g.ID
			if g.User != nil {
				if account := accounts[g.User.Sub()]; account != nil {
					g.User = of(account, g.User)
				} else {
					g.User = nil
				}
			}
			if f.LiveAt.IsZero() || alive(g.User, g.UserEpoch) {
				list = append(list, g)
			}
		}
		// Callers take a short page for the last one.
		if limit <= 0 || len(page) < f.Limit || len(list) >= limit {
			return list, nil
		}
		f.Limit = limit - len(list)
	}
}

// BrowserSession implements storage.BrowserSessions.
func (s *Store) BrowserSession(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveBrowserSession, error) {
	b, err := s.Store.BrowserSession(ctx, hash, clientID)
	if err == nil {
		b.User, err = s.present(ctx, b.User, false)
	}
	return b, err
}

// ListBrowserSessions implements storage.BrowserSessions.
func (s *Store) ListBrowserSessions(ctx context.Context, userID int64, now time.Time, limit int) ([]*storage.BrowserSession, error) {
	list, err := s.Store.ListBrowserSessions(ctx, userID, now, limit)
	if s.joined || err != nil || len(list) == 0 {
		return list, err
	}
	switch u, err := s.User(ctx, userID); {
	case errors.Is(err, storage.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case u.AuthEpoch != list[0].UserEpoch:
		return nil, nil
	}
	return list, nil
}

// AuthorizationCode implements storage.AuthorizationCodes.
func (s *Store) AuthorizationCode(ctx context.Context, hash storage.Digest) (*storage.LiveAuthorizationCode, error) {
	c, err := s.Store.AuthorizationCode(ctx, hash)
	if err == nil {
		c.User, err = s.present(ctx, c.User, true)
	}
	return c, err
}

// PollDeviceCode implements storage.DeviceCodes. Before the decision there is no user.
func (s *Store) PollDeviceCode(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveDeviceCode, error) {
	c, err := s.Store.PollDeviceCode(ctx, hash, clientID)
	if err == nil && c.UserID != 0 {
		c.User, err = s.present(ctx, c.User, true)
	}
	return c, err
}
