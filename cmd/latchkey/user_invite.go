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
	made, err := a.invite(ctx, wire.NewInvitation{Email: c.Email, Groups: c.Group, TTL: clients.Duration(c.TTL).String()})
	if err != nil {
		return err
	}
	return a.printJSON(made)
}

// invite makes an invitation.
func (a *app) invite(ctx context.Context, in wire.NewInvitation) (*wire.Invitation, error) {
	if a.remote() {
		api, err := a.api(ctx)
		if err != nil {
			return nil, err
		}
		made, err := api.AddInvitation(ctx, in)
		return made, explainRemote(err)
	}
	if a.settings.Server.SignUp == selfhelp.SignUpOff {
		return nil, config.Faults{{Subject: "--sign-up", Problem: "is off, so an invitation would lead nowhere", Remedy: "Set --sign-up invite (LATCHKEY_SIGN_UP) here and for the server."}}
	}
	service, err := a.invitations(ctx)
	if err != nil {
		return nil, err
	}
	wanted, err := admin.ReadInvitation(in)
	if err != nil {
		return nil, err
	}
	made, err := service.Invite(ctx, wanted)
	var invalid *input.Error
	if errors.As(err, &invalid) {
		fault := config.Fault{Subject: "--email", Problem: invalid.Problem, Remedy: "Write it like ann@example.com."}
		if invalid.Field != "email" {
			fault = config.Fault{Subject: "--group", Problem: invalid.Problem, Remedy: "See docs/accounts.md."}
		}
		return nil, config.Faults{fault}
	}
	if err != nil {
		return nil, err
	}
	shown := admin.DescribeInvitation(made)
	return &shown, nil
}

// invitations returns what makes invitations on the database.
func (a *app) invitations(ctx context.Context) (*proof.Service, error) {
	store, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.newServer(store)
	if err != nil {
		return nil, err
	}
	if s.Proof() == nil {
		return nil, errors.New("the users are kept in Django's database (--users-from django): add them there")
	}
	return s.Proof(), nil
}

type userInvitationsCmd struct {
	JSON bool `help:"Print JSON."`
	remoteServerFlags
}

func (c *userInvitationsCmd) Run(ctx context.Context, a *app) error {
	return list[wire.Invitation]{
		a, c.JSON, "invitations",
		[]string{"ID", "EMAIL", "SENT", "GROUPS", "CREATED", "EXPIRES"},
		func(i wire.Invitation) []string {
			return []string{i.ID, i.Email, yes(i.Sent), strings.Join(i.Groups, ", "), when(i.CreatedAt), when(i.ExpiresAt)}
		},
	}.print(a.everyInvitation(ctx))
}

// everyInvitation lists the invitations that live.
func (a *app) everyInvitation(ctx context.Context) (iter.Seq2[wire.Invitation, error], error) {
	if a.remote() {
		api, err := a.api(ctx)
		return explainedList(api.Invitations(ctx)), err
	}
	service, err := a.invitations(ctx)
	if err != nil {
		return nil, err
	}
	return mapped(storage.Pages(
		func(i *proof.Invited) storage.ID { return i.ID },
		func(after storage.ID) ([]*proof.Invited, error) {
			return service.Invitations(ctx, after, storage.PageSize)
		},
	), func(i *proof.Invited) (wire.Invitation, error) { return admin.DescribeInvitation(i), nil }), nil
}

type userUninviteCmd struct {
	ID   string `arg:"" name:"id" help:"Id of the invitation, as in the list."`
	JSON bool   `help:"Print JSON."`
	remoteServerFlags
}

func (c *userUninviteCmd) Run(ctx context.Context, a *app) error {
	const list = "List them with `latchkey user invitations`"
	id, err := storage.ParseID(c.ID)
	if err != nil {
		return usage("the argument is not the id of an invitation. " + list + ".") // it may be the link
	}
	if err := a.uninvite(ctx, id); errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("there is no invitation %s: it was used, has ended, or never was. %s", id, list)
	} else if err != nil {
		return err
	}
	return a.confirm(c.JSON, map[string]string{"id": id.String()}, "withdrew invitation %s", id.String())
}

func (a *app) uninvite(ctx context.Context, id storage.ID) error {
	if a.remote() {
		api, err := a.api(ctx)
		if err == nil {
			_, err = api.RemoveInvitation(ctx, id.String())
		}
		return explainRemote(err)
	}
	service, err := a.invitations(ctx)
	if err != nil {
		return err
	}
	return service.Uninvite(ctx, id)
}
