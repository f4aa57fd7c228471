package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"latchkey/clients"
	"latchkey/server/authorize"
	"latchkey/server/flow"
	"latchkey/server/protocol"
	"latchkey/server/route"
	"latchkey/server/token"
	"latchkey/server/web"
	"latchkey/storage"
)

// logout is a request to sign out (OpenID Connect RP-Initiated Logout §2).
type logout struct {
	params url.Values
	// client is the client that the hint or the client_id identifies; nil without one.
	client *clients.Client
	// hint is nil when there is no valid one.
	hint *token.IDTokenHint
	// back is where the browser goes afterwards, if that is the client's; empty = nowhere.
	back string
}

// Logout is the end session endpoint. With an ID token of the present session the user is signed out at once, otherwise asked:
// else any page could sign people out.
func (h *Handlers) Logout(w http.ResponseWriter, r *http.Request) error {
	params, err := authorizationParams(r)
	if err != nil {
		return err
	}
	session, err := h.sessions.Find(r, "")
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost && params.Get(flow.ParamTicket) != "" {
		return h.decideLogout(w, r, session, params)
	}
	l, err := h.logoutRequest(r, params)
	if err != nil {
		return err
	}
	if session != nil && !l.proves(session) {
		return h.askLogout(w, r, session, l)
	}
	return h.logout(w, r, session, l)
}

// decideLogout takes the form of askLogout.
func (h *Handlers) decideLogout(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, form url.Values) error {
	if session == nil {
		return route.SeeOther(w, h.paths.Base+LogoutPath) // signed out already
	}
	params, err := h.requests.OpenLogoutTicket(form.Get(flow.ParamTicket), session.ID)
	if errors.Is(err, authorize.ErrTicket) {
		return &route.Error{Status: http.StatusForbidden, Message: "This page belongs to a session that has ended."}
	}
	if err != nil {
		return err
	}
	if form.Get(flow.ParamDecision) != "logout" {
		return route.SeeOther(w, string(h.paths.Account()))
	}
	l, err := h.logoutRequest(r, params)
	if err != nil {
		return err
	}
	return h.logout(w, r, session, l)
}

// logout ends the session, if there is one, and redirects the browser back to the client.
func (h *Handlers) logout(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, l *logout) error {
	switch {
	case session != nil:
		if err := h.sessions.End(w, r, session); err != nil {
			return err
		}
	case l.client != nil && l.client.Unverified():
		// RFC 9700 §4.11.2 and §3 of the logout specification: without a session, a redirect to an unverified client would make
		// this endpoint an open redirector.
		l.back = ""
	}
	if l.back != "" {
		return route.SeeOther(w, l.back)
	}
	return h.pages.Render(w, r, http.StatusOK, web.LoggedOut{Locales: l.params.Get("ui_locales")})
}

// logoutRequest reads what is asked for. A redirect URI that is not the client's is left out (§3): signing out goes before
// going back.
func (h *Handlers) logoutRequest(r *http.Request, params url.Values) (*logout, error) {
	for _, values := range params {
		if len(values) > 1 {
			return nil, invalidRequest("A parameter must not be repeated.")
		}
	}
	l := &logout{params: params}
	id := params.Get("client_id")
	if raw := params.Get("id_token_hint"); raw != "" {
		hint, err := h.tokens.IDTokenHint(r.Context(), storage.Secret(raw))
		var refused *protocol.Error
		switch {
		case errors.As(err, &refused): // no better than none
		case err != nil:
			return nil, err
		case id != "" && id != hint.ClientID:
			return nil, invalidRequest("The client_id is not the one of the id_token_hint.") // §2
		default:
			l.hint, id = hint, hint.ClientID
		}
	}
	if id == "" {
		return l, nil
	}
	client, err := h.clients.Client(r.Context(), id)
	if errors.Is(err, storage.ErrNotFound) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("logout: %w", err)
	}
	l.client = client
	if uri := params.Get("post_logout_redirect_uri"); uri != "" && !client.Disabled && slices.Contains(client.PostLogoutRedirectURIs, uri) {
		l.back = uri
		if state := params.Get("state"); state != "" {
			l.back = (&authorize.Response{RedirectURI: uri, Params: url.Values{"state": {state}}}).Location()
		}
	}
	return l, nil
}

// proves reports whether the ID token hint was issued in this session.
func (l *logout) proves(s *storage.LiveBrowserSession) bool {
	return l.hint != nil && l.hint.SessionID == s.ID && l.hint.Subject == strconv.FormatInt(s.UserID, 10)
}

func (h *Handlers) askLogout(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession, l *logout) error {
	ticket, err := h.requests.LogoutTicket(s.ID, l.params)
	if err != nil {
		return err
	}
	page := web.Logout{
		Action: h.paths.Base + LogoutPath, Hidden: []web.Field{{Name: flow.ParamTicket, Value: ticket}},
		Username: s.User.Username, Locales: l.params.Get("ui_locales"), Away: l.back != "",
	}
	if l.client != nil {
		page.ClientName = l.client.ClientName
	}
	return h.pages.Render(w, r, http.StatusOK, page)
}
