package oauth

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"latchkey/server/route"
	"latchkey/storage"
)

// askedLogout is a logout that a user is asked about.
type askedLogout struct {
	Session storage.ID `json:"s"`
	At      int64      `json:"t"`
	Params  url.Values `json:"p"`
}

const (
	sealLogout = "logout"
	// logoutTicketTTL is how long the form may be left open.
	logoutTicketTTL = time.Hour
)

// errLogoutTicket is the refusal of a form that was made for another browser session, or too long ago.
var errLogoutTicket = &route.Error{Status: http.StatusForbidden, Message: "This page belongs to a session that has ended."}

// logoutTicket seals the parameters of a logout request for the form that asks the user of this browser session.
func (h *Handlers) logoutTicket(session storage.ID, params url.Values) (string, error) {
	text, err := h.cfg.Sealer.SealJSON(sealLogout, askedLogout{Session: session, At: h.cfg.Now().UnixMicro(), Params: params})
	if err != nil {
		return "", fmt.Errorf("ask for a logout: %w", err)
	}
	return text, nil
}

// openLogoutTicket returns the parameters; errLogoutTicket when the ticket is another session's, too old, or malformed.
func (h *Handlers) openLogoutTicket(text string, session storage.ID) (url.Values, error) {
	var t askedLogout
	if err := h.cfg.Sealer.OpenJSON(sealLogout, text, &t); err != nil || t.Session != session {
		return nil, errLogoutTicket
	}
	if age := h.cfg.Now().Sub(time.UnixMicro(t.At)); age > logoutTicketTTL || age < -time.Minute {
		return nil, errLogoutTicket
	}
	return t.Params, nil
}
