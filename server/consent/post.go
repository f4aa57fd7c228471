package consent

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"latchkey/server/authorize"
	"latchkey/server/flow"
	"latchkey/server/route"
	"latchkey/storage"
)

// post stores the decision, and sends the browser back to the authorization endpoint with it.
func (h *Handlers) post(w http.ResponseWriter, r *http.Request, form url.Values) error {
	a, session, err := h.open(r, flow.Ticket(form.Get(flow.ParamTicket)))
	if err != nil {
		return err
	}
	return flow.OnTheWay(a.Client, a.UILocales, h.decide(w, r, a, session, flow.Decision(form.Get(flow.ParamDecision))))
}

func (h *Handlers) decide(
	w http.ResponseWriter, r *http.Request, a *authorize.Request, session *storage.LiveBrowserSession, decision flow.Decision,
) (err error) {
	if decision == flow.Allow && (!a.Shown() || a.Outside(session)) {
		return route.SeeOther(w, h.Paths.Consent(a.Ticket(session.ID))) // the client or the user has changed: the user sees it first
	}
	switch decision {
	case flow.Allow:
		err = h.allow(r.Context(), a, session)
	case flow.Deny:
		err = h.deny(r.Context(), a, session)
	default:
		err = route.ErrForm
	}
	if err != nil {
		return err
	}
	return route.SeeOther(w, string(h.Paths.Resume(a.Decided(session.ID, decision))))
}

// allow stores the consent. The code needs the sealed decision besides: a stored consent is not enough for a client that must ask each
// time.
func (h *Handlers) allow(ctx context.Context, a *authorize.Request, session *storage.LiveBrowserSession) error {
	// A client known by its metadata document alone is stored now: a consent needs its row.
	if _, err := h.Clients.KeepDocument(ctx, a.Client); err != nil {
		return fmt.Errorf("keep consent: %w", err)
	}
	event := h.Audit.Event(ctx, "consent_granted", "user")
	event.UserID, event.ClientID = session.UserID, a.Client.ID
	event = h.Audit.Limited(ctx, event)
	if err := h.Store.GrantConsent(ctx, a.ConsentOf(session.UserID), event); err != nil {
		return fmt.Errorf("keep consent: %w", err)
	}
	h.Audit.Written(event)
	return nil
}

func (h *Handlers) deny(ctx context.Context, a *authorize.Request, session *storage.LiveBrowserSession) error {
	event := h.Audit.Event(ctx, "consent_denied", "user")
	event.UserID, event.ClientID, event.Outcome = session.UserID, a.Client.ID, "denied"
	return h.Audit.Append(ctx, h.Audit.Limited(ctx, event))
}
