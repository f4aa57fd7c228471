package protocol

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

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
	Reason Reason
	// SessionLives is set when the token is dead but its session is not, since the client's policy only rejects reuse.
	SessionLives bool
	// Cause is wrapped, for the log.
	Cause error
}

// Reason is a stable code for operators that says why a request was refused.
type Reason string

// The reasons.
const (
	ReasonNone           Reason = ""
	ReasonBadRequest     Reason = "bad_request"
	ReasonClient         Reason = "client_authentication_failed"
	ReasonCredentials    Reason = "bad_credentials"  // unknown user, wrong password or inactive user
	ReasonThrottled      Reason = "throttled"        // too many attempts
	ReasonOverload       Reason = "overload"         // the password pool's queue is full
	ReasonMalformed      Reason = "malformed_token"  // not issued by this server
	ReasonBadSignature   Reason = "bad_signature"    // the MAC or the signature is wrong
	ReasonWrongType      Reason = "wrong_token_type" // an access token where a refresh token belongs, …
	ReasonExpired        Reason = "token_expired"    // the token's own end
	ReasonUnknownGrant   Reason = "session_unknown"  // authentic, but there is no such session
	ReasonOtherClient    Reason = "issued_to_another_client"
	ReasonRetired        Reason = "token_retired"    // replaced by its successor, which has been used
	ReasonSuperseded     Reason = "token_superseded" // a sibling was used instead
	ReasonShared         Reason = "token_shared"     // used in two networks again and again
	ReasonUnsealed       Reason = "token_unsealed"   // signed with simplejwt's key, but not issued here, or not any more
	ReasonOtherUser      Reason = "issued_to_another_user"
	ReasonSessionIdle    Reason = "session_idle"
	ReasonSessionExpired Reason = "session_expired" // absolute end
	ReasonSessionRevoked Reason = "session_revoked" // see the grant's revoke_reason
	ReasonUserInactive   Reason = "user_inactive"
	ReasonUserRemoved    Reason = "user_removed"
	ReasonUserSessions   Reason = "user_sessions_ended" // password change, "log out everywhere"
	// ReasonPasswordChanged is for a token of simplejwt's, signed under CHECK_REVOKE_TOKEN before the password was changed in Django.
	ReasonPasswordChanged Reason = "password_changed"
	ReasonClientDisabled  Reason = "client_disabled"
	ReasonClientSessions  Reason = "client_sessions_ended"
	// Client assertions (RFC 7523): not what section 3 asks for; the client's keys are unavailable, or none fits; signed with a shared
	// secret; used before.
	ReasonAssertion       Reason = "bad_client_assertion"
	ReasonAssertionKey    Reason = "client_assertion_key"
	ReasonAssertionMAC    Reason = "client_secret_jwt_unsupported"
	ReasonAssertionReplay Reason = "client_assertion_replayed"
	// Proofs of possession (RFC 9449): not what section 4.3 asks for; used before; of another key than the token or code is bound to.
	ReasonProof        Reason = "bad_dpop_proof"
	ReasonProofReplay  Reason = "dpop_proof_replayed"
	ReasonOtherKey     Reason = "bound_to_another_key"
	ReasonObject       Reason = "bad_request_object" // RFC 9101
	ReasonDatabaseAway Reason = "database_unavailable"
	ReasonNotReady     Reason = "not_ready" // before the start is through, or while the clock is wrong
	ReasonInternal     Reason = "internal_error"
	// ReasonEnded is what a client sees instead of several others: see Public.
	ReasonEnded Reason = "token_ended"
)

