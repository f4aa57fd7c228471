package token

import (
	"latchkey/clients"
	"latchkey/storage"
)

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
