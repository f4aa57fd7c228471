package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"latchkey/server/bearer"
	"latchkey/server/internal/request"
	"latchkey/server/operator"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/route"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// The kinds of refusals that clients tell apart: scimType (RFC 7644 §3.12, RFC 9865 §2.1).
const (
	invalidFilter = "invalidFilter"
	tooMany       = "tooMany"
	uniqueness    = "uniqueness"
	mutability    = "mutability"
	invalidSyntax = "invalidSyntax"
	invalidPath   = "invalidPath"
	noTarget      = "noTarget"
	invalidValue  = "invalidValue"
	invalidCursor = "invalidCursor"
)

// Error is a refusal in the form of RFC 7644 §3.12.
type Error struct {
	Status         int
	scimType, text string
}

func (e *Error) Error() string { return e.text }

// bad returns a refusal with the status 400.
func bad(scimType, format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, scimType, fmt.Sprintf(format, args...)}
}

// refusal returns a refusal without a scimType.
func refusal(status int, format string, args ...any) *Error {
	return &Error{status, "", fmt.Sprintf(format, args...)}
}

// asError returns what is shown of an error: what is wrong with the request, or an outage, and nothing of any other.
func asError(err error) *Error {
	var known *Error
	var invalid *input.Error
	var refused *route.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &invalid):
		return bad(invalidValue, "The %s.", invalid.Error())
	case errors.As(err, &refused):
		return refusal(refused.Status, "%s", refused.Message)
	case errors.Is(err, storage.ErrElsewhere):
		return refusal(http.StatusNotImplemented, "SCIM is off: %s.", err.Error())
	case errors.Is(err, storage.ErrNotFound):
		return refusal(http.StatusNotFound, "There is no such resource.")
	case errors.Is(err, storage.ErrExists):
		return &Error{http.StatusConflict, uniqueness, "The userName or displayName is taken."}
	case errors.Is(err, storage.ErrConflict):
		return refusal(http.StatusPreconditionFailed, "It was changed since you have read it: read it again.")
	case errors.Is(err, bearer.ErrNoToken):
		return refusal(http.StatusUnauthorized, "An access token is needed: send it as Authorization: Bearer TOKEN.")
	}
	return nil
}

// render writes an error (RFC 7644 §3.12).
func render(w http.ResponseWriter, r *http.Request, err error) {
	h := w.Header()
	if errors.Is(err, users.ErrOverload) {
		err = protocol.Overloaded("The server is checking as many passwords as it can. Try again.")
	}
	e := asError(err)
	if e == nil {
		p := protocol.AsError(err)
		e = refusal(p.Status, "%s", p.Description)
		if p.Reason != reasons.None {
			request.From(r.Context()).Event.Add(slog.String("reason", string(p.Reason)))
		}
		if p.RetryAfter > 0 {
			h.Set("Retry-After", strconv.Itoa(p.RetryAfterSeconds()))
		}
	}
	challenge(h, r, e, err)
	body := object{"schemas": []any{errorURN}, "status": strconv.Itoa(e.Status), "detail": e.text}
	if e.scimType != "" {
		body["scimType"] = e.scimType
	}
	h.Set("Content-Type", contentType(r))
	w.WriteHeader(e.Status)
	json.NewEncoder(w).Encode(body)
}

// challenge says how to get in (RFC 6750 §3, RFC 7617 §2).
func challenge(h http.Header, r *http.Request, e *Error, err error) {
	var refused *protocol.Error
	switch {
	case errors.Is(err, bearer.ErrNoToken):
		bearer.Challenge(h, r.Header, err, "")
	case (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden) && errors.As(err, &refused) && refused.Code != "invalid_client":
		bearer.Challenge(h, r.Header, refused, operator.Parameters(err))
	}
	if e.Status == http.StatusUnauthorized {
		h.Add("WWW-Authenticate", `Basic realm="latchkey", charset="UTF-8"`)
	}
}
