package proof

import (
	"context"

	"latchkey/server/mail"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// ProveAddress sends a link and a code to an address that is to be the user's, which may be the present one. If it is another one, the
// old address gets a notice (OWASP Authentication Cheat Sheet, "Change a User's Registered Email Address"). The caller has checked the
// password in that case. Errors: *input.Error, *users.ThrottledError.
func (s *Service) ProveAddress(ctx context.Context, u *storage.User, email, lang string) error {
	if !mail.IsAddress(email) {
		return &input.Error{Field: "email", Problem: "is not an address"}
	}
	// A user may not fill the mailbox of somebody else, whatever the account is called.
	if err := s.limit(ctx, purposeEmail, whomUser(u)); err != nil {
		return err
	}
	if ok, err := s.mayReach(ctx, "address "+email); err != nil || !ok {
		if err == nil {
			err = &users.ThrottledError{RetryAfter: letterInterval}
		}
		return err
	}
	i, err := s.issue(ctx, purposeEmail, u, data{Email: email, Lang: lang}, whomUser(u), LinkTTL)
	if err != nil {
		return err
	}
	l := letter(mail.Verify, u, lang)
	l.To, l.Link, l.Code, l.Until = email, s.address(VerifyPath, i.secret), spaced(i.code), i.until
	letters := []mail.Letter{l}
	if email != u.Email && mail.IsAddress(u.Email) {
		old := letter(mail.AddressChanging, u, lang)
		old.Link = s.cfg.Issuer + accountPath
		letters = append(letters, old)
	}
	return s.post(ctx, letters...)
}

const accountPath = "/account"

// Address returns the link that confirms an address. Errors: ErrGone.
func (s *Service) Address(ctx context.Context, secret storage.Secret) (*Link, error) {
	return s.link(ctx, purposeEmail, secret)
}

// AddressByCode is Address by the code that a user who is signed in has typed. *users.ThrottledError.
func (s *Service) AddressByCode(ctx context.Context, u *storage.User, code string) (*Link, error) {
	return s.byCode(ctx, purposeEmail, whomUser(u), code)
}

// ConfirmAddress sets the user's address to that of a link, as a verified one. Errors: ErrGone.
func (s *Service) ConfirmAddress(ctx context.Context, l *Link) error {
	var messages []*storage.OutboxMessage
	e := s.event(ctx, "email_verified", l.User.ID)
	if l.User.Email != l.data.Email {
		e = s.event(ctx, "email_changed", l.User.ID)
		if mail.IsAddress(l.User.Email) {
			m, err := s.cfg.Mailer.Message(letter(mail.AddressChanged, l.User, l.data.Lang))
			if err != nil {
				return err
			}
			messages = append(messages, m)
		}
	}
	return s.use(ctx, storage.AccountTokenUse{
		Hash: l.token.Hash, Purpose: purposeEmail, Now: s.now(), Email: l.data.Email, Messages: messages,
	}, e)
}

// Removed sends a user the last letter, which says that the account was removed.
func (s *Service) Removed(ctx context.Context, u *storage.User, lang string) error {
	if !mail.IsAddress(u.Email) {
		return nil
	}
	return s.post(ctx, letter(mail.AccountRemoved, u, lang))
}
