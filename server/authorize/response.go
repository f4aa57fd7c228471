package authorize

import (
	"errors"
	"net/url"
	"strings"

	"latchkey/clients"
	"latchkey/server/protocol"
	"latchkey/storage"
)

// Response is the answer to an authorization request, an error too.
type Response struct {
	RedirectURI string
	// ByForm is set when the answer is posted by a form (form_post), not in the query.
	ByForm bool
	Params url.Values
}

// ResponseModes are the values of response_mode (OAuth 2.0 Multiple Response Type Encoding Practices; Form Post Response Mode).
var ResponseModes = []string{"query", "form_post"}

// byForm reports whether a request wants its answer by a form; the answer to a request that is refused early goes there too.
func byForm(params url.Values) bool {
	modes := params["response_mode"]
	return len(modes) == 1 && modes[0] == "form_post"
}

// Location returns the redirect URI with the answer in its query.
func (r *Response) Location() string {
	separator := "?"
	if strings.Contains(r.RedirectURI, "?") {
		separator = "&"
	}
	return r.RedirectURI + separator + r.Params.Encode()
}

// Error is the refusal of an authorization request.
type Error struct {
	Err *protocol.Error
	// Response carries the error to the client. It is nil when the request must not redirect (RFC 6749 §4.1.2.1): the client
	// is unknown, or the redirect URI is not one of its own.
	Response *Response
	// Client is nil when it is unknown.
	Client *clients.Client
	// ClientID and RedirectURI are what arrived; empty if unknown. Nearest is the registered redirect URI that is most like it, if it
	// is not registered itself.
	ClientID, RedirectURI, Nearest string
	// Locales is the ui_locales parameter of the request.
	Locales string
	// Honest is set when the client may have meant well: the request is right, but needs a page and was not to show any
	// (prompt=none), or it uses a part of the protocol that this server does not have. See docs/decisions/0013.
	Honest bool
	// pushed is Request.pushed.
	pushed storage.Digest
}

// ReturnURL returns the address that takes the error to the client, for users to decide about; empty when there is none that a link
// could have.
func (e *Error) ReturnURL() string {
	if e.Response == nil || e.Response.ByForm || !strings.HasPrefix(e.Response.RedirectURI, "http") {
		return ""
	}
	return e.Response.Location()
}

func (e *Error) Error() string { return e.Err.Error() }

// ClientName returns the name of the client; empty when it is unknown.
func (e *Error) ClientName() string {
	if e.Client == nil {
		return ""
	}
	return e.Client.ClientName
}

// Arrived returns the client_id and the redirect_uri of the request.
func (e *Error) Arrived() (clientID, redirectURI string) { return e.ClientID, e.RedirectURI }

// Advice returns which advice the error page has: what to do about an unknown client or a redirect URI that is not registered.
func (e *Error) Advice() string {
	switch {
	case e.Client == nil && e.ClientID != "":
		return "client"
	case e.Nearest != "":
		return "redirect"
	}
	return ""
}

// Unwrap makes protocol.AsError find the error.
func (e *Error) Unwrap() error { return e.Err }

// arrived adds to an *Error what arrived.
func arrived(err error, params url.Values) error {
	var refused *Error
	if errors.As(err, &refused) && refused.ClientID == "" {
		refused.ClientID, refused.Locales = params.Get("client_id"), params.Get("ui_locales")
		if refused.RedirectURI == "" {
			refused.RedirectURI = params.Get("redirect_uri")
		}
	}
	return err
}
