package token

import (
	"context"

	"latchkey/clients"
	"latchkey/server/internal/audit"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// admit refuses a user who is in none of the groups that the client requires, at each login and at each refresh. The session stays: it
// goes on when the user is in the group again.
func (x *exchange) admit(ctx context.Context) error {
	if x.user == nil || x.client.Admits(x.user.Groups) {
		return nil
	}
	refused := protocol.Refuse("invalid_grant", reasons.Outside, "The user is in none of the groups that the client requires (require_groups).")
	r := audit.Refusal{ClientID: x.client.ID, Known: true, UserID: x.user.ID, Error: refused.Code, Reason: string(refused.Reason)}
	r.Details.Description = refused.Description
	x.audit.Refused(ctx, r)
	return refused
}

// seenBy returns a user with those of the groups that the client learns of.
func seenBy(c *clients.Client, u *storage.User) *storage.User {
	if u == nil || c.GroupsPrefix == "" {
		return u
	}
	seen := *u
	seen.Groups = c.VisibleGroups(u.Groups)
	return &seen
}

// named returns claims with the groups under the name that the client wants.
func named(c *clients.Client, values map[string]any) map[string]any {
	if groups, ok := values["groups"]; ok && c.GroupsClaim != "" {
		delete(values, "groups")
		values[c.GroupsClaim] = groups
	}
	return values
}
