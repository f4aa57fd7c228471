package main

import (
	"context"
	"errors"
	"time"

	"latchkey/cmd/latchkey/internal/config"
	"latchkey/server/proof"
	"latchkey/server/selfhelp"
	"latchkey/server/users"
)

type userInviteCmd struct {
	Email string        `help:"Address that the invitation goes to (with --smtp-url; the running server sends it) and that becomes the user's, verified then." placeholder:"ADDRESS"`
	Group []string      `help:"Group that the user is in; may be repeated." placeholder:"GROUP"`
	TTL   time.Duration `name:"ttl" default:"168h" help:"How long the invitation lasts." placeholder:"DURATION"`
	serverFlags
}

func (c *userInviteCmd) Help() string {
	return "Prints the link unless it is sent. It works once, and leads to a page where a username and a password are chosen. Needs --sign-up invite or open."
}

// invitation is what the command prints.
type invitation struct {
	Email     string    `json:"email,omitempty"`
	Sent      bool      `json:"sent"`
	Link      string    `json:"link,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (c *userInviteCmd) Run(ctx context.Context, a *app) error {
	switch {
	case a.settings.Server.SignUp == selfhelp.SignUpOff:
		return config.Faults{{Subject: "--sign-up", Problem: "is off, so an invitation would lead nowhere", Remedy: "Set --sign-up invite (LATCHKEY_SIGN_UP) here and for the server."}}
	case c.TTL <= 0 || c.TTL > 90*24*time.Hour:
		return config.Faults{{Subject: "--ttl", Problem: "is not between 0 and 90 days", Remedy: "Write it like 168h."}}
	}
	store, err := a.open(ctx)
	if err != nil {
		return err
	}
	s, err := a.newServer(store)
	if err != nil {
		return err
	}
	if s.Proof() == nil {
		return errors.New("the users are kept in Django's database (--users-from django): add them there")
	}
	link, until, err := s.Proof().Invite(ctx, proof.Invitation{Email: c.Email, Groups: c.Group, TTL: c.TTL})
	var invalid *users.InputError
	if errors.As(err, &invalid) {
		return config.Faults{{Subject: "--email", Problem: invalid.Problem, Remedy: "Write it like ann@example.com."}}
	}
	if err != nil {
		return err
	}
	return a.printJSON(invitation{Email: c.Email, Sent: link == "", Link: link, ExpiresAt: until})
}