// Public returns the reason that a client may see. A client that presents a dead token learns only that it is dead: the rest would tell a
// thief whether the owner has refreshed, was warned, or has changed the password.
func (r Reason) Public() Reason {
	switch r {
	case ReasonRetired, ReasonSuperseded, ReasonShared, ReasonUnsealed, ReasonOtherUser, ReasonOtherKey,
		ReasonSessionRevoked, ReasonUserSessions, ReasonClientSessions:
		return ReasonEnded
	}
	return r
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

// HTTPStatus returns Status. With ErrorCode, ErrorDescription and RetryAfterSeconds it lets package web render an Error without
// importing this package.
func (e *Error) HTTPStatus() int { return e.Status }

// ErrorCode returns Code.
func (e *Error) ErrorCode() string { return e.Code }

// ErrorDescription returns Description.
func (e *Error) ErrorDescription() string { return e.Description }

// RetryAfterSeconds returns RetryAfter in whole seconds, rounded up.
func (e *Error) RetryAfterSeconds() int { return int((e.RetryAfter + time.Second - 1) / time.Second) }

// RetryAfterOutage is the Retry-After while the database is unavailable or the server is overloaded.
const RetryAfterOutage = 2 * time.Second

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
			Status: http.StatusServiceUnavailable, RetryAfter: RetryAfterOutage, Reason: ReasonDatabaseAway, Cause: err,
		}
	default:
		return &Error{
			Code: "server_error", Description: "The server failed. The request ID identifies the log entry.",
			Status: http.StatusInternalServerError, Reason: ReasonInternal, Cause: err,
		}
	}
}

// Refuse returns an Error with status 400, the status of most refusals (RFC 6749 §5.2).
func Refuse(code string, reason Reason, format string, args ...any) *Error {
	return &Error{Code: code, Status: http.StatusBadRequest, Reason: reason, Description: fmt.Sprintf(format, args...)}
}

// InvalidRequest returns an Error with the code invalid_request.
func InvalidRequest(format string, args ...any) *Error {
	return Refuse("invalid_request", ReasonBadRequest, format, args...)
}

// InvalidGrant returns the refusal of a refresh token. Its words are the same whatever the reason: RFC 9700 §4.14.2, and
// docs/rotation.md, "What must hold", 6.
func InvalidGrant(reason Reason) *Error {
	return Refuse("invalid_grant", reason, "The refresh token is invalid, expired or revoked.")
}

// InvalidClient returns an Error with the code invalid_client and status 401 (RFC 6749 §5.2).
func InvalidClient(reason Reason, format string, args ...any) *Error {
	e := Refuse("invalid_client", reason, format, args...)
	e.Status = http.StatusUnauthorized
	return e
}

// ClientRefused returns the refusal of an unknown client, a wrong secret and a disabled client, in the same words.
func ClientRefused() *Error {
	return InvalidClient(ReasonClient, "Client authentication failed: "+
		"the client_id is unknown or disabled, or its secret or assertion is missing or wrong.")
}

// InvalidToken returns an Error with the code invalid_token and status 401 (RFC 6750 §3.1).
func InvalidToken(reason Reason, description string) *Error {
	e := Refuse("invalid_token", reason, "%s", description)
	e.Status = http.StatusUnauthorized
	return e
}

// Throttled returns an Error with status 429 and Retry-After.
func Throttled(wait time.Duration, description string) *Error {
	e := Refuse("temporarily_unavailable", ReasonThrottled, "%s", description)
	e.Status, e.RetryAfter = http.StatusTooManyRequests, wait
	return e
}

// NotReady returns an Error with status 503 and Retry-After for a server that can't do its work yet, or for now.
func NotReady(cause error) *Error {
	return &Error{
		Code: "temporarily_unavailable", Description: "The server is not ready. Try again.",
		Status: http.StatusServiceUnavailable, RetryAfter: RetryAfterOutage, Reason: ReasonNotReady, Cause: cause,
	}
}

// Overloaded returns an Error with status 503 and Retry-After.
func Overloaded(description string) *Error {
	e := Refuse("temporarily_unavailable", ReasonOverload, "%s", description)
	e.Status, e.RetryAfter = http.StatusServiceUnavailable, RetryAfterOutage
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
