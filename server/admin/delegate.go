package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"latchkey/clients"
	"latchkey/server/internal/request"
)

// mayGive refuses to give a client, or to take over one that has, scopes of this API which the access token of the request does not have:
// with latchkey:clients:write alone a caller could otherwise make a client that may do everything. What only ends access needs no such check.
func mayGive(ctx context.Context, scope string) error {
	own := request.From(ctx).OperatorScopes
	for _, one := range strings.Fields(scope) {
		held := slices.Contains(own, one) || one == clients.ScopeSCIM && slices.Contains(own, scopeUsersWrite) // which may do all that SCIM may
		if !clients.IsAdminScope(one) || held {
			continue
		}
		p := refusal(http.StatusForbidden, "insufficient_scope",
			"A client with the scope %s can only be added or changed with an access token that has this scope.", one)
		// RFC 6750 §3.1
		return huma.ErrorWithHeaders(p, http.Header{"WWW-Authenticate": {fmt.Sprintf(`Bearer realm="latchkey", error="insufficient_scope", scope="%s"`, one)}})
	}
	return nil
}
