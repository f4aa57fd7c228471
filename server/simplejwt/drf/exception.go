package drf

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"latchkey/server/internal/pyjson"
)

// Exception is an answer that refuses a request, in the framework's form.
type Exception struct {
	Status int
	// Body is what is rendered as JSON. When it is nil the answer is Django's own page, which comes from below the
	// framework and knows nothing of its headers.
	Body *pyjson.Dict
	// RetryAfter is for Retry-After, rounded up to whole seconds.
	RetryAfter time.Duration
	// Cause is for the log.
	Cause error
}

func (e *Exception) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%d: %v", e.Status, e.Cause)
	}
	return fmt.Sprintf("%d: %s", e.Status, render(e.Body, 0))
}

func (e *Exception) Unwrap() error { return e.Cause }

// seconds is RetryAfter as the framework counts it.
func (e *Exception) seconds() int { return int(math.Ceil(e.RetryAfter.Seconds())) }

// detail is the body of most exceptions.
func detail(text string) *pyjson.Dict {
	d := &pyjson.Dict{}
	d.Set("detail", text)
	return d
}

// AuthenticationFailed is a 401 with a code, or without when code is empty.
func AuthenticationFailed(text, code string, cause error) *Exception {
	body := detail(text)
	if code != "" {
		body.Set("code", code)
	}
	return &Exception{Status: http.StatusUnauthorized, Body: body, Cause: cause}
}

// Throttled is a 429 that says when to come back.
func Throttled(wait time.Duration, cause error) *Exception {
	e := &Exception{Status: http.StatusTooManyRequests, RetryAfter: wait, Cause: cause}
	unit := "seconds"
	if e.seconds() == 1 {
		unit = "second"
	}
	e.Body = detail(fmt.Sprintf("Request was throttled. Expected available in %d %s.", e.seconds(), unit))
	return e
}

// Unavailable is a 503 that says when to come back.
func Unavailable(wait time.Duration, cause error) *Exception {
	e := Refused(http.StatusServiceUnavailable, "Service temporarily unavailable, try again later.", cause)
	e.RetryAfter = wait
	return e
}

// ServerError is a 500 that shows nothing of its cause.
func ServerError(cause error) *Exception {
	return Refused(http.StatusInternalServerError, "A server error occurred.", cause)
}

// ParseError is a 400 about a body that can't be read.
func ParseError(text string) *Exception { return Refused(http.StatusBadRequest, text, nil) }

// BadRequest is Django's own 400, for what it holds to be an attack: too many fields, too much data.
func BadRequest(cause error) *Exception {
	return &Exception{Status: http.StatusBadRequest, Cause: cause}
}

// Invalid is a 400 about the data as a whole.
func Invalid(text string, cause error) *Exception {
	body := &pyjson.Dict{}
	body.Set("non_field_errors", pyjson.List{text})
	return &Exception{Status: http.StatusBadRequest, Body: body, Cause: cause}
}

// PermissionDenied is a 403.
func PermissionDenied(cause error) *Exception {
	return Refused(http.StatusForbidden, "You do not have permission to perform this action.", cause)
}

// Refused is an exception that has no name of its own in the framework.
func Refused(status int, text string, cause error) *Exception {
	return &Exception{Status: status, Body: detail(text), Cause: cause}
}

// failure is an error with the indentation that was negotiated for its answer, so that headers are parsed once a request.
type failure struct {
	error
	indent int
}

func (f *failure) Unwrap() error { return f.error }

// WriteException sends e, which is what the client may see of err: the error of [View.Handle]. realm is that of the
// WWW-Authenticate header of a 401.
func WriteException(w http.ResponseWriter, err error, e *Exception, realm string) {
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`"`)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.seconds()))
	}
	if e.Body == nil {
		WritePage(w, e.Status, badRequestPage)
		return
	}
	indent := 0 // where negotiation failed, the framework answers with its first renderer
	if f := (*failure)(nil); errors.As(err, &f) {
		indent = f.indent
	}
	write(w, e.Status, e.Body, indent)
}
