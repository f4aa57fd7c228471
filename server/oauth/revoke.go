package oauth

import (
	"net/http"

	"latchkey/server/token"
	"latchkey/storage"
)

// Revoke is the revocation endpoint (RFC 7009). Status 200 means that the token is revoked or was never valid; an unavailable
// database is an error, never a 200.
func (h *Handlers) Revoke(w http.ResponseWriter, r *http.Request) error {
	f, client, err := readRequest(r)
	if err != nil {
		return err
	}
	if err := h.cfg.Tokens.Revoke(r.Context(), &token.RevokeRequest{Client: client, Token: storage.Secret(f.Get("token"))}); err != nil {
		return err
	}
	// RFC 7009 §2.2: the client ignores the body. Libraries that read each answer as JSON, like simple-oauth2, must be able to read it.
	return writeJSON(w, struct{}{})
}
