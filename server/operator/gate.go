// Package operator decides who may do what operators do over HTTP: programs and people with an access token of this server for the API for
// operators. The API itself and SCIM ask it, so that neither admits a caller that the other refuses.
package operator

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"latchkey/server/bearer"
	"latchkey/server/dpop"
	"latchkey/server/factors"
	"latchkey/server/internal/request"
	"latchkey/server/token"
)

// Gate checks access tokens.
type Gate struct {
	Issuer string
	Tokens *token.Service
	Proofs *dpop.Checker
	// Group is the group whose members may come in; empty = only clients of client_credentials may.
	Group string
	// Factors says whether a person has a second factor; nil means that there are none.
	Factors *factors.Service
}

// Admit checks that the request has an access token for the API for operators with a scope, of a client or of a person in the group of
// operators, and notes who it is: what they change is recorded under that name. Parameters returns what the challenge of an error says more.
func (g *Gate) Admit(w http.ResponseWriter, r *http.Request, scope string) (*token.Access, error) {
	scheme, text, err := bearer.FromHeader(r.Header)
	if err != nil {
		return nil, err
	}
	proof := dpop.Presented{Headers: r.Header.Values("DPoP"), Method: r.Method, URL: g.Issuer + r.URL.EscapedPath()}
	if !proof.None() {
		w.Header().Set("DPoP-Nonce", g.Proofs.Nonce())
	}
	access, err := g.Tokens.Access(r.Context(), &token.UserInfoRequest{Token: text, DPoP: scheme == bearer.SchemeDPoP, Proof: proof})
	if err != nil {
		return nil, err
	}
	return access, g.Check(r, access, scope)
}

// Check is Admit for access that is proved already.
func (g *Gate) Check(r *http.Request, access *token.Access, scope string) error {
	info := request.From(r.Context())
	info.Event.Add(slog.String("client_id", access.Client.ID))
	info.Operator, info.OperatorScopes = "client:"+access.Client.ID, access.Scope
	if access.User != nil {
		info.Event.Add(slog.Int64("user_id", access.User.ID))
		info.Operator = access.User.Sub()
		if g.Group == "" || !slices.Contains(access.User.Groups, g.Group) {
			return bearer.InsufficientScope("The user is not in the group of operators: the operator of the server sets it with --admin-group.")
		}
	}
	if !slices.Contains(access.Scope, scope) {
		return &challengedError{bearer.InsufficientScope(fmt.Sprintf("The access token lacks the scope %s.", scope)), `, scope="` + scope + `"`}
	}
	return g.stepUp(r.Context(), access, scope)
}
