package oauth

import "net/http"

// JWKS is the key set (RFC 7517 §5) that access tokens are verified with.
func (h *Handlers) JWKS(w http.ResponseWriter, r *http.Request) error {
	body, etag, maxAge := h.keys.JWKS()
	return writeCacheable(w, r, cacheable{contentType: "application/jwk-set+json", body: body, etag: etag, maxAge: maxAge})
}
