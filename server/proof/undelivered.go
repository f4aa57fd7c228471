package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"latchkey/server/mail"
	"latchkey/storage"
)

// ErrNotAgain is returned for a letter that can't be sent again: the person it was for has to ask for it, or it is of no use any more.
var ErrNotAgain = errors.New("this letter can't be sent again")

// Undelivered is a letter that was abandoned.
type Undelivered struct {
	*storage.UndeliveredLetter
	// User is the account that it is about, nil if there is none.
	User *storage.User
}

// UndeliveredLetters returns the letters that were abandoned and that a filter selects, newest first.
func (s *Service) UndeliveredLetters(ctx context.Context, f storage.UndeliveredLetterFilter) ([]*Undelivered, error) {
	letters, err := s.cfg.Store.ListUndeliveredLetters(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list letters: %w", err)
	}
	return s.withUsers(ctx, letters...)
}

// Undelivered returns a letter that was abandoned. storage.ErrNotFound.
func (s *Service) Undelivered(ctx context.Context, id storage.ID) (*Undelivered, error) {
	l, err := s.cfg.Store.UndeliveredLetter(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("find letter: %w", err)
	}
	list, err := s.withUsers(ctx, l)
	if err == nil && len(list) == 0 {
		err = storage.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// withUsers looks up each user once. The letters of a user who was removed meanwhile are left out: they are gone as well.
func (s *Service) withUsers(ctx context.Context, letters ...*storage.UndeliveredLetter) ([]*Undelivered, error) {
	list, known := make([]*Undelivered, 0, len(letters)), map[int64]*storage.User{0: nil}
	for _, l := range letters {
		u, ok := known[l.UserID]
		if !ok {
			var err error
			u, err = s.cfg.Store.User(ctx, l.UserID)
			if errors.Is(err, storage.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("find the user of a letter: %w", err)
			}
			known[l.UserID] = u
		}
		list = append(list, &Undelivered{l, u})
	}
	return list, nil
}

// CanSendAgain reports whether an operator can have the letter sent again. What a link or a code of it was for must be the operator's to give:
// a sign-up or another address is the person's.
func (u *Undelivered) CanSendAgain() bool {
	switch mail.Name(u.Name) {
	case mail.Reset, mail.FirstPassword:
		return u.User != nil && u.User.Active && mail.IsAddress(u.User.Email)
	case mail.Verify:
		return u.User != nil && u.User.Active && u.Recipient == u.User.Email
	case mail.Invitation:
		return true
	// These say what was done, and have nothing to be used.
	case mail.PasswordChanged, mail.PasswordSet, mail.PasswordAdded, mail.PasswordRemoved, mail.AddressChanging, mail.AddressChanged, mail.FactorAdded, mail.FactorRemoved,
		mail.FactorsReset, mail.RecoveryCodes:
		return u.User != nil
	}
	return false
}

// SendAgain sends a letter again that was abandoned, and removes it from those that were. Links and codes are made anew, by the
// service that made them first and within its limits; a letter for a password goes to the address that the user has now. Of concurrent callers
// each may send one. Errors: ErrNotAgain, ErrNoAddress; ErrGone: the invitation was used or withdrawn, or has ended; *users.ThrottledError.
func (s *Service) SendAgain(ctx context.Context, u *Undelivered) error {
	if s.cfg.Mailer == nil || !u.CanSendAgain() {
		return ErrNotAgain
	}
	var err error
	switch mail.Name(u.Name) {
	case mail.Reset, mail.FirstPassword:
		err = s.sendPasswordLink(ctx, u.User, u.Lang)
	case mail.Verify:
		err = s.ProveAddress(ctx, u.User, u.Recipient, u.Lang)
	case mail.Invitation:
		err = s.inviteAgain(ctx, u)
	default:
		err = s.repeat(ctx, u)
	}
	if err != nil {
		return err
	}
	err = s.drop(ctx, u, s.event(ctx, "letter_sent_again", u.UserID))
	if errors.Is(err, storage.ErrNotFound) {
		return nil // dismissed meanwhile
	}
	return err
}

// Dismiss removes a letter that was abandoned. storage.ErrNotFound.
func (s *Service) Dismiss(ctx context.Context, u *Undelivered) error {
	return s.drop(ctx, u, s.event(ctx, "letter_dismissed", u.UserID))
}

// inviteAgain replaces an invitation by one for the same person that ends at the same time.
func (s *Service) inviteAgain(ctx context.Context, u *Undelivered) error {
	old, err := s.FindInvitation(ctx, u.RequestID)
	if errors.Is(err, storage.ErrNotFound) {
		return ErrGone
	}
	if err != nil {
		return err
	}
	if old.Email == "" {
		return ErrGone // it can't be unsealed any more
	}
	if _, err := s.Invite(ctx, Invitation{Email: old.Email, Groups: old.Groups, TTL: old.ExpiresAt.Sub(s.now()), Lang: u.Lang}); err != nil {
		return err
	}
	if err := s.Uninvite(ctx, old.ID); !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return nil // used meanwhile
}

// repeat sends a notice again, to the address that it was for.
func (s *Service) repeat(ctx context.Context, u *Undelivered) error {
	l := letter(mail.Name(u.Name), u.User, u.Lang)
	l.To, l.Link = u.Recipient, s.cfg.Issuer+accountPath
	if len(u.Details) > 0 {
		if err := json.Unmarshal(u.Details, &l.Facts); err != nil {
			return fmt.Errorf("read letter: %w", err)
		}
	}
	return s.post(ctx, l)
}

// drop removes a letter, with the event that says which letter it was.
func (s *Service) drop(ctx context.Context, u *Undelivered, e *storage.AuditEvent) error {
	e.Actor, e.Reason = "operator", u.Name
	if err := s.cfg.Store.RemoveUndeliveredLetter(ctx, u.ID, e); err != nil {
		return fmt.Errorf("remove letter: %w", err)
	}
	s.cfg.Audit.Written(e)
	return nil
}
