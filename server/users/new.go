package users

import (
	"context"
	"fmt"
	"time"

	"latchkey/server/users/input"
	"latchkey/storage"
)

// NewUser is a user to be added. At most one of Password and PasswordHash is given; without both the user can't log in
// with a password.
type NewUser struct {
	// ID is the user's ID in another system; 0 draws a new one.
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
