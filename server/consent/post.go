package consent

import (
	"context"
	"fmt"
	"net/http"

	"latchkey/server/route"
	"latchkey/server/token"
	"latchkey/storage"
)

// post takes the decision, and sends the browser back to the authorization endpoint with it.
func (h *Handlers) post(w http.ResponseWriter, r *http.Request) error {
	form, err := route.Form(r)
	if err != nil {
		return err
	}
	a, present, err := h.open(r, form.Get("request"))
	if err != nil {
		return err
	}
	var next string
	switch form.Get("decision") {
	case "allow":
		err, next = h.allow(r.Context(), a, present), a.Allowed(present.ID)
	case "deny":
		err, next = h.deny(r.Context(), a, present), a.Denied(present.ID)
	default:
		err = &route.Error{Status: http.StatusBadRequest, Message: "The form is malformed."}
	}
	if err != nil {
		return err
	}
	return route.SeeOther(w, h.BasePath+route.ContinuePath+next)
}

// allow keeps what the user has allowed. The code that is made of it needs the sealed decision besides: a consent that is
// kept is not enough for a client that has to ask each time.
func (h *Handlers) allow(ctx context.Context, a *token.Authorization, present *storage.LiveBrowserSession) error {
	// A client that is known by its metadata document alone becomes a row now: a consent needs one.
	if _, err := h.Clients.KeepDocument(ctx, a.Client); err != nil {
		return fmt.Errorf("keep consent: %w", err)
	}
	event := h.Audit.Event(ctx, "consent_granted", "user")
	event.UserID, event.ClientID = present.UserID, a.Client.ID
	if err := h.Store.GrantConsent(ctx, a.ConsentOf(present.UserID), event); err != nil {
		return fmt.Errorf("keep consent: %w", err)
	}
	h.Audit.Written(event)
	return nil
}

func (h *Handlers) deny(ctx context.Context, a *token.Authorization, present *storage.LiveBrowserSession) error {
	event := h.Audit.Event(ctx, "consent_denied", "user")
	event.UserID, event.ClientID, event.Outcome = present.UserID, a.Client.ID, "denied"
	return h.Audit.Append(ctx, event)
}
