package users

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"latchkey/server/internal/alert"
	"latchkey/server/internal/audit"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// takenBy returns an *input.CaseVariantError for an ErrExists if the user who has the name has it in another case only.
func (s *Service) takenBy(ctx context.Context, username string, err error) error {
	if !errors.Is(err, storage.ErrExists) {
		return err
	}
	list, failed := s.cfg.Store.SearchUsers(ctx, storage.UserFilter{Username: username, Fold: true, Limit: 2})
	if failed != nil || len(list) == 0 || slices.ContainsFunc(list, func(u *storage.User) bool { return u.Username == username }) {
		return err
	}
	return &input.CaseVariantError{Username: list[0].Username}
}

// Find finds a user by name: as given, else normalised as at a login. storage.ErrNotFound.
func (s *Service) Find(ctx context.Context, username string) (*storage.User, error) {
	u, err := s.named(ctx, username)
	if n := input.Username(username); errors.Is(err, storage.ErrNotFound) && n != username {
		u, err = s.named(ctx, n)
	}
	if err != nil {
		return nil, fmt.Errorf("find user: %w", err)
	}
	return u, nil
}

func (s *Service) named(ctx context.Context, username string) (*storage.User, error) {
	if !input.CanName(username, storage.LoginNames{}) {
		return nil, storage.ErrNotFound
	}
	return s.cfg.Store.UserByUsername(ctx, username)
}

// List returns up to limit users with an ID above after, by ascending ID.
func (s *Service) List(ctx context.Context, after int64, limit int) ([]*storage.User, error) {
	list, err := s.cfg.Store.ListUsers(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return list, nil
}

// SetPassword replaces the password and ends the user's sessions. Errors: *input.Error, storage.ErrNotFound.
func (s *Service) SetPassword(ctx context.Context, id int64, secret storage.Secret) error {
	encoded, err := s.hash(ctx, secret)
	if err != nil {
		return err
	}
	return s.setHash(ctx, id, encoded, "password")
}

// SetPasswordHash is SetPassword with a hash; an empty one takes the password away.
func (s *Service) SetPasswordHash(ctx context.Context, id int64, encoded string) error {
	if encoded == "" {
		return s.setHash(ctx, id, "", "none")
	}
	if err := checkHash(encoded); err != nil {
		return err
	}
	return s.setHash(ctx, id, encoded, "hash")
}

func (s *Service) setHash(ctx context.Context, id int64, encoded, kind string) error {
	if err := s.here(); err != nil {
		return err
	}
	e := s.event(ctx, "password_changed", "operator", id)
	e.Details = audit.Details(map[string]any{"set_to": kind})
	return s.changePassword(ctx, e, "set password", storage.PasswordChange{Hash: encoded})
}

// changePassword replaces the password of the event's user, and notifies them.
func (s *Service) changePassword(ctx context.Context, e *storage.AuditEvent, what string, c storage.PasswordChange) error {
	return s.end(ctx, e, what, func(notices ...*storage.LogoutNotice) error {
		c.UserID, c.Now, c.Notices, c.Messages = e.UserID, e.At, notices, alert.Of(ctx, s.cfg.Alerts, e)
		return s.cfg.Store.SetUserPassword(ctx, c, e)
	})
}

// Disable refuses the user's logins from now on and ends their sessions. storage.ErrNotFound.
func (s *Service) Disable(ctx context.Context, id int64) error {
	if err := s.here(); err != nil {
		return err
	}
	e := s.event(ctx, "user_disabled", "operator", id)
	return s.end(ctx, e, "disable user", func(notices ...*storage.LogoutNotice) error {
		return s.cfg.Store.SetUserActive(ctx, id, false, e.At, e, notices...)
	})
}

// Enable lets the user log in again; ended sessions stay ended. storage.ErrNotFound.
func (s *Service) Enable(ctx context.Context, id int64) error {
	if err := s.here(); err != nil {
		return err
	}
	e := s.event(ctx, "user_enabled", "operator", id)
	return s.act(e, "enable user", s.cfg.Store.SetUserActive(ctx, id, true, e.At, e))
}

// EndSessions ends every session of the user. storage.ErrNotFound.
func (s *Service) EndSessions(ctx context.Context, id int64) error {
	e := s.event(ctx, "user_sessions_ended", "operator", id)
	return s.end(ctx, e, "end sessions", func(notices ...*storage.LogoutNotice) error {
		return s.cfg.Store.RaiseUserEpoch(ctx, id, e.At, e, notices...)
	})
}

// Remove removes the user, whose sessions end with it. storage.ErrNotFound.
func (s *Service) Remove(ctx context.Context, id int64) error {
	if err := s.here(); err != nil {
		return err
	}
	e := s.event(ctx, "user_removed", "operator", id)
	return s.end(ctx, e, "remove user", func(notices ...*storage.LogoutNotice) error {
		return s.cfg.Store.RemoveUser(ctx, id, e, notices...)
	})
}

// Ending calls end with the logout notices for the clients of a user's browser sessions. end stores them in the transaction that ends the sessions, so
// that clients are notified of what has happened and of nothing else; then they are sent.
func (s *Service) Ending(ctx context.Context, id int64, end func(notices ...*storage.LogoutNotice) error) error {
	notices, err := s.cfg.Notices(ctx, id)
	if err != nil {
		return fmt.Errorf("find clients to notify: %w", err)
	}
	if err := end(notices...); err != nil {
		return err
	}
	if len(notices) > 0 {
		s.cfg.Noticed()
	}
	return nil
}

// end is act for a change that ends the sessions of the event's user.
func (s *Service) end(ctx context.Context, e *storage.AuditEvent, what string, change func(notices ...*storage.LogoutNotice) error) error {
	return s.act(e, what, s.Ending(ctx, e.UserID, change))
}

// act counts the event of a change that was made.
func (s *Service) act(e *storage.AuditEvent, what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s.audit.Written(e)
	return nil
}
