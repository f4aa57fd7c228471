package oauth

import (
	"net/http"

	"latchkey/server/authorize"
)

// Push is the endpoint for pushed authorization requests (RFC 9126 §2).
func (h *Handlers) Push(w http.ResponseWriter, r *http.Request) error {
	f, client, err := readRequest(r)
	if err != nil {
		return err
	}
	requestURI, ttl, err := h.cfg.Requests.Push(r.Context(), &authorize.PushRequest{Client: client, Params: f, Proof: h.proofOf(w, r, PushPath)})
	if err != nil {
		h.noteRefusal(r.Context(), err, nil)
		return err
	}
	return writeJSONStatus(w, http.StatusCreated, struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int64  `json:"expires_in"`
	}{requestURI, int64(ttl.Seconds())})
}
