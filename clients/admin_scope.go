package clients

import (
	"slices"
	"strings"

	"latchkey/storage"
)

// adminScopes is the beginning of the scopes of the API for operators. No other resource has such scopes.
const adminScopes = "latchkey:"

// ScopeSCIM is the scope of SCIM, which directories provision users and groups by. It opens nothing else.
const ScopeSCIM = adminScopes + "scim"

// IsAdminScope reports whether a scope is one of the API for operators, or could become one.
func IsAdminScope(scope string) bool { return strings.HasPrefix(scope, adminScopes) }

// MayAdminister reports whether the client may ask for access to the API for operators: one that the operator added, and registered for
// one of its scopes. What a client says of itself never opens it.
func (c *Client) MayAdminister() bool {
	return c.Origin == storage.OriginOperator && slices.ContainsFunc(c.scopes, IsAdminScope)
}

// Provisions reports whether the client is there for SCIM alone. Its access tokens are for the API for operators then, also where it can't name
// that: Entra ID sends no parameter resource.
func (c *Client) Provisions() bool {
	return c.MayAdminister() && !slices.ContainsFunc(c.scopes, func(scope string) bool { return scope != ScopeSCIM })
}
