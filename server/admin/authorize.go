package admin

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"latchkey/server/bearer"
	"latchkey/server/dpop"
	"latchkey/server/internal/request"
	"latchkey/server/token"
)

// authorize checks that the request has an access token for this API with the scope of the operation, of a client or of a person in the
// group of operators, and notes who it is: what they change is recorded under that name.
func (a *API) authorize(w http.ResponseWriter, r *http.Request, op *huma.Operation) error {
	scheme, text, err := bearer.FromHeader(r.Header)
	if err != nil {
		return err
	}
	proof := dpop.Presented{Headers: r.Header.Values("DPoP"), Method: r.Method, URL: a.Issuer + r.URL.EscapedPath()}
	if !proof.None() {
		w.Header().Set("DPoP-Nonce", a.Proofs.Nonce())
	}
	access, err := a.Tokens.Access(r.Context(), &token.UserInfoRequest{Token: text, DPoP: scheme == bearer.SchemeDPoP, Proof: proof})
	if err != nil {
		return err
	}
	info := request.From(r.Context())
	info.Event.Add(slog.String("client_id", access.Client.ID))
	info.Operator = "client:" + access.Client.ID
	if access.User != nil {
		info.Event.Add(slog.Int64("user_id", access.User.ID))
		info.Operator = access.User.Sub()
		if a.Group == "" || !slices.Contains(access.User.Groups, a.Group) {
			return bearer.InsufficientScope("The user is not in the group of operators: the operator of the server sets it with --admin-group.")
		}
	}
	scope := op.Security[0][securityScheme][0]
	if !slices.Contains(access.Scope, scope) {
		e := bearer.InsufficientScope(fmt.Sprintf("The access token lacks the scope %s.", scope))
		return &scopeError{e, scope}
	}
	return nil
}

// scopeError is a refusal whose challenge names the scope that is needed (RFC 6750 §3).
type scopeError struct {
	error
	scope string
}

func (e *scopeError) Unwrap() error { return e.error }
