package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/server/internal/alert"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// NewUser is a user to be added. At most one of Password and PasswordHash is given; without both the user can't log in
// with a password.
type NewUser struct {
	// ID keeps the ID of another system; 0 draws one.
	ID int64
	// Subject is the user's id as tokens carry it: a UUID, a slug. Empty stands for the decimal text of the ID. A positive integer is
	// the ID too, which must be the same or 0.
	Subject  string
	Username string
	Email    string
	Password *storage.Secret
	// PasswordHash is a PHC string or one of Django's formats, "!…" included.
	PasswordHash string
	Active       bool
	Staff        bool
	// Profile is what applications ask about the user. Its UpdatedAt is set by Add.
	Profile storage.UserProfile
}

// Add adds a user, the name normalised as at a login. Errors: *input.Error; storage.ErrExists, which is an *input.CaseVariantError if another
// user has the name in another case.
func (s *Service) Add(ctx context.Context, n NewUser) (*storage.User, error) {
	u, err := s.prepare(ctx, n)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Store.CreateUser(ctx, u); err != nil {
		return nil, fmt.Errorf("add user: %w", s.takenBy(ctx, u.Username, err))
	}
	if err := s.audit.Append(ctx, s.event(ctx, "user_created", "operator", u.ID)); err != nil {
		return nil, fmt.Errorf("user %d was added, but without its audit event: %w", u.ID, err)
	}
	return u, nil
}

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

// prepare is Prepare with the hash.
func (s *Service) prepare(ctx context.Context, n NewUser) (*storage.User, error) {
	u, err := s.Prepare(n)
	if err == nil && n.Password != nil {
		u.PasswordHash, err = s.hash(ctx, *n.Password)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// Prepare returns a new user, checked and normalised as Add does, without the hash of n.Password. *input.Error.
func (s *Service) Prepare(n NewUser) (*storage.User, error) {
	if err := s.here(); err != nil {
		return nil, err
	}
	id, subject, err := input.Subject(n.ID, n.Subject)
	if err != nil {
		return nil, err
	}
	u := &storage.User{
		ID: id, Subject: subject, Username: input.Username(n.Username), Email: n.Email, PasswordHash: n.PasswordHash,
		Active: n.Active, Staff: n.Staff, CreatedAt: s.now(), UserProfile: n.Profile,
	}
	u.UpdatedAt = time.Time{} // CreatedAt says it
	if err := n.check(); err != nil {
		return nil, err
	}
	if err := input.CheckUser(&storage.User{}, u); err != nil {
		return nil, err
	}
	return u, nil
}

func (n NewUser) check() error {
	switch {
	case n.ID < 0:
		return &input.Error{Field: "id", Problem: "is negative"}
	case n.Password != nil && n.PasswordHash != "":
		return &input.Error{Field: "password", Problem: "and password hash are both given"}
	case n.PasswordHash != "":
		return checkHash(n.PasswordHash)
	}
	return nil
}

// hash takes any password that a login can send: the routes refuse NULs and can't carry what is not UTF-8, so a password
// like that would lock the user out.
func (s *Service) hash(ctx context.Context, secret storage.Secret) (string, error) {
	if err := checkPassword(secret); err != nil {
		return "", err
	}
	encoded, err := s.cfg.Hasher.For(caller(ctx, true)).Hash(ctx, secret)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", throttledBy(err))
	}
	return encoded, nil
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
	e.Details = details(map[string]any{"set_to": kind})
	return s.changePassword(ctx, e, "set password", encoded)
}

// changePassword replaces the password of the event's user, and notifies them.
func (s *Service) changePassword(ctx context.Context, e *storage.AuditEvent, what, encoded string) error {
	return s.end(ctx, e, what, func(notices ...*storage.LogoutNotice) error {
		return s.cfg.Store.SetUserPassword(ctx, storage.PasswordChange{
			UserID: e.UserID, Hash: encoded, Now: e.At, Notices: notices, Messages: alert.Of(ctx, s.cfg.Alerts, e),
		}, e)
	})
}

// Disable refuses the user from now on and ends their sessions. storage.ErrNotFound.
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

// here returns a storage.ErrElsewhere, with what to do instead, unless the accounts are in the Store.
func (s *Service) here() error {
	switch {
	case s.cfg.Directory == nil:
		return nil
	case s.cfg.AccountURL != "":
		return &elsewhereError{"change them there, or at " + s.cfg.AccountURL}
	}
	return &elsewhereError{"change them there, for example in its admin or with manage.py"}
}

type elsewhereError struct{ remedy string }

func (e *elsewhereError) Error() string {
	return "the users are kept in Django's database (--users-from django): " + e.remedy
}

func (*elsewhereError) Unwrap() error { return storage.ErrElsewhere }

// AccountURL returns where people change what is kept of them elsewhere; empty if it is not known, or if nothing is.
func (s *Service) AccountURL() string {
	if s.cfg.Directory == nil {
		return ""
	}
	return s.cfg.AccountURL
}

// CanChangePassword reports whether users can change their own passwords here.
func (s *Service) CanChangePassword() bool {
	return s.cfg.Directory == nil || s.cfg.Directory.Writable()
}

// act counts the event of a change that was made.
func (s *Service) act(e *storage.AuditEvent, what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s.audit.Written(e)
	return nil
}
