package clients

import (
	"strings"
)

// adminScopes is the beginning of the scopes of the API for operators. No other resource has such scopes.
const adminScopes = "latchkey:"

// ScopeSCIM is the scope of SCIM, which directories provision users and groups by. It opens nothing else.
const ScopeSCIM = adminScopes + "scim"

// IsAdminScope reports whether a scope is one of the API for operators, or could become one.
func IsAdminScope(scope string) bool { return strings.HasPrefix(scope, adminScopes) }
