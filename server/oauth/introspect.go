package oauth

import (
	"net/http"

	"latchkey/server/token"
	"latchkey/storage"
)

// Introspect is the introspection endpoint (RFC 7662), for clients that authenticate.
func (h *Handlers) Introspect(w http.ResponseWriter, r *http.Request) error {
	f, client, err := readRequest(r)
	if err != nil {
		return err
	}
	answer, err := h.cfg.Tokens.Introspect(r.Context(), &token.IntrospectRequest{Client: client, Token: storage.Secret(f.Get("token"))})
	if err != nil {
		return err
	}
	return writeJSON(w, answer)
}
