package protocol

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"latchkey/server/reasons"
	"latchkey/storage"
)

// Error is a refusal that the protocol has a code for. Every other error of the packages below is an outage or a bug: see
// [AsError].
type Error struct {
	// Code is the error code of RFC 6749 §5.2, RFC 8707 §2 and so on.
	Code string
	// Description is for the client's developer. It never says why a token or a password was refused.
	Description string
	// Status is the HTTP status.
	Status int
	// RetryAfter, when not zero, goes into Retry-After.
	RetryAfter time.Duration
	// Reason is why, for operators: the log, the audit event and the reason header of the simplejwt routes.
	Reason reasons.Reason
	// SessionLives is set when the token is dead but its session is not, since the client's policy only rejects reuse.
	SessionLives bool
	// Cause is wrapped, for the log.
	Cause error
}

func (e *Error) Error() string {
	s := e.Code
	if e.Reason != "" {
		s += " (" + string(e.Reason) + ")"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// RetryAfterSeconds returns RetryAfter in whole seconds, rounded up.
func (e *Error) RetryAfterSeconds() int { return int((e.RetryAfter + time.Second - 1) / time.Second) }

// retryAfterOutage is the Retry-After while the database is unavailable or the server is overloaded.
const retryAfterOutage = 2 * time.Second

// AsError returns the *Error in err's chain; without one, 503 with Retry-After if the database is unavailable, and server_error
// for everything else.
func AsError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, storage.ErrUnavailable):
		return &Error{
			Code: "temporarily_unavailable", Description: "The server cannot reach its database. Try again.",
			Status: http.StatusServiceUnavailable, RetryAfter: retryAfterOutage, Reason: reasons.DatabaseAway, Cause: err,
		}
	default:
		return &Error{
			Code: "server_error", Description: "The server failed. The request ID identifies the log entry.",
			Status: http.StatusInternalServerError, Reason: reasons.Internal, Cause: err,
		}
	}
}

// Refuse returns an Error with status 400, the status of most refusals (RFC 6749 §5.2).
func Refuse(code string, reason reasons.Reason, format string, args ...any) *Error {
	return &Error{Code: code, Status: http.StatusBadRequest, Reason: reason, Description: fmt.Sprintf(format, args...)}
}

// InvalidRequest returns an Error with the code invalid_request.
func InvalidRequest(format string, args ...any) *Error {
	return Refuse("invalid_request", reasons.BadRequest, format, args...)
}

// InvalidGrant returns the refusal of a refresh token. Its words are the same whatever the reason: RFC 9700 §4.14.2, and
// docs/rotation.md, "What must hold", 6.
func InvalidGrant(reason reasons.Reason) *Error {
	return Refuse("invalid_grant", reason, "The refresh token is invalid, expired or revoked.")
}

// InvalidClient returns an Error with the code invalid_client and status 401 (RFC 6749 §5.2).
func InvalidClient(reason reasons.Reason, format string, args ...any) *Error {
	e := Refuse("invalid_client", reason, format, args...)
	e.Status = http.StatusUnauthorized
	return e
}

// ClientRefused returns the refusal of an unknown client, a wrong secret and a disabled client, in the same words.
func ClientRefused() *Error {
	return InvalidClient(reasons.Client, "Client authentication failed: "+
		"the client_id is unknown or disabled, or its secret or assertion is missing or wrong.")
}

// InvalidToken returns an Error with the code invalid_token and status 401 (RFC 6750 §3.1).
func InvalidToken(reason reasons.Reason, description string) *Error {
	e := Refuse("invalid_token", reason, "%s", description)
	e.Status = http.StatusUnauthorized
	return e
}

// Throttled returns an Error with status 429 and Retry-After.
func Throttled(wait time.Duration, description string) *Error {
	e := Refuse("temporarily_unavailable", reasons.Throttled, "%s", description)
	e.Status, e.RetryAfter = http.StatusTooManyRequests, wait
	return e
}

// NotReady returns an Error with status 503 and Retry-After for a server that can't do its work yet, or for now.
func NotReady(cause error) *Error {
	return &Error{
		Code: "temporarily_unavailable", Description: "The server is not ready. Try again.",
		Status: http.StatusServiceUnavailable, RetryAfter: retryAfterOutage, Reason: reasons.NotReady, Cause: cause,
	}
}

// Overloaded returns an Error with status 503 and Retry-After.
func Overloaded(description string) *Error {
	e := Refuse("temporarily_unavailable", reasons.Overload, "%s", description)
	e.Status, e.RetryAfter = http.StatusServiceUnavailable, retryAfterOutage
	return e
}

// Describable restricts a description to the characters of RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E.
func Describable(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '"':
			return '\''
		case c == '\\':
			return '/'
		case c < 0x20 || c > 0x7e:
			return '?'
		}
		return c
	}, s)
}
