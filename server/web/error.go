package web

import (
	"errors"
	"net/http"
	"strconv"

	"latchkey/server/route"
	"latchkey/storage"
)

// refusal is an error in the words of a protocol, as *token.Error is. It is an interface because pages know nothing of tokens.
type refusal interface {
	error
	HTTPStatus() int
	// ErrorCode is the error code of the protocol; ErrorDescription is for the client's developer.
	ErrorCode() string
	ErrorDescription() string
	// RetryAfterSeconds goes into Retry-After when it is not zero.
	RetryAfterSeconds() int
}

// retryAfterOutage is how many seconds a browser is told to wait when the database is away.
const retryAfterOutage = 2

// RenderError answers with the error page. It is a route.Renderer: of an error that is not meant for clients it shows nothing
// but the request id.
func (p *Pages) RenderError(w http.ResponseWriter, r *http.Request, err error) {
	v, wait := explain(err)
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(wait))
	}
	if p.Render(w, r, v.Status, v) == nil {
		return
	}
	// The error page itself can't be made: an operator's template that only fails with some texts.
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(v.Status)
	w.Write([]byte(http.StatusText(v.Status) + "\n"))
}

// explain gives what may be shown of an error.
func explain(err error) (v Error, retryAfter int) {
	var refused *route.Error
	var said refusal
	switch {
	case errors.As(err, &refused):
		v = Error{Status: refused.Status, Code: "invalid_request", Description: refused.Message}
		switch {
		case refused.Status >= http.StatusInternalServerError:
			v.Code = "server_error"
		case refused.Status == http.StatusNotFound:
			v.Code = "not_found"
		}
	case errors.As(err, &said):
		v = Error{Status: said.HTTPStatus(), Code: said.ErrorCode(), Description: said.ErrorDescription()}
		retryAfter = said.RetryAfterSeconds()
		var of interface{ ClientName() string }
		if errors.As(err, &of) {
			v.ClientName = of.ClientName()
		}
	case errors.Is(err, storage.ErrUnavailable):
		v = Error{
			Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable",
			Description: "The server can't reach its database. Try again.",
		}
		retryAfter = retryAfterOutage
	default:
		v = Error{
			Status: http.StatusInternalServerError, Code: "server_error",
			Description: "The server failed. The request id names the log entry.",
		}
	}
	return v, retryAfter
}

// kind is which words an error page has.
func kind(status int, code string) string {
	switch {
	case status == http.StatusNotFound:
		return "not_found"
	case status == http.StatusForbidden:
		return "refused"
	case status == http.StatusRequestTimeout, code == "expired", code == "invalid_request_uri": // RFC 9126 §2.2: used, or too old
		return "expired"
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests:
		return "busy"
	case status >= http.StatusInternalServerError:
		return "server"
	}
	return "request"
}
