package oauth

import (
	"errors"
	"net/http"

	"latchkey/server/protocol"
)

// JWKS is the key set (RFC 7517 §5) that access tokens are verified with. A set without keys would say that no token is valid.
func (h *Handlers) JWKS(w http.ResponseWriter, r *http.Request) error {
	if !h.cfg.Keys.Loaded() {
		return protocol.NotReady(errors.New("the signing keys are not loaded"))
	}
	body, etag, maxAge := h.cfg.Keys.JWKS()
	last := h.keySet.Load()
	if last == nil || last.etag != etag {
		last = newCacheable("application/jwk-set+json", body, etag, maxAge)
		h.keySet.Store(last)
	}
	return last.write(w, r)
}
