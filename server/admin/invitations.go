package admin

import (
	"context"
	"net/http"

	wire "latchkey/admin"
	"latchkey/clients"
	"latchkey/server/proof"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// invitationRoutes declares the operations on invitations.
func (a *API) invitationRoutes() {
	const all, one = "/invitations", "/invitations/{id}"
	register(a, op("list-invitations", http.MethodGet, all, scopeUsersRead, "List the invitations that live", http.StatusConflict), a.listInvitations)
	register(a, creation("add-invitation", all, scopeUsersWrite, "Make an invitation, whose link is only in this answer or in a letter"), a.addInvitation)
	register(a, op("show-invitation", http.MethodGet, one, scopeUsersRead, "Show an invitation, without its link", http.StatusNotFound, http.StatusConflict), a.showInvitation)
	register(a, op("remove-invitation", http.MethodDelete, one, scopeUsersWrite, "Withdraw an invitation: its link leads nowhere then",
		http.StatusNotFound, http.StatusConflict), a.removeInvitation)
}

// InvitationPath is the parameter that names an invitation.
type InvitationPath struct {
	ID string `path:"id" format:"uuid" doc:"The id of the invitation, which is not its link."`
}

// invitations returns what makes them, or why there are none.
func (a *API) invitations(creates bool) (Invitations, error) {
	switch {
	case a.Invitations == nil:
		return nil, refusal(http.StatusConflict, "no-invitations", "The users are kept in Django's database (--users-from django): add them there.")
	case creates && !a.SignUp:
		return nil, refusal(http.StatusConflict, "no-invitations", "--sign-up is off, so an invitation would lead nowhere: set --sign-up invite (LATCHKEY_SIGN_UP).")
	}
	return a.Invitations, nil
}

// DescribeInvitation returns an invitation as operators see it.
func DescribeInvitation(i *proof.Invited) wire.Invitation {
	return wire.Invitation{
		ID: i.ID.String(), Email: i.Email, Groups: append([]string{}, i.Groups...), Sent: i.Sent, Link: i.Link, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt,
	}
}

// ReadInvitation returns the invitation that a body asks for. *input.Error.
func ReadInvitation(b wire.NewInvitation) (proof.Invitation, error) {
	in := proof.Invitation{Email: b.Email, Groups: b.Groups}
	if b.TTL == "" {
		return in, nil
	}
	ttl, err := clients.ParseDuration(b.TTL)
	if err != nil || ttl <= 0 {
		return in, &input.Error{Field: "ttl", Problem: "is not " + string(clients.Interval) + ", of at most 90 days"}
	}
	in.TTL = ttl.Std()
	return in, nil
}

func (a *API) listInvitations(ctx context.Context, in *struct{ Paging }) (*listed[wire.Invitation], error) {
	all, err := a.invitations(false)
	if err != nil {
		return nil, err
	}
	read := func(after storage.ID, limit int) ([]*proof.Invited, error) { return all.Invitations(ctx, after, limit) }
	return list(a, in.Paging, struct{ Invitations bool }{}, read, func(i *proof.Invited) storage.ID { return i.ID }, plain(DescribeInvitation))
}

func (a *API) addInvitation(ctx context.Context, in *adding[wire.NewInvitation]) (*created[wire.Invitation], error) {
	all, err := a.invitations(true)
	if err != nil {
		return nil, err
	}
	wanted, err := ReadInvitation(in.Body)
	if err != nil {
		return nil, err
	}
	return maker[wire.Invitation]{
		kind: "invitation", noun: "invitation", path: "/invitations/",
		id:  func(i wire.Invitation) string { return i.ID },
		tag: func(i wire.Invitation) string { i.Link = ""; return etag(i) },
		create: func(ctx context.Context) (wire.Invitation, error) {
			if in.DryRun {
				now := a.now()
				would := &proof.Invited{ID: storage.NewID(now), Email: wanted.Email, Groups: wanted.Groups, CreatedAt: now, ExpiresAt: now.Add(wanted.TTL)}
				return DescribeInvitation(would), all.CheckInvitation(wanted)
			}
			made, err := all.Invite(ctx, wanted)
			if err != nil {
				return wire.Invitation{}, err
			}
			return DescribeInvitation(made), nil
		},
		read: a.invitation,
	}.do(ctx, a, in.Creation, in.Body)
}

// invitation returns the invitation with an id.
func (a *API) invitation(ctx context.Context, id string) (wire.Invitation, error) {
	all, err := a.invitations(false)
	if err != nil {
		return wire.Invitation{}, err
	}
	found, err := byID(ctx, "invitation", id, all.FindInvitation)
	if err != nil {
		return wire.Invitation{}, err
	}
	return DescribeInvitation(found), nil
}

func (a *API) showInvitation(ctx context.Context, in *struct{ InvitationPath }) (*shown[wire.Invitation], error) {
	i, err := a.invitation(ctx, in.ID)
	return &shown[wire.Invitation]{i}, err
}

func (a *API) removeInvitation(ctx context.Context, in *struct {
	InvitationPath
	Trial
},
) (*shown[wire.Invitation], error) {
	out, err := a.showInvitation(ctx, &struct{ InvitationPath }{in.InvitationPath})
	if err != nil || in.DryRun {
		return out, err
	}
	id, err := storage.ParseID(in.ID)
	if err == nil {
		err = a.Invitations.Uninvite(ctx, id)
	}
	return out, orNotFound(err, "invitation")
}
