package oauth

import (
	"net/http"

	"latchkey/server/dpop"
)

// proofOf returns the DPoP proof of a request to one of the endpoints, if it has one, and offers the nonce for the next (RFC 9449 §8.2). The
// URL is the one that clients know: behind a proxy the request shows another.
func (h *Handlers) proofOf(w http.ResponseWriter, r *http.Request, path string) dpop.Presented {
	p := dpop.Presented{Headers: r.Header.Values("DPoP"), Method: r.Method, URL: h.issuer + path}
	if !p.None() {
		w.Header().Set("DPoP-Nonce", h.proofs.Nonce())
	}
	return p
}
