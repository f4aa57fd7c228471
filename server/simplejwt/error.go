package simplejwt

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"latchkey/server/internal/legacyjwt"
	"latchkey/server/internal/request"
	"latchkey/server/route"
	"latchkey/server/simplejwt/drf"
	"latchkey/server/token"
)

// ReasonHeader names the response header with the stable code that says why a request was refused. Like the request id
// it leads an operator to the audit event; it tells nothing to who does not hold an authentic token.
const ReasonHeader = "X-Latchkey-Reason"

const blacklisted = "Token is blacklisted"

// refused words a refusal of the token service as simplejwt's serializers do.
func (h *Handlers) refused(err error) error {
	e := token.AsError(err)
	if outage := unavailable(e); outage != nil {
		return outage
	}
	var invalid *legacyjwt.Invalid
	if errors.As(e, &invalid) {
		return drf.AuthenticationFailed(invalid.Message, "token_not_valid", e)
	}
	switch e.Reason {
	case token.ReasonCredentials:
		return drf.AuthenticationFailed("No active account found with the given credentials", "", e)
	case token.ReasonThrottled:
		return drf.Throttled(max(e.RetryAfter, time.Second), e)
	case token.ReasonUserInactive, token.ReasonUserRemoved:
		// Refused whatever the release: up to 5.3 the original did not look, and it crashes when the user is gone.
		return drf.AuthenticationFailed("No active account found for the given token.", "", e)
	case token.ReasonPasswordChanged:
		return drf.AuthenticationFailed("The user's password has been changed.", "", e)
	case token.ReasonRetired, token.ReasonSuperseded, token.ReasonSessionRevoked, token.ReasonUserSessions, token.ReasonClientSessions:
		return drf.AuthenticationFailed(blacklisted, "token_not_valid", e)
	case token.ReasonExpired, token.ReasonSessionExpired, token.ReasonSessionIdle:
		return drf.AuthenticationFailed(h.compat.Words(legacyjwt.Expired), "token_not_valid", e)
	case token.ReasonMalformed, token.ReasonBadSignature, token.ReasonWrongType, token.ReasonUnknownGrant, token.ReasonOtherClient:
		return drf.AuthenticationFailed(h.compat.Words(legacyjwt.Malformed), "token_not_valid", e)
	}
	// What is left is about the built-in client, which the operator has disabled or forbidden a grant.
	return drf.PermissionDenied(e)
}

// notVerified words a refusal at /verify/, where simplejwt has a validation error for a blacklisted token.
func (h *Handlers) notVerified(err error) error {
	e := token.AsError(err)
	var invalid *legacyjwt.Invalid
	if e.Status >= http.StatusInternalServerError || errors.As(e, &invalid) {
		return h.refused(e)
	}
	return drf.Invalid(blacklisted, e)
}

// ofTheUser tells whether a session is dead because of its user. To blacklist its token has then nothing left to do:
// simplejwt does not look at the user there.
func ofTheUser(err error) bool {
	switch token.AsError(err).Reason {
	case token.ReasonUserInactive, token.ReasonUserRemoved, token.ReasonUserSessions, token.ReasonPasswordChanged:
		return true
	}
	return false
}

// unavailable is the answer to an outage, which must never look like a verdict on a token; nil when there is none.
func unavailable(e *token.Error) error {
	switch {
	case e.Status == http.StatusServiceUnavailable:
		return drf.Unavailable(max(e.RetryAfter, time.Second), e)
	case e.Status >= http.StatusInternalServerError:
		return drf.ServerError(e)
	}
	return nil
}

// RenderError writes an error as the framework does. Of an error that is not meant for clients it shows nothing.
func (h *Handlers) RenderError(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *token.Error
	if errors.As(err, &refusal) && refusal.Reason != token.ReasonNone {
		w.Header().Set(ReasonHeader, string(refusal.Reason))
		request.From(r.Context()).Event.Add(slog.String("reason", string(refusal.Reason)))
	}
	drf.WriteException(w, r, exception(err), realm)
}

// exception gives what the class of the route refuses a body too.
func exception(err error) *drf.Exception {
	var e *drf.Exception
	if errors.As(err, &e) {
		return e
	}
	var refused *route.Error
	if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
		return drf.Refused(refused.Status, refused.Message, err)
	}
	return drf.ServerError(err)
}
