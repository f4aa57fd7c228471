package admin

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"latchkey/server/operator"
)

// authorize checks that the request has an access token with the scope of the operation.
func (a *API) authorize(w http.ResponseWriter, r *http.Request, op *huma.Operation) error {
	gate := operator.Gate{Issuer: a.Issuer, Tokens: a.Tokens, Proofs: a.Proofs, Group: a.Group, Factors: a.Factors}
	_, err := gate.Admit(w, r, op.Security[0][securityScheme][0])
	return err
}
