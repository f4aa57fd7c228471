package oauth

import (
	"context"
	"errors"

	"latchkey/server/authorize"
	"latchkey/server/internal/audit"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// noteRefusal notes an authorization request that the application or its registration has to fix.
func (h *Handlers) noteRefusal(ctx context.Context, err error, session *storage.LiveBrowserSession) {
	var refused *authorize.Error
	if !errors.As(err, &refused) {
		return
	}
	if refused.Err.Reason == reasons.Outside && session != nil {
		h.cfg.Audit.Refused(ctx, authorize.OutsideRefusal(refused.Client, session))
		return
	}
	switch refused.Err.Code {
	case "login_required", "consent_required", "access_denied", "expired": // the course of things
		return
	}
	r := audit.Refusal{ClientID: refused.ClientID, Error: refused.Err.Code, Reason: string(refused.Err.Reason)}
	if refused.Client != nil {
		r.ClientID, r.Known = refused.Client.ID, true
	}
	if refused.Nearest != "" {
		r.Reason = "redirect_uri_not_registered"
	}
	r.Details = audit.RefusalDetails{Description: refused.Err.Description, RedirectURI: refused.RedirectURI, Nearest: refused.Nearest}
	h.cfg.Audit.Refused(ctx, r)
}

// noteUnregistered notes a logout that was to end at an address that the client has not registered.
func (h *Handlers) noteUnregistered(ctx context.Context, l *logout) {
	r := audit.Refusal{ClientID: l.client.ID, Known: true, Error: "invalid_request", Reason: "post_logout_redirect_uri_not_registered"}
	r.Details.RedirectURI, r.Details.Nearest = l.unregistered, l.client.NearestPostLogoutRedirectURI(l.unregistered)
	h.cfg.Audit.Refused(ctx, r)
}
