package admin

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// Invitation is an account that an operator has offered, and that was not made yet.
type Invitation struct {
	ID     string   `json:"id" format:"uuid"`
	Email  string   `json:"email,omitempty" doc:"Where the link went, or the address that the user will have; empty if there is none."`
	Groups []string `json:"groups" nullable:"false" doc:"The groups that the user will be in."`
	// Sent means that the server sends the link: a person who follows it has proved the address.
	Sent bool `json:"sent" doc:"Whether the link went by e-mail, which proves the address."`
	// Link is only in the answer that creates the invitation, and only if it was not sent.
	Link      string    `json:"link,omitempty" doc:"The link to pass on; only in the answer that creates the invitation, and only if it was not sent."`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// NewInvitation is an invitation to be made.
type NewInvitation struct {
	// Email is where the link goes, if the server sends letters, and becomes the user's address.
	Email  string   `json:"email,omitempty" maxLength:"255" doc:"Where the link goes, if the server sends letters, and the address that the user will have."`
	Groups []string `json:"groups,omitempty" maxItems:"500" doc:"The groups that the user will be in."`
	// TTL is how long it lives, like 12h or 7d, at most 90d; empty means 7d.
	TTL string `json:"ttl,omitempty" maxLength:"64" doc:"How long it lives, like 12h or 7d, at most 90d; by default 7d."`
}

// Invitations lists the invitations that live, oldest first.
func (a *API) Invitations(ctx context.Context) iter.Seq2[Invitation, error] {
	return list[Invitation](ctx, a, "/invitations", nil)
}

// Invitation shows an invitation, without its link.
func (a *API) Invitation(ctx context.Context, invitationID string) (*Invitation, error) {
	return one[Invitation](ctx, a, newCall(http.MethodGet, "/invitations"+segment(invitationID), nil))
}

// AddInvitation makes an invitation. Its link is only in this answer, or in the letter.
func (a *API) AddInvitation(ctx context.Context, i NewInvitation, o ...Option) (*Invitation, error) {
	return one[Invitation](ctx, a, newCall(http.MethodPost, "/invitations", i, o...))
}

// RemoveInvitation withdraws an invitation: its link leads nowhere then.
func (a *API) RemoveInvitation(ctx context.Context, invitationID string, o ...Option) (*Invitation, error) {
	return one[Invitation](ctx, a, newCall(http.MethodDelete, "/invitations"+segment(invitationID), nil, o...))
}
