package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"latchkey/server/protocol"
	"latchkey/server/route"
)

// RenderError writes the error page. It is a route.Renderer. For an error that is not meant for clients it shows only the
// request id.
func (p *Pages) RenderError(w http.ResponseWriter, r *http.Request, err error) {
	v, wait := explain(err)
	if p.lookOf != nil {
		v.Look, v.Locales = p.lookOf(err)
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(wait))
	}
	if p.Render(w, r, v.Status, v) == nil {
		return
	}
	// Rendering the error page failed too: an operator's template may fail for some texts only.
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(v.Status)
	w.Write([]byte(http.StatusText(v.Status) + "\n"))
}

// explain returns what may be shown of an error, and the value of Retry-After.
func explain(err error) (v Error, retryAfter int) {
	var refused *route.Error
	if errors.As(err, &refused) {
		v = Error{Status: refused.Status, Code: "invalid_request", Description: refused.Message}
		switch {
		case refused.Status >= http.StatusInternalServerError:
			v.Code = "server_error"
		case refused.Status == http.StatusNotFound:
			v.Code = "not_found"
		}
		return v, 0
	}
	said := protocol.AsError(err)
	v = Error{Status: said.Status, Code: said.Code, Description: said.Description}
	v.describe(err)
	return v, said.RetryAfterSeconds()
}

// describe adds what an error says of the request that it refuses.
func (v *Error) describe(err error) {
	var of interface { // an *authorize.Error
		ClientName() string
		Arrived() (clientID, redirectURI string)
		Advice() string
		ReturnURL() string
	}
	if !errors.As(err, &of) {
		return
	}
	v.ClientID, v.RedirectURI = of.Arrived()
	v.ClientName, v.Advice, v.ReturnURL = of.ClientName(), of.Advice(), of.ReturnURL()
	if u, err := url.Parse(v.ReturnURL); err == nil {
		v.ReturnHost = u.Host
	}
}

// kind returns which texts an error page shows: those of error.KIND.title and error.KIND.text.
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
