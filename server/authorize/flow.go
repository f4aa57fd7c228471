package authorize

import (
	"net/url"
	"strings"

	"latchkey/server/route"
)

// The parameters that a browser carries between /oauth2/authorize, /login, /consent and /oauth2/logout.
const (
	// ParamContinue is the Continuation, at /oauth2/authorize.
	ParamContinue = "continue"
	// ParamReturnTo is the ReturnTo of a login.
	ParamReturnTo = "return_to"
	// ParamSignedIn marks the visit of /login that finds out whether the browser keeps cookies.
	ParamSignedIn = "signed_in"
	// ParamTicket is the Ticket of a consent page, or that of a logout page.
	ParamTicket = "request"
	// ParamDecision is the Decision that a form sends.
	ParamDecision = "decision"
)

// Flow has the addresses of the steps of a request. BasePath is the path of the issuer, without a slash at its end: "" or "/auth".
type Flow struct{ BasePath string }

// ReturnTo is where a browser goes after a login: an address of this server.
type ReturnTo string

// Resume returns the address that goes on with a request.
func (f Flow) Resume(c Continuation) ReturnTo { return ReturnTo(f.resumePrefix() + string(c)) }

func (f Flow) resumePrefix() string {
	return f.BasePath + route.AuthorizePath + "?" + ParamContinue + "="
}

// Account returns the address of the account page.
func (f Flow) Account() ReturnTo { return ReturnTo(f.BasePath + route.AccountPath) }

// Login returns the address of the login page.
func (f Flow) Login(to ReturnTo) string {
	return f.BasePath + route.LoginPath + "?" + url.Values{ParamReturnTo: {string(to)}}.Encode()
}

// CookieCheck returns the address of the login page at which a browser shows whether it keeps cookies.
func (f Flow) CookieCheck(to ReturnTo) string {
	return f.BasePath + route.LoginPath + "?" + url.Values{ParamReturnTo: {string(to)}, ParamSignedIn: {"1"}}.Encode()
}

// Consent returns the address of the consent page.
func (f Flow) Consent(t Ticket) string {
	return f.BasePath + route.ConsentPath + "?" + url.Values{ParamTicket: {string(t)}}.Encode()
}

// ParseReturnTo returns the address where a browser may go after a login: on with an authorization request or a logout, and the account
// page for everything else, so that a link to our login can't lead to another site (RFC 9700 §4.11.2). It compares text, since parsers
// and browsers disagree on what an odd address means.
func (f Flow) ParseReturnTo(text string) ReturnTo {
	if _, ok := f.Continuation(ReturnTo(text)); ok {
		return ReturnTo(text)
	}
	rest, ok := strings.CutPrefix(text, f.BasePath+route.LogoutPath)
	if ok && (rest == "" || rest[0] == '?' && isQuery(rest[1:])) {
		return ReturnTo(text)
	}
	return f.Account()
}

// Continuation returns the authorization request of an address.
func (f Flow) Continuation(to ReturnTo) (c Continuation, ok bool) {
	text, ok := strings.CutPrefix(string(to), f.resumePrefix())
	return Continuation(text), ok && text != "" && strings.Trim(text, alphanumeric+"-_") == "" // base64url
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// isQuery reports whether s has only those characters of RFC 3986 §3.4 that url.Values.Encode writes.
func isQuery(s string) bool { return strings.Trim(s, alphanumeric+"-._~%+&=") == "" }
