package users

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"latchkey/server/internal/audit"
	"latchkey/server/password"
	"latchkey/storage"
)

// ErrWeakPassword: the password is too short, a common one, the username, or known from a data breach.
var ErrWeakPassword = errors.New("the password is too easily guessed")

// minPassword is the minimum length in characters (NIST SP 800-63B §5.1.1.2, OWASP ASVS 6.2.1). There are no rules on which
// characters a password must have (ASVS 6.2.5).
const minPassword = 8

// ChangeOwnPassword is SetPassword by the user, whose current password the caller has checked. A user without a password, who has signed in
// in another way of late, gets the first one. u is as it was read then. Errors: ErrWeakPassword, *input.Error, storage.ErrElsewhere,
// storage.ErrNotFound; storage.ErrConflict: there is a password by now.
func (s *Service) ChangeOwnPassword(ctx context.Context, u *storage.User, secret storage.Secret) error {
	if !s.CanChangePassword() {
		return s.here()
	}
	if err := s.checkOwnPassword(ctx, u, secret); err != nil {
		return err
	}
	encoded, err := s.hash(ctx, secret)
	if err == nil && s.cfg.Directory != nil {
		encoded, err = s.cfg.Hasher.HashLike(ctx, secret, u.PasswordHash)
	}
	if err != nil {
		return err
	}
	e := s.event(ctx, "password_changed", "user", u.ID)
	e.Details = audit.Details(map[string]any{"set_to": "password"})
	change := storage.PasswordChange{Hash: encoded}
	if !password.Usable(u.PasswordHash) {
		e.Details = audit.Details(map[string]any{"set_to": "password", "first": true})
		change.Was = &u.PasswordHash
	}
	return s.changePassword(ctx, e, "change own password", change)
}

// checkOwnPassword is CheckOwnPassword, which also asks whether the password has leaked (ASVS 6.2.12). While that can't be answered, it is
// accepted.
func (s *Service) checkOwnPassword(ctx context.Context, u *storage.User, secret storage.Secret) error {
	if err := CheckOwnPassword(u, secret); err != nil || s.cfg.Breached == nil {
		return err
	}
	if known, err := s.cfg.Breached(ctx, secret); err == nil && known {
		return ErrWeakPassword
	}
	return nil
}

// CheckOwnPassword makes those checks of ChangeOwnPassword that need no other server, and returns its errors.
func CheckOwnPassword(u *storage.User, secret storage.Secret) error {
	if err := checkPassword(secret); err != nil {
		return err
	}
	if weak(secret, u.Username) {
		return ErrWeakPassword
	}
	return nil
}

// HashOwnPassword returns the hash of a new password, for a person who has proved who they are with the link of a letter.
// Errors: those of ChangeOwnPassword, *ThrottledError, password.ErrOverload.
func (s *Service) HashOwnPassword(ctx context.Context, username string, secret storage.Secret) (string, error) {
	if err := s.here(); err != nil {
		return "", err
	}
	if err := s.checkOwnPassword(ctx, &storage.User{Username: username}, secret); err != nil {
		return "", err
	}
	return s.hash(ctx, secret)
}

// weak reports whether a password is too short, a common one, or the username.
func weak(secret storage.Secret, username string) bool {
	p := secret.Reveal()
	return utf8.RuneCountInString(p) < minPassword || strings.EqualFold(p, username) || common(p)
}

// RemoveOwn is Remove by the user, whose password the caller has checked.
func (s *Service) RemoveOwn(ctx context.Context, id int64) error {
	if err := s.here(); err != nil {
		return err
	}
	e := s.event(ctx, "user_removed", "user", id)
	return s.end(ctx, e, "remove own account", func(notices ...*storage.LogoutNotice) error {
		return s.cfg.Store.RemoveUser(ctx, id, e, notices...)
	})
}

// EndOwnSessions is EndSessions by the user. storage.ErrNotFound.
func (s *Service) EndOwnSessions(ctx context.Context, id int64) error {
	e := s.event(ctx, "user_sessions_ended", "user", id)
	return s.end(ctx, e, "end own sessions", func(notices ...*storage.LogoutNotice) error {
		return s.cfg.Store.RaiseUserEpoch(ctx, id, e.At, e, notices...)
	})
}
