package trail

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	wire "latchkey/admin"
	"latchkey/clients"
	"latchkey/storage"
)

// actionRefused is the action of the events that the server writes about refused requests; see package audit.
const actionRefused = "client_refused"

// Refusals returns the last requests of a client that were refused, at most limit, newest first, with what to do about each.
func Refusals(ctx context.Context, store Store, c *clients.Client, limit int) (wire.Refusals, error) {
	out := wire.Refusals{ClientID: c.ID, Disabled: c.Disabled, Refusals: []wire.Refusal{}}
	events, err := store.ListAudit(ctx, storage.AuditFilter{ClientID: c.ID, Action: actionRefused, Limit: limit})
	if err != nil {
		return out, fmt.Errorf("read refusals: %w", err)
	}
	for _, e := range events {
		var r wire.Refusal
		_ = json.Unmarshal(e.Details, &r) // details of a later release may be others
		r.At, r.Reason, r.Address, r.Request = e.At, e.Reason, e.Address, e.RequestID
		r.Hint = hint(c, &r)
		out.Refusals = append(out.Refusals, r)
	}
	return out, nil
}

// hint returns what the operator can do about a refusal.
func hint(c *clients.Client, r *wire.Refusal) string {
	update := "latchkey client update " + c.ID + " "
	switch {
	case r.Reason == "user_not_in_required_group":
		return "The client is for the groups " + strings.Join(c.RequireGroups, ", ") + ". If the user (latchkey audit list --client " + c.ID +
			" names them) is to use it: latchkey user update NAME --add-group GROUP"
	case r.Reason == "redirect_uri_not_registered":
		return "If the address that arrived is the application's, register it beside the others: " + update +
			"--redirect-uri URI --redirect-uri URI … Otherwise set the registered one in the application."
	case r.Reason == "post_logout_redirect_uri_not_registered":
		return "If the address that arrived is the application's, register it beside the others: " + update + "--post-logout-redirect-uri URI …"
	case r.Error == "token_not_visible":
		return "If the client is the resource server of this audience: " + update + "--resource AUDIENCE. If it may see every token: " + update + "--introspect-all"
	case r.Error == "invalid_client":
		return invalidClientHint(c, r.Reason)
	case r.Error == "invalid_scope":
		return "The client may ask for: " + c.Scope + ". Add what it needs: " + update + "--scope '…'"
	case r.Error == "invalid_target":
		return "List the resources with `latchkey resource list`; add the one asked for, or allow it: " + update + "--resource URI"
	case r.Error == "unauthorized_client":
		return "The client has the grant types " + strings.Join(c.GrantTypes, ", ") + ". Add the one that it uses: " + update + "--grant-type …"
	case r.Error == "invalid_grant":
		return "Codes are used once, within a minute, with the same redirect_uri and the code_verifier of the code_challenge. Look for a proxy or a browser that repeats requests."
	case strings.Contains(r.Description, "code_challenge"):
		return "Turn PKCE with S256 on in the application. If it can't, and it has a secret: " + update + "--no-require-pkce"
	}
	return "See what the server said, and docs/applications.md for the application's settings."
}

func invalidClientHint(c *clients.Client, reason string) string {
	switch {
	case strings.HasPrefix(reason, "client_assertion"), reason == "bad_client_assertion":
		return "Compare the key, kid and algorithm of the assertion with the client's jwks or jwks_uri, and the clocks of both sides."
	case c.Public():
		return "The client is public (token_endpoint_auth_method none): remove the secret from the application, or give the client one " +
			"with --token-endpoint-auth-method client_secret_basic and rotate-secret."
	case c.TokenEndpointAuthMethod == clients.AuthPrivateKeyJWT:
		return "The client authenticates with its key (private_key_jwt), and a secret or nothing was sent."
	}
	return "The secret is missing or wrong: look for spaces, quotes and a line break at its end, or make a new one: latchkey client rotate-secret " + c.ID
}
