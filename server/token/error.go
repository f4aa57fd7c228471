package token

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"latchkey/storage"
)

// Error is a refusal in the words of the protocol. Everything else that comes out of this package is an outage or a bug:
// see [AsError].
type Error struct {
	// Code is the error code of RFC 6749 §5.2, RFC 8707 §2 and so on.
	Code string
	// Description is for the client's developer. It never tells why a token or a password was refused.
	Description string
	// Status is the HTTP status.
	Status int
	// RetryAfter, when not zero, goes into Retry-After.
	RetryAfter time.Duration
	// Reason is why, for operators: the log, the audit event and the reason header of the simplejwt routes.
	Reason Reason
	// SessionLives: the token is dead, but its session is not, since the client's policy only rejects reuse.
	SessionLives bool

	cause error
}

// Reason is a stable code that says why a request was refused. It is meant for operators.
type Reason string

// The reasons.
const (
	ReasonNone           Reason = ""
	ReasonBadRequest     Reason = "bad_request"
	ReasonClient         Reason = "client_authentication_failed"
	ReasonCredentials    Reason = "bad_credentials"  // unknown user, wrong password or inactive user
	ReasonThrottled      Reason = "throttled"        // too many attempts
	ReasonOverload       Reason = "overload"         // the password pool's queue is full
	ReasonMalformed      Reason = "malformed_token"  // no token of ours at all
	ReasonBadSignature   Reason = "bad_signature"    // looks like one, MAC or signature is wrong
	ReasonWrongType      Reason = "wrong_token_type" // an access token where a refresh token belongs, …
	ReasonExpired        Reason = "token_expired"    // the token's own end
	ReasonUnknownGrant   Reason = "session_unknown"  // authentic, but its session is not there
	ReasonOtherClient    Reason = "issued_to_another_client"
	ReasonRetired        Reason = "token_retired"    // replaced by its successor, which has been used
	ReasonSuperseded     Reason = "token_superseded" // a sibling was used instead
	ReasonSessionIdle    Reason = "session_idle"
	ReasonSessionExpired Reason = "session_expired" // absolute end
	ReasonSessionRevoked Reason = "session_revoked" // see the grant's revoke_reason
	ReasonUserInactive   Reason = "user_inactive"
	ReasonUserRemoved    Reason = "user_removed"
	ReasonUserSessions   Reason = "user_sessions_ended" // password change, "log out everywhere"
	// ReasonPasswordChanged: a token in flight, signed under CHECK_REVOKE_TOKEN, from before the password that came from Django.
	ReasonPasswordChanged Reason = "password_changed"
	ReasonClientDisabled  Reason = "client_disabled"
	ReasonClientSessions  Reason = "client_sessions_ended"
	ReasonDatabaseAway    Reason = "database_unavailable"
	ReasonInternal        Reason = "internal_error"
)

func (e *Error) Error() string {
	s := e.Code
	if e.Reason != "" {
		s += " (" + string(e.Reason) + ")"
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.cause }

// HTTPStatus, ErrorCode, ErrorDescription and RetryAfterSeconds are for those who render errors without knowing of tokens.
func (e *Error) HTTPStatus() int { return e.Status }

// ErrorCode is Code.
func (e *Error) ErrorCode() string { return e.Code }

// ErrorDescription is Description.
func (e *Error) ErrorDescription() string { return e.Description }

// RetryAfterSeconds is RetryAfter in whole seconds, rounded up; zero = none.
func (e *Error) RetryAfterSeconds() int { return int((e.RetryAfter + time.Second - 1) / time.Second) }

// retryAfterOutage is what a client is told to wait when the database is away.
const retryAfterOutage = 2 * time.Second

// AsError gives the protocol's view of any error: itself when it is an *Error; 503 with Retry-After when the database is
// away; server_error otherwise. The cause is for the log only.
func AsError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, storage.ErrUnavailable):
		return &Error{
			Code: "temporarily_unavailable", Description: "The server can't reach its database. Try again.",
			Status: http.StatusServiceUnavailable, RetryAfter: retryAfterOutage, Reason: ReasonDatabaseAway, cause: err,
		}
	default:
		return &Error{
			Code: "server_error", Description: "The server failed. The request id names the log entry.",
			Status: http.StatusInternalServerError, Reason: ReasonInternal, cause: err,
		}
	}
}

func refuse(code string, status int, reason Reason, format string, args ...any) *Error {
	return &Error{Code: code, Status: status, Reason: reason, Description: fmt.Sprintf(format, args...)}
}

func invalidRequest(format string, args ...any) *Error {
	return refuse("invalid_request", http.StatusBadRequest, ReasonBadRequest, format, args...)
}

// invalidGrant says the same words whatever the reason: RFC 9700 §4.14.2, and docs/rotation.md, "What must hold", 6.
func invalidGrant(reason Reason) *Error {
	return refuse("invalid_grant", http.StatusBadRequest, reason, "The refresh token is invalid, expired or revoked.")
}
