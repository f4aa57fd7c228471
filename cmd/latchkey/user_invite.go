package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	wire "latchkey/admin"
	"latchkey/clients"
	"latchkey/cmd/latchkey/internal/config"
	"latchkey/server"
	"latchkey/server/admin"
	"latchkey/server/proof"
	"latchkey/server/selfhelp"
	"latchkey/server/users/input"
	"latchkey/storage"
)

type userInviteCmd struct {
	Email string        `help:"Address that the invitation goes to (with --smtp-url; the running server sends it) and that becomes the user's, verified then." placeholder:"ADDRESS"`
	Group []string      `help:"Group that the user is in; may be repeated." placeholder:"GROUP"`
	TTL   time.Duration `name:"ttl" default:"168h" help:"How long the invitation lasts." placeholder:"DURATION"`
	remoteServerFlags
}

func (c *userInviteCmd) Help() string {
	return "Prints the link unless it is sent. It works once, and leads to a page where a username and a password are chosen. Needs --sign-up invite or open."
}

func (c *userInviteCmd) Run(ctx context.Context, a *app) error {
	if c.TTL <= 0 || c.TTL > proof.MaxInvitationTTL {
		return config.Faults{{Subject: "--ttl", Problem: "is not between 0 and 90 days", Remedy: "Write it like 168h."}}
	}
	if !a.remote() && a.settings.Server.SignUp == selfhelp.SignUpOff {
		return config.Faults{{Subject: "--sign-up", Problem: "is off, so an invitation would lead nowhere", Remedy: "Set --sign-up invite (LATCHKEY_SIGN_UP) here and for the server."}}
	}
	service, err := a.invitations(ctx)
	if err != nil {
		return err
	}
	made, err := service.AddInvitation(ctx, wire.NewInvitation{Email: c.Email, Groups: c.Group, TTL: clients.Duration(c.TTL).String()})
	if invalid, ok := errors.AsType[*input.Error](err); ok {
		fault := config.Fault{Subject: "--email", Problem: invalid.Problem, Remedy: "Write it like ann@example.com."}
		if invalid.Field != "email" {
			fault = config.Fault{Subject: "--group", Problem: invalid.Problem, Remedy: "See docs/accounts.md."}
		}
		return config.Faults{fault}
	}
	if err != nil {
		return explainRemote(err)
	}
	return a.printJSON(made)
}

// invitationAdmin is what commands do with invitations. An *admin.API is one, and localInvitations on the database.
type invitationAdmin interface {
	Invitations(ctx context.Context) iter.Seq2[wire.Invitation, error]
	AddInvitation(ctx context.Context, i wire.NewInvitation, o ...wire.Option) (*wire.Invitation, error)
	RemoveInvitation(ctx context.Context, id string, o ...wire.Option) (*wire.Invitation, error)
}

// invitations returns what makes, lists and withdraws invitations.
func (a *app) invitations(ctx context.Context) (invitationAdmin, error) {
	if a.remote() {
		return a.api(ctx)
	}
	s, err := a.openServer(ctx)
	if err != nil {
		return nil, err
	}
	if s.Proof() == nil {
		return nil, errors.New("the users are kept in Django's database (--users-from django): add them there")
	}
	return localInvitations{s.Proof()}, nil
}

// openServer returns the server of the configuration, which is not started, for what a command does in its place.
func (a *app) openServer(ctx context.Context) (*server.Server, error) {
	if _, err := a.open(ctx); err != nil {
		return nil, err
	}
	return a.newServer(ctx)
}

type localInvitations struct{ service *proof.Service }

func (l localInvitations) Invitations(ctx context.Context) iter.Seq2[wire.Invitation, error] {
	return mapped(storage.Pages(
		func(i *proof.Invited) storage.ID { return i.ID },
		func(after storage.ID) ([]*proof.Invited, error) {
			return l.service.Invitations(ctx, after, storage.PageSize)
		},
	), func(i *proof.Invited) (wire.Invitation, error) { return admin.DescribeInvitation(i), nil })
}

func (l localInvitations) AddInvitation(ctx context.Context, i wire.NewInvitation, _ ...wire.Option) (*wire.Invitation, error) {
	wanted, err := admin.ReadInvitation(i)
	if err != nil {
		return nil, err
	}
	made, err := l.service.Invite(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return new(admin.DescribeInvitation(made)), nil
}

func (l localInvitations) RemoveInvitation(ctx context.Context, text string, _ ...wire.Option) (*wire.Invitation, error) {
	id, err := storage.ParseID(text)
	if err != nil {
		return nil, err
	}
	return nil, l.service.Uninvite(ctx, id)
}

type userInvitationsCmd struct {
	JSON bool `help:"Print JSON."`
	remoteServerFlags
}

func (c *userInvitationsCmd) Run(ctx context.Context, a *app) error {
	a.reading = true
	service, err := a.invitations(ctx)
	if err != nil {
		return err
	}
	return list[wire.Invitation]{
		a, c.JSON, "invitations",
		[]string{"ID", "EMAIL", "SENT", "GROUPS", "CREATED", "EXPIRES"},
		func(i wire.Invitation) []string {
			return []string{i.ID, i.Email, yes(i.Sent), strings.Join(i.Groups, ", "), when(i.CreatedAt), when(i.ExpiresAt)}
		},
	}.print(explainedList(service.Invitations(ctx)), nil)
}

type userUninviteCmd struct {
	ID   string `arg:"" name:"id" help:"Id of the invitation, as in the list."`
	JSON bool   `help:"Print JSON."`
	remoteServerFlags
}

func (c *userUninviteCmd) Run(ctx context.Context, a *app) error {
	const list = "List them with `latchkey user invitations`"
	if _, err := storage.ParseID(c.ID); err != nil {
		return usage("the argument is not the id of an invitation. " + list + ".") // it may be the link
	}
	service, err := a.invitations(ctx)
	if err != nil {
		return err
	}
	_, err = service.RemoveInvitation(ctx, c.ID)
	switch err = explainRemote(err); {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no invitation %s: it was used, has ended, or never was. %s", c.ID, list)
	case err != nil:
		return err
	}
	return a.confirm(c.JSON, map[string]string{"id": c.ID}, "withdrew invitation %s", c.ID)
}
