package proof

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/server/mail"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// MaxInvitationTTL bounds the life of an invitation.
const MaxInvitationTTL = 90 * 24 * time.Hour

// Invitation is an account that an operator offers.
type Invitation struct {
	// Email is where the link goes and becomes the user's address; empty for a link that the operator passes on, which proves no address.
	Email  string
	Groups []string
	// TTL is how long it lives; 0 means DefaultInvitationTTL.
	TTL  time.Duration
	Lang string
}

// Invited is an invitation that is still unused.
type Invited struct {
	ID     storage.ID
	Email  string
	Groups []string
	// Sent means that the link was sent by mail, so that following it proves the address.
	Sent bool
	// Link is only known when the invitation is made, and only if it was not sent.
	Link                 string
	CreatedAt, ExpiresAt time.Time
}

// CheckInvitation returns an *input.Error if the invitation is not valid.
func (s *Service) CheckInvitation(in Invitation) error {
	if in.Email != "" && !mail.IsAddress(in.Email) {
		return &input.Error{Field: "email", Problem: "is not an address"}
	}
	if in.TTL < 0 || in.TTL > MaxInvitationTTL {
		return &input.Error{Field: "ttl", Problem: "is not between 0 and 90 days"}
	}
	_, err := s.cfg.Users.Prepare(users.NewUser{Username: "x", Email: in.Email, Profile: storage.UserProfile{Groups: in.Groups}})
	return err
}

// Invite makes an invitation, and sends it if it has an address and this server sends mail. Errors: *input.Error.
func (s *Service) Invite(ctx context.Context, in Invitation) (*Invited, error) {
	if err := s.CheckInvitation(in); err != nil {
		return nil, err
	}
	if in.TTL == 0 {
		in.TTL = DefaultInvitationTTL
	}
	sent := in.Email != "" && s.cfg.Mailer != nil
	i, err := s.issue(ctx, purposeInvitation, nil, data{Email: in.Email, Lang: in.Lang, Groups: in.Groups, Unproved: !sent}, "", in.TTL)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Audit.Append(ctx, s.cfg.Audit.Event(ctx, "user_invited", "operator")); err != nil {
		return nil, fmt.Errorf("the invitation was made, but without its audit event: %w", err)
	}
	made, err := s.invited(i.tokens[0])
	if err != nil {
		return nil, err
	}
	link := s.address(FinishPath, i.secret)
	if !sent {
		made.Link = link
		return made, nil
	}
	return made, s.post(ctx, mail.Letter{Name: mail.Invitation, To: in.Email, Lang: in.Lang, RequestID: made.ID, Link: link, Until: i.until})
}

// invited returns the invitation of a token.
func (s *Service) invited(t *storage.AccountToken) (*Invited, error) {
	var d data
	if err := s.open(t.Data, purposeInvitation, &d); err != nil {
		return nil, fmt.Errorf("read invitation %s: %w", t.RequestID, err)
	}
	return &Invited{ID: t.RequestID, Email: d.Email, Groups: d.Groups, Sent: !d.Unproved, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}, nil
}

// Invitations returns up to limit invitations that are unused and have not ended, by ascending ID, above after. Those that can't be
// unsealed any more are shown without what is sealed.
func (s *Service) Invitations(ctx context.Context, after storage.ID, limit int) ([]*Invited, error) {
	tokens, err := s.cfg.Store.ListAccountTokens(ctx, purposeInvitation, after, s.now(), limit)
	if err != nil {
		return nil, fmt.Errorf("list invitations: %w", err)
	}
	list := make([]*Invited, 0, len(tokens))
	for _, t := range tokens {
		one, err := s.invited(t)
		if err != nil { // its key is gone, and so is its use
			one = &Invited{ID: t.RequestID, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}
		}
		list = append(list, one)
	}
	return list, nil
}

// FindInvitation returns an invitation as Invitations does. storage.ErrNotFound.
func (s *Service) FindInvitation(ctx context.Context, id storage.ID) (*Invited, error) {
	for one, err := range storage.Pages(func(i *Invited) storage.ID { return i.ID }, func(after storage.ID) ([]*Invited, error) {
		return s.Invitations(ctx, after, storage.PageSize)
	}) {
		if err != nil || one.ID == id {
			return one, err
		}
	}
	return nil, fmt.Errorf("find invitation: %w", storage.ErrNotFound)
}

// Uninvite withdraws an invitation: its link leads nowhere. storage.ErrNotFound.
func (s *Service) Uninvite(ctx context.Context, id storage.ID) error {
	e := s.cfg.Audit.Event(ctx, "invitation_withdrawn", "operator")
	err := s.cfg.Store.RemoveAccountTokens(ctx, purposeInvitation, id, s.now(), e)
	if err == nil {
		s.cfg.Audit.Written(e)
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("withdraw invitation: %w", err)
	}
	return err
}
