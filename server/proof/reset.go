package proof

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/server/mail"
	"latchkey/server/password"
	"latchkey/storage"
)

// maxNamed is the longest name or address that is looked up.
const maxNamed = 254

// ForgotPassword asks for letters to the accounts that have a username or an address. It returns the same for those that there are and
// those that there are not; *users.ThrottledError.
func (s *Service) ForgotPassword(ctx context.Context, named, lang, returnTo string) error {
	named = strings.TrimSpace(named)
	if len(named) > maxNamed {
		named = named[:maxNamed] // too long for a name or an address
	}
	if err := s.limit(ctx, purposeReset, strings.ToLower(named)); err != nil {
		return err
	}
	return s.enqueue(ctx, queued{Purpose: purposeReset, Named: named, Lang: lang, ReturnTo: returnTo})
}

// resetLetters returns the letters to the users that a request names: to their own addresses, however the request spelled them. Users
// without a password get none, as in Django: they sign in in another way, or the operator did not want them to.
func (s *Service) resetLetters(ctx context.Context, q *queued) ([]*storage.OutboxMessage, error) {
	var list []*storage.User
	u, err := s.cfg.Users.Find(ctx, q.Named)
	switch {
	case err == nil:
		list = append(list, u)
	case !errors.Is(err, storage.ErrNotFound):
		return nil, err
	}
	if mail.IsAddress(q.Named) {
		theirs, err := s.byAddress(ctx, q.Named)
		if err != nil {
			return nil, fmt.Errorf("find accounts: %w", err)
		}
		for _, t := range theirs {
			if u == nil || t.ID != u.ID {
				list = append(list, t)
			}
		}
	}
	var messages []*storage.OutboxMessage
	for _, u := range list {
		if !u.Active || !mail.IsAddress(u.Email) || !password.Usable(u.PasswordHash) {
			continue
		}
		if ok, err := s.mayReach(ctx, whomUser(u)); err != nil || !ok {
			if err != nil {
				return nil, err
			}
			continue
		}
		m, err := s.resetLetter(ctx, mail.Reset, "user", u, data{Email: u.Email, Lang: q.Lang, ReturnTo: q.ReturnTo}, LinkTTL)
		if err != nil {
			return nil, err
		}
		messages = append(messages, m)
	}
	return messages, nil
}

// SendPasswordLink sends a user the link with which a password is chosen, on behalf of an operator: also one who has none yet, as
// the users have that a directory provisions. Their link lives [FirstLinkTTL]. Errors: ErrNoAddress; *users.ThrottledError.
func (s *Service) SendPasswordLink(ctx context.Context, u *storage.User) error {
	return s.sendPasswordLink(ctx, u, "")
}

// sendPasswordLink is SendPasswordLink in the languages of an earlier letter, unless the user has set one.
func (s *Service) sendPasswordLink(ctx context.Context, u *storage.User, lang string) error {
	if !u.Active || !mail.IsAddress(u.Email) {
		return ErrNoAddress
	}
	name, ttl := mail.Reset, LinkTTL
	if !password.Usable(u.PasswordHash) {
		name, ttl = mail.FirstPassword, FirstLinkTTL
	}
	if err := s.take(ctx, s.letterBucket(whomUser(u))); err != nil {
		return err
	}
	m, err := s.resetLetter(ctx, name, "operator", u, data{Email: u.Email, Lang: lang}, ttl)
	if err != nil {
		return err
	}
	if err := s.cfg.Store.CreateOutboxMessages(ctx, m); err != nil {
		return fmt.Errorf("queue letter: %w", err)
	}
	s.cfg.Written()
	return nil
}

// resetLetter stores a link for a password and returns the letter with it.
func (s *Service) resetLetter(
	ctx context.Context, name mail.Name, actor string, u *storage.User, d data, ttl time.Duration,
) (*storage.OutboxMessage, error) {
	i, err := s.issue(ctx, purposeReset, u, d, "", ttl)
	if err != nil {
		return nil, err
	}
	e := s.event(ctx, "password_reset_sent", u.ID)
	e.Actor = actor
	if err := s.cfg.Audit.Append(ctx, e); err != nil {
		return nil, err
	}
	l := letter(name, u, d.Lang)
	l.Link, l.Until = s.address(ResetPath, i.secret), i.until
	return s.cfg.Mailer.Message(l)
}

// Reset returns the link of a forgotten password. ErrGone.
func (s *Service) Reset(ctx context.Context, secret storage.Secret) (*Link, error) {
	l, err := s.link(ctx, purposeReset, secret)
	if err == nil && l.User.Email != l.data.Email {
		return nil, ErrGone // the letter went to an address that is not the user's any more
	}
	return l, err
}

// SetPassword sets the password of a link's user, once, and ends all sessions. It starts no session: see the package's comment.
// Errors: those of users.HashOwnPassword; ErrGone.
func (s *Service) SetPassword(ctx context.Context, l *Link, secret storage.Secret) error {
	hash, err := s.cfg.Users.HashOwnPassword(ctx, l.User.Username, secret)
	if err != nil {
		return err
	}
	told := letter(mail.PasswordChanged, l.User, l.data.Lang)
	told.Link, told.At = s.cfg.Issuer+accountPath, s.now()
	m, err := s.cfg.Mailer.Message(told)
	if err != nil {
		return err
	}
	e := s.event(ctx, "password_changed", l.User.ID)
	e.Reason = "reset"
	return s.cfg.Users.Ending(ctx, l.User.ID, func(notices ...*storage.LogoutNotice) error {
		return s.use(ctx, storage.AccountTokenUse{
			Hash: l.token.Hash, Purpose: purposeReset, Now: s.now(), PasswordHash: hash, Notices: notices, Messages: []*storage.OutboxMessage{m},
		}, e)
	})
}

// use uses a token. ErrGone.
func (s *Service) use(ctx context.Context, use storage.AccountTokenUse, e *storage.AuditEvent) error {
	err := s.cfg.Store.UseAccountToken(ctx, use, e)
	if errors.Is(err, storage.ErrNotFound) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("use link: %w", err)
	}
	s.cfg.Audit.Written(e)
	s.cfg.Written()
	return nil
}
