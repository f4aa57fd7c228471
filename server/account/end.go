package account

import (
	"fmt"
	"net/http"
	"net/url"

	"latchkey/clients"
	"latchkey/server/route"
	"latchkey/server/web"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// endSession ends another browser session of the user, or the current one.
func (h *Handlers) endSession(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, form url.Values) error {
	id, err := storage.ParseID(form.Get(sessionParameter))
	if err != nil {
		return route.ErrForm
	}
	if id == session.ID {
		return h.signOut(w, r, session)
	}
	if err := h.Sessions.EndOther(r.Context(), session.UserID, id); err != nil {
		return err
	}
	return h.done(w, outcome.SessionEnded)
}

// endAll ends all sessions of the user, including the current one, and revokes the access of all applications.
func (h *Handlers) endAll(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession) error {
	if err := h.Sessions.EndEverywhere(w, r, session); err != nil {
		return err
	}
	return h.redirect(w, SignedOutPath)
}

// endApplication revokes an application's access and the user's consent.
func (h *Handlers) endApplication(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, form url.Values) error {
	id := form.Get(clientParameter)
	if !clients.ValidID(id) {
		return route.ErrForm
	}
	ctx := r.Context()
	event := h.Audit.Event(ctx, "consent_revoked", "user")
	event.UserID, event.ClientID = session.UserID, id
	now := event.At
	event = h.Audit.Limited(ctx, event)
	ended, err := h.Store.RevokeConsent(ctx, storage.ConsentEnd{UserID: session.UserID, ClientID: id, Reason: "consent_revoked", Now: now}, event)
	if err != nil {
		return fmt.Errorf("take access from application: %w", err)
	}
	if ended {
		h.Audit.Written(event)
	}
	return h.done(w, outcome.AppEnded)
}

// signOut signs the user out of this browser.
func (h *Handlers) signOut(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession) error {
	if err := h.Sessions.End(w, r, session); err != nil {
		return err
	}
	return h.redirect(w, SignedOutPath)
}

func (h *Handlers) signedOut(w http.ResponseWriter, r *http.Request) error {
	return h.Pages.Render(w, r, http.StatusOK, web.LoggedOut{})
}
