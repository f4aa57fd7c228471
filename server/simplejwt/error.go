package simplejwt

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/route"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/simplejwt/drf"
)

// ReasonHeader names the response header with the stable code that says why a request was refused. Like the request ID
// it leads an operator to the log event and the audit event, which have the exact reason. To a caller without an authentic token it
// reveals nothing, and to one with a dead token not how that died.
const ReasonHeader = "X-Latchkey-Reason"

const (
	blacklisted = "Token is blacklisted"
	noAccount   = "No active account found with the given credentials"
)

// refused renders a refusal of the token service as simplejwt's serializers do.
func (h *Handlers) refused(err error) error {
	e := protocol.AsError(err)
	if outage := unavailable(e); outage != nil {
		return outage
	}
	var invalid *codec.Invalid
	if errors.As(e, &invalid) {
		return drf.AuthenticationFailed(invalid.Message, "token_not_valid", e)
	}
	switch e.Reason {
	case reasons.Credentials, reasons.SecondFactor: // the original's words, whose code applications know; the header has the reason
		return drf.AuthenticationFailed(noAccount, "", e)
	case reasons.Throttled:
		return drf.Throttled(max(e.RetryAfter, time.Second), e)
	case reasons.UserInactive, reasons.UserRemoved, reasons.Outside:
		// Refused whatever the release: up to 5.3 the original did not look, and it crashes when the user is gone.
		return drf.AuthenticationFailed("No active account found for the given token.", "", e)
	case reasons.PasswordChanged:
		return drf.AuthenticationFailed("The user's password has been changed.", "", e)
	case reasons.Retired, reasons.Superseded, reasons.Shared, reasons.Unsealed, reasons.SessionRevoked, reasons.UserSessions, reasons.ClientSessions:
		return drf.AuthenticationFailed(blacklisted, "token_not_valid", e)
	case reasons.Expired, reasons.SessionExpired, reasons.SessionIdle:
		return drf.AuthenticationFailed(h.cfg.Compat.Words(codec.Expired), "token_not_valid", e)
	case reasons.Malformed, reasons.BadSignature, reasons.WrongType, reasons.UnknownGrant, reasons.OtherClient, reasons.OtherUser:
		return drf.AuthenticationFailed(h.cfg.Compat.Words(codec.Malformed), "token_not_valid", e)
	}
	// What is left is about the built-in client, which the operator has disabled or forbidden a grant.
	return drf.PermissionDenied(e)
}

// notLoggedIn renders a refusal of a login. A user who is in none of the required groups gets the words for an account that may not log in.
func (h *Handlers) notLoggedIn(err error) error {
	if e := protocol.AsError(err); e.Reason == reasons.Outside {
		return drf.AuthenticationFailed(noAccount, "", e)
	}
	return h.refused(err)
}

// notVerified renders a refusal at /verify/, where simplejwt has a validation error for a blacklisted token.
func (h *Handlers) notVerified(err error) error {
	e := protocol.AsError(err)
	var invalid *codec.Invalid
	if e.Status >= http.StatusInternalServerError || errors.As(e, &invalid) {
		return h.refused(e)
	}
	return drf.Invalid(blacklisted, e)
}

// ofTheUser reports whether a session has ended because of its user. Blacklisting its token then succeeds without effect:
// simplejwt does not look at the user there.
func ofTheUser(err error) bool {
	switch protocol.AsError(err).Reason {
	case reasons.UserInactive, reasons.UserRemoved, reasons.UserSessions, reasons.PasswordChanged:
		return true
	}
	return false
}

// unavailable is the answer to an outage, which must never look like a verdict on a token; nil when there is none.
func unavailable(e *protocol.Error) error {
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
	var refusal *protocol.Error
	if errors.As(err, &refusal) && refusal.Reason != reasons.None {
		w.Header().Set(ReasonHeader, string(refusal.Reason.Public()))
		request.From(r.Context()).Event.Add(slog.String("reason", string(refusal.Reason)))
	}
	drf.WriteException(w, err, exception(err), realm)
}

// exception returns err as an exception, so that refusals of the route's class have a body too.
func exception(err error) *drf.Exception {
	var e *drf.Exception
	if errors.As(err, &e) {
		return e
	}
	if outage := (*drf.Exception)(nil); errors.As(unavailable(protocol.AsError(err)), &outage) && outage.Status == http.StatusServiceUnavailable {
		return outage
	}
	var refused *route.Error
	if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
		return drf.Refused(refused.Status, refused.Message, err)
	}
	return drf.ServerError(err)
}
