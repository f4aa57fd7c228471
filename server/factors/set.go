package factors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"latchkey/admin"
	"latchkey/server/internal/alert"
	"latchkey/server/internal/form"
	"latchkey/storage"
)

// Limits of what a user has.
const (
	maxTOTP     = 5
	maxPasskeys = 20
	maxBrowsers = 10
	maxName     = 60 // characters
)

// Set is the factors of a user.
type Set struct {
	User *storage.User
	// TOTP are applications that show codes, Passkeys passkeys and security keys.
	TOTP, Passkeys []*storage.Factor
	// Recovery are the codes that are left.
	Recovery []*storage.Factor
	// Browsers are those that are remembered and have not been forgotten.
	Browsers []*storage.Factor
}

// Any reports whether the user has a second factor.
func (s *Set) Any() bool { return len(s.TOTP)+len(s.Passkeys) > 0 }

// Find returns the application, passkey or remembered browser with an id; nil if there is none.
func (s *Set) Find(id storage.ID) *storage.Factor {
	all := slices.Concat(s.TOTP, s.Passkeys, s.Browsers)
	i := slices.IndexFunc(all, func(f *storage.Factor) bool { return f.ID == id })
	if i < 0 {
		return nil
	}
	return all[i]
}

// Of returns the factors of a user: one round trip.
func (s *Service) Of(ctx context.Context, u *storage.User) (*Set, error) {
	list, err := s.cfg.Store.ListFactors(ctx, u.ID)
	if err != nil {
		return nil, fmt.Errorf("list factors: %w", err)
	}
	set, now := &Set{User: u}, s.now()
	for _, f := range list {
		switch f.Kind {
		case storage.FactorTOTP:
			set.TOTP = append(set.TOTP, f)
		case storage.FactorWebAuthn:
			set.Passkeys = append(set.Passkeys, f)
		case storage.FactorRecovery:
			set.Recovery = append(set.Recovery, f)
		case storage.FactorBrowser:
			if now.Before(f.ExpiresAt) && f.UserEpoch == u.AuthEpoch {
				set.Browsers = append(set.Browsers, f)
			}
		}
	}
	return set, nil
}

// User returns a user with the profile. storage.ErrNotFound.
func (s *Service) User(ctx context.Context, id int64) (*storage.User, error) {
	u, err := s.cfg.Store.User(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("find user: %w", err)
	}
	return u, nil
}

// name returns a name of a factor as it is stored: without control characters, and not too long.
func name(text, fallback string) string {
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)), " ")
	if text == "" || !form.IsText(text) {
		return fallback
	}
	if utf8.RuneCountInString(text) > maxName {
		text = string([]rune(text)[:maxName])
	}
	return text
}

// newFactor returns a factor of a user that is not stored yet.
func (s *Service) newFactor(u *storage.User, kind storage.FactorKind, name string) *storage.Factor {
	now := s.now()
	return &storage.Factor{ID: storage.NewID(now), UserID: u.ID, Kind: kind, Name: name, CreatedAt: now}
}

// add stores a second factor. The first one of a user comes with recovery codes, which are returned.
func (s *Service) add(ctx context.Context, set *Set, f *storage.Factor, limit int) (codes []string, err error) {
	n := storage.NewFactors{UserID: f.UserID, Factors: []*storage.Factor{f}, Limit: limit}
	if !set.Any() {
		var stored []*storage.Factor
		codes, stored = s.drawCodes(set.User)
		n.Factors, n.Replaces = append(n.Factors, stored...), storage.FactorRecovery
	}
	e := s.event(ctx, "factor_added", "user", f.UserID)
	e.Details = details(f)
	n.Messages = alert.Of(ctx, s.cfg.Alerts, e)
	if err := s.create(ctx, n, e); err != nil {
		return nil, err
	}
	return codes, nil
}

func (s *Service) create(ctx context.Context, n storage.NewFactors, e *storage.AuditEvent) error {
	err := s.cfg.Store.CreateFactors(ctx, n, e)
	switch {
	case errors.Is(err, storage.ErrLimit):
		return ErrTooMany
	case errors.Is(err, storage.ErrExists): // the same credential again
		return ErrWrong
	case err != nil:
		return fmt.Errorf("add factors: %w", err)
	}
	s.cfg.Audit.Written(e)
	return nil
}

// Rename sets the user's name for a factor. storage.ErrNotFound.
func (s *Service) Rename(ctx context.Context, userID int64, id storage.ID, text string) error {
	e := s.event(ctx, "factor_renamed", "user", userID)
	if err := s.cfg.Store.RenameFactor(ctx, userID, id, name(text, "?"), e); err != nil {
		return fmt.Errorf("rename factor: %w", err)
	}
	s.cfg.Audit.Written(e)
	return nil
}

// Remove removes a factor of the user, in the name of the actor of audit events: user or operator. For one that is a second factor all sessions of the user end, and no browser is remembered any more
// (OWASP ASVS 7.4.3). storage.ErrNotFound.
func (s *Service) Remove(ctx context.Context, actor string, set *Set, id storage.ID) (ended bool, err error) {
	f := set.Find(id)
	if f == nil {
		return false, fmt.Errorf("remove factor: %w", storage.ErrNotFound)
	}
	e := s.event(ctx, "factor_removed", actor, f.UserID)
	e.Details = details(f)
	return f.Kind.Second(), s.remove(ctx, storage.FactorRemoval{UserID: f.UserID, IDs: []storage.ID{id}, EndSessions: f.Kind.Second()}, e)
}

// Reset removes all factors of a user for an operator, and ends the sessions. storage.ErrNotFound: there was none.
func (s *Service) Reset(ctx context.Context, userID int64) error {
	return s.remove(ctx, storage.FactorRemoval{UserID: userID, EndSessions: true}, s.event(ctx, "factors_reset", "operator", userID))
}

func (s *Service) remove(ctx context.Context, r storage.FactorRemoval, e *storage.AuditEvent) error {
	r.Now = s.now()
	if r.EndSessions {
		r.Messages = alert.Of(ctx, s.cfg.Alerts, e)
	}
	remove := func(notices ...*storage.LogoutNotice) error {
		r.Notices = notices
		return s.cfg.Store.RemoveFactors(ctx, r, e)
	}
	var err error
	if r.EndSessions && s.cfg.Ending != nil {
		err = s.cfg.Ending(ctx, r.UserID, remove)
	} else {
		err = remove()
	}
	if err != nil {
		return fmt.Errorf("remove factors: %w", err)
	}
	s.cfg.Audit.Written(e)
	return nil
}

// details are those of an audit event about a factor.
func details(f *storage.Factor) []byte {
	return fmt.Appendf(nil, `{"kind":%q,"factor":%q}`, f.Kind, f.ID)
}

// Describe returns what operators see of the factors of a user: none of the recovery codes but their number.
func (s *Set) Describe() admin.Factors {
	list := []admin.Factor{}
	for _, f := range slices.Concat(s.TOTP, s.Passkeys, s.Browsers) {
		i := admin.Factor{ID: f.ID.String(), Kind: string(f.Kind), Name: f.Name, CreatedAt: f.CreatedAt.UTC()}
		if !f.LastUsedAt.IsZero() {
			i.LastUsed = new(f.LastUsedAt.UTC())
		}
		if !f.ExpiresAt.IsZero() {
			i.ExpiresAt = new(f.ExpiresAt.UTC())
		}
		list = append(list, i)
	}
	return admin.Factors{Factors: list, RecoveryCodes: len(s.Recovery)}
}
