package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
	// hint is nil when there is no valid one; badHint is set when there is one that is not valid.
	hint    *token.IDTokenHint
	badHint bool
	// back is where the browser goes afterwards, if that is the client's; empty = nowhere. unregistered is where it was to go, if that
	// is not the client's.
	back, unregistered string
	// link is where a link leads instead of back.
	link string
}

// maxLogoutQuery is the longest query that a posted request is redirected with, in bytes.
const maxLogoutQuery = 8 << 10

// Logout is the end session endpoint. With an ID token of the present session the user is signed out at once, otherwise asked:
// else any page could sign people out. Without a session in the browser, an ID token ends the session that it names: servers call
// this endpoint too, and forms of other sites arrive without the cookie. A thief can use an ID token for nothing else here.
func (h *Handlers) Logout(w http.ResponseWriter, r *http.Request) error {
	params, err := authorizationParams(r)
	if err != nil {
		return err
	}
	session, err := h.cfg.Sessions.Find(r, "")
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost && params.Get(flow.ParamTicket) != "" {
		return h.decideLogout(w, r, session, params)
	}
	l, err := h.logoutRequest(r, params)
	switch {
	case err != nil:
		return err
	case session != nil && (!l.proves(session) || l.unregistered != ""):
		return h.askLogout(w, r, session, l)
	case session == nil && r.Method == http.MethodPost && !params.Has("id_token_hint"):
		// A form of another site brings no cookie (SameSite=Lax); the request after a redirect does.
		if query := params.Encode(); len(query) <= maxLogoutQuery {
			return route.SeeOther(w, h.cfg.Paths.Base+LogoutPath+"?"+query)
		}
	}
	return h.logout(w, r, session, l)
}

// way returns what the pages of a logout have of its request: the look is that of the client, which must be one that the operator has verified.
func (h *Handlers) way(l *logout) web.Way {
	way := web.Way{Locales: l.params.Get("ui_locales"), Away: l.back != ""}
	if l.client != nil {
		way.Look = h.cfg.Look(l.client)
	}
	return way
}

// decideLogout takes the form of askLogout.
func (h *Handlers) decideLogout(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, form url.Values) error {
	if session == nil {
		return route.SeeOther(w, h.cfg.Paths.Base+LogoutPath) // signed out already
	}
	params, err := h.openLogoutTicket(form.Get(flow.ParamTicket), session.ID)
	if err != nil {
		return err
	}
	if form.Get(flow.ParamDecision) != "logout" {
		return route.SeeOther(w, string(h.cfg.Paths.Account()))
	}
	l, err := h.logoutRequest(r, params)
	if err != nil {
		return err
	}
	return h.logout(w, r, session, l)
}

// logout ends the session of the browser and the one that the hint names, and redirects the browser back to the client.
func (h *Handlers) logout(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, l *logout) error {
	ended := session != nil
	if l.hint != nil && !l.hint.SessionID.IsZero() && !l.proves(session) {
		if err := h.cfg.Sessions.EndFor(r.Context(), l.hint.ClientID, l.hint.Subject, l.hint.SessionID); err != nil {
			return flow.OnTheWay(l.client, l.params.Get("ui_locales"), err)
		}
		ended = true
	}
	switch {
	case session != nil:
		if err := h.cfg.Sessions.End(w, r, session); err != nil {
			return flow.OnTheWay(l.client, l.params.Get("ui_locales"), err)
		}
	case l.client != nil && l.client.Unverified():
		// RFC 9700 §4.11.2 and §3 of the logout specification: without a session, a redirect to an unverified client would make
		// this endpoint an open redirector. The user may follow the link.
		l.back, l.link = "", l.back
	}
	switch {
	case l.back != "":
		return route.SeeOther(w, l.back)
	case ended:
		page := web.LoggedOut{Unregistered: l.unregistered, ReturnURL: l.link, Way: h.way(l)}
		if u, err := url.Parse(l.link); err == nil {
			page.ReturnHost = u.Host
		}
		return h.cfg.Pages.Render(w, r, http.StatusOK, page)
	}
	return h.cfg.Pages.Render(w, r, nothingEnded(r, l), web.NotLoggedOut{BadHint: l.badHint, Unregistered: l.unregistered, Way: h.way(l)})
}

// nothingEnded returns the status for a logout that has ended nothing: a server that calls must not take it for done. A browser that
// asks for no session in particular has what it wants.
func nothingEnded(r *http.Request, l *logout) int {
	if strings.Contains(r.Header.Get("Accept"), "text/html") && !l.params.Has("id_token_hint") {
		return http.StatusOK
	}
	return http.StatusBadRequest
}

// logoutRequest reads what is asked for. The browser is not redirected with a hint that is not valid, or to a URI that is not the client's (§3).
func (h *Handlers) logoutRequest(r *http.Request, params url.Values) (*logout, error) {
	for _, values := range params {
		if len(values) > 1 {
			return nil, protocol.InvalidRequest("A parameter must not be repeated.")
		}
	}
	l := &logout{params: params}
	id := params.Get("client_id")
	if raw := params.Get("id_token_hint"); raw != "" {
		hint, err := h.cfg.Tokens.IDTokenHint(r.Context(), storage.Secret(raw))
		var refused *protocol.Error
		switch {
		case errors.As(err, &refused):
			l.badHint = true
		case err != nil:
			return nil, err
		case id != "" && id != hint.ClientID:
			return nil, protocol.InvalidRequest("The client_id is not the one of the id_token_hint.") // §2
		default:
			l.hint, id = hint, hint.ClientID
		}
	}
	if id == "" {
		return l, nil
	}
	client, err := h.cfg.Clients.Client(r.Context(), id)
	if errors.Is(err, storage.ErrNotFound) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("logout: %w", err)
	}
	l.client = client
	uri := params.Get("post_logout_redirect_uri")
	switch {
	case uri == "":
	case client.Disabled || !slices.Contains(client.PostLogoutRedirectURIs, uri):
		l.unregistered = uri
		h.noteUnregistered(r.Context(), l)
	case !l.badHint:
		l.back = uri
		if state := params.Get("state"); state != "" {
			l.back = (&authorize.Response{RedirectURI: uri, Params: url.Values{"state": {state}}}).Location()
		}
	}
	return l, nil
}

// proves reports whether the ID token hint was issued in this session, which may be nil.
func (l *logout) proves(s *storage.LiveBrowserSession) bool {
	return s != nil && l.hint != nil && l.hint.SessionID == s.ID && l.hint.Subject == s.User.Sub()
}

func (h *Handlers) askLogout(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession, l *logout) error {
	ticket, err := h.logoutTicket(s.ID, l.params)
	if err != nil {
		return err
	}
	page := web.Logout{
		Action: h.cfg.Paths.Base + LogoutPath, Hidden: []web.Field{{Name: flow.ParamTicket, Value: ticket}},
		Username: s.User.Username, Unregistered: l.unregistered, Way: h.way(l),
	}
	if l.client != nil {
		page.ClientName = l.client.ClientName
	}
	return h.cfg.Pages.Render(w, r, http.StatusOK, page)
}
