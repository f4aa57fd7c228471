package oauth

import (
	"net/http"
)

// Device is the device authorization endpoint (RFC 8628 §3.1).
func (h *Handlers) Device(w http.ResponseWriter, r *http.Request) error {
	f, client, err := readRequest(r)
	if err != nil {
		return err
	}
	d, err := h.cfg.Requests.AskDevice(r.Context(), client, f)
	if err != nil {
		h.noteRefusal(r.Context(), err, nil)
		return err
	}
	origin := h.cfg.Issuer[:len(h.cfg.Issuer)-len(h.cfg.Paths.Base)]
	return writeJSON(w, struct {
		DeviceCode              string `json:"device_code"`
		UserCode                string `json:"user_code"`
		VerificationURI         string `json:"verification_uri"`
		VerificationURIComplete string `json:"verification_uri_complete"`
		ExpiresIn               int64  `json:"expires_in"`
		Interval                int64  `json:"interval"`
	}{
		d.DeviceCode.Reveal(), d.UserCode, origin + string(h.cfg.Paths.Device("")), origin + string(h.cfg.Paths.Device(d.UserCode)),
		d.ExpiresIn, d.Interval,
	})
}
