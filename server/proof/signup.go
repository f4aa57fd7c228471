package proof

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"latchkey/server/mail"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// SignUp asks for a letter to an address that wants an account, and returns what a code from it is bound to. It returns the same
// whether or not there is an account. Errors: *input.Error, *users.ThrottledError.
func (s *Service) SignUp(ctx context.Context, email, lang, returnTo string) (boundTo string, err error) {
	email = strings.TrimSpace(email)
	if !mail.IsAddress(email) {
		return "", &input.Error{Field: "email", Problem: "is not an address"}
	}
	if err := s.limit(ctx, purposeSignUp, strings.ToLower(email)); err != nil {
		return "", err
	}
	boundTo = storage.NewID(s.now()).String()
	return boundTo, s.enqueue(ctx, queued{Purpose: purposeSignUp, Named: email, Lang: lang, ReturnTo: returnTo, BoundTo: boundTo}, boundTo)
}

// signUpLetters returns the letter to an address that wants an account: a link, or that there is an account already.
func (s *Service) signUpLetters(ctx context.Context, q *queued) ([]*storage.OutboxMessage, error) {
	if ok, err := s.mayReach(ctx, "address "+strings.ToLower(q.Named)); err != nil || !ok {
		return nil, err
	}
	theirs, err := s.byAddress(ctx, q.Named)
	if err != nil {
		return nil, fmt.Errorf("find accounts: %w", err)
	}
	var l mail.Letter
	if len(theirs) > 0 {
		l = letter(mail.HasAccount, theirs[0], q.Lang)
		l.Link = s.cfg.Issuer + accountPath
	} else {
		i, err := s.issue(ctx, purposeSignUp, nil, data{Email: q.Named, Lang: q.Lang, ReturnTo: q.ReturnTo}, q.BoundTo, LinkTTL)
		if err != nil {
			return nil, err
		}
		l = mail.Letter{
			Name: mail.SignUp, To: q.Named, Lang: q.Lang, Link: s.address(FinishPath, i.secret), Code: spaced(i.code), Until: i.until,
		}
	}
	m, err := s.cfg.Mailer.Message(l)
	if err != nil {
		return nil, err
	}
	return []*storage.OutboxMessage{m}, nil
}

// NewAccount returns the link of a sign-up or an invitation. ErrGone.
func (s *Service) NewAccount(ctx context.Context, secret storage.Secret) (*Link, error) {
	l, err := s.link(ctx, purposeSignUp, secret)
	if errors.Is(err, ErrGone) {
		l, err = s.link(ctx, purposeInvitation, secret)
	}
	return l, err
}

// NewAccountByCode is NewAccount by a code and what it is bound to. *users.ThrottledError.
func (s *Service) NewAccountByCode(ctx context.Context, boundTo, code string) (*Link, error) {
	if _, err := storage.ParseID(boundTo); err != nil {
		return nil, ErrGone
	}
	return s.byCode(ctx, purposeSignUp, boundTo, code)
}

// CreateAccount makes the account of a link. Errors: *input.Error, users.ErrWeakPassword, storage.ErrExists (the username is taken, and the link
// lives on), ErrGone.
func (s *Service) CreateAccount(ctx context.Context, l *Link, username, name string, secret storage.Secret) (*storage.User, error) {
	if err := input.CheckChosen(username, l.data.Email); err != nil {
		return nil, err
	}
	hash, err := s.cfg.Users.HashOwnPassword(ctx, username, secret)
	if err != nil {
		return nil, err
	}
	n := users.NewUser{Username: username, Email: l.data.Email, PasswordHash: hash, Active: true, Profile: storage.UserProfile{
		EmailVerified: l.data.Email != "" && !l.data.Unproved, Name: name, Groups: l.data.Groups,
	}}
	u, err := s.cfg.Users.Prepare(n)
	if err != nil {
		return nil, err
	}
	if err := s.free(ctx, u); err != nil {
		return nil, err
	}
	err = s.cfg.Store.UseAccountToken(ctx, storage.AccountTokenUse{Hash: l.token.Hash, Purpose: l.token.Purpose, Now: s.now(), User: u}, nil)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("create account: %w", err)
	}
	if err := s.cfg.Audit.Append(ctx, s.event(ctx, "user_created", u.ID)); err != nil {
		return nil, fmt.Errorf("user %d was added, but without its audit event: %w", u.ID, err)
	}
	return u, nil
}

// free refuses a new account whose names others have, in whatever case: with --login-names email or --login-case fold a name that two users have
// signs in neither, so that a sign-up would lock somebody out. storage.ErrExists: the username is taken; ErrGone: the address is.
func (s *Service) free(ctx context.Context, u *storage.User) error {
	for _, taken := range []struct {
		filter storage.UserFilter
		err    error
	}{
		{storage.UserFilter{Username: u.Username}, storage.ErrExists},
		{storage.UserFilter{Email: u.Email}, ErrGone}, // since the letter was written
		{storage.UserFilter{Username: u.Email}, ErrGone},
	} {
		if taken.filter.Username+taken.filter.Email == "" {
			continue
		}
		taken.filter.Fold, taken.filter.Limit = true, 1
		found, err := s.cfg.Store.SearchUsers(ctx, taken.filter)
		if err != nil {
			return fmt.Errorf("find accounts: %w", err)
		}
		if len(found) > 0 {
			return taken.err
		}
	}
	return nil
}
