// Package flow has the addresses and parameters that lead a browser from an authorization request through login and consent and back.
package flow

import (
	"net/url"
	"slices"
	"strings"

	"latchkey/server/route"
)

// The parameters that a browser carries between /oauth2/authorize, /login, /consent and /oauth2/logout.
const (
	// ParamContinue is the Continuation, at /oauth2/authorize.
	ParamContinue = "continue"
	// ParamReturnTo is the ReturnTo of a login.
	ParamReturnTo = "return_to"
	// ParamDone names what led to a login, for a notice.
	ParamDone = "done"
	// ParamSignedIn marks the visit of /login that finds out whether the browser keeps cookies.
	ParamSignedIn = "signed_in"
	// ParamAgain asks for a login although somebody is signed in, unless that was within Recent.
	ParamAgain = "again"
	// ParamTicket is the Ticket of a consent page, or that of a logout page.
	ParamTicket = "request"
	// ParamUserCode is the user code of a device (RFC 8628 §3.3.1).
	ParamUserCode = "user_code"
	// ParamDecision is the Decision that a form sends.
	ParamDecision = "decision"
)

// The pages of the login besides route.LoginPath.
const (
	SecondFactorPath = route.LoginPath + "/second-factor"
	PasskeyPath      = route.LoginPath + "/passkey"
)

// Decision is what the user has decided on a page; its values are those of the forms.
type Decision string

// The decisions.
const (
	Allow  Decision = "allow"  // the client may have what it asks for
	Deny   Decision = "deny"   // it may not
	Select Decision = "select" // this account is the right one
)

// Continuation is an authorization request on its way through the pages, as text for an address.
type Continuation string

// Ticket is an authorization request in the form of the consent page. It is valid in one browser session only.
type Ticket string

// Paths has the addresses of the steps. Base is the path of the issuer, without a slash at its end: "" or "/auth".
type Paths struct{ Base string }

// ReturnTo is where a browser goes after a login: an address of this server.
type ReturnTo string

// Resume returns the address that goes on with a request.
func (p Paths) Resume(c Continuation) ReturnTo { return ReturnTo(p.resumePrefix() + string(c)) }

func (p Paths) resumePrefix() string {
	return p.Base + route.AuthorizePath + "?" + ParamContinue + "="
}

// Account returns the address of the account page.
func (p Paths) Account() ReturnTo { return ReturnTo(p.Base + route.AccountPath) }

// Console returns the address of a page of the operators' console: a path of route.ConsolePath or below it.
func (p Paths) Console(path string, query url.Values) ReturnTo {
	if len(query) == 0 {
		return ReturnTo(p.Base + path)
	}
	return ReturnTo(p.Base + path + "?" + query.Encode())
}

// LoginAgain returns the address of the login page for somebody who is signed in and whose last login is not recent.
func (p Paths) LoginAgain(to ReturnTo) string {
	return p.Base + route.LoginPath + "?" + url.Values{ParamReturnTo: {string(to)}, ParamAgain: {"1"}}.Encode()
}

// Login returns the address of the login page.
func (p Paths) Login(to ReturnTo) string {
	return p.Base + route.LoginPath + "?" + url.Values{ParamReturnTo: {string(to)}}.Encode()
}

// SecondFactor returns the address of the page that asks for a second factor.
func (p Paths) SecondFactor(to ReturnTo) string {
	return p.Base + SecondFactorPath + "?" + url.Values{ParamReturnTo: {string(to)}, ParamSignedIn: {"1"}}.Encode()
}

// Security returns the address of the page of second factors.
func (p Paths) Security() ReturnTo { return ReturnTo(p.Base + route.SecurityPath) }

// Confirms reports whether the user must have proved of late who they are for what is at an address.
func (p Paths) Confirms(to ReturnTo) bool {
	rest, ok := strings.CutPrefix(string(to), p.Base+route.ConsolePath)
	return p.isOwn(string(to)) || ok && (rest == "" || rest[0] == '/' || rest[0] == '?') || strings.HasPrefix(string(to), p.deviceAgain())
}

// isOwn reports whether text is the address of a page on which users decide about their own accounts.
func (p Paths) isOwn(text string) bool {
	path, ok := strings.CutPrefix(text, p.Base)
	return ok && slices.Contains([]string{route.SecurityPath, route.EmailPath, route.ExportPath, route.RemovePath, route.FirstPasswordPath}, path)
}

// Own returns the address of a page on which users decide about their own accounts, one of those that Confirms knows.
func (p Paths) Own(path string) ReturnTo { return ReturnTo(p.Base + path) }

// LoginAfter returns the address of the login page with a notice.
func (p Paths) LoginAfter(to ReturnTo, done string) string {
	return p.Base + route.LoginPath + "?" + url.Values{ParamReturnTo: {string(to)}, ParamDone: {done}}.Encode()
}

// With returns the address of a page that leads back to the login.
func (p Paths) With(path string, to ReturnTo) string {
	return p.Base + path + "?" + url.Values{ParamReturnTo: {string(to)}}.Encode()
}

// CookieCheck returns the address of the login page at which a browser shows whether it keeps cookies.
func (p Paths) CookieCheck(to ReturnTo) string {
	return p.Base + route.LoginPath + "?" + url.Values{ParamReturnTo: {string(to)}, ParamSignedIn: {"1"}}.Encode()
}

// Consent returns the address of the consent page.
func (p Paths) Consent(t Ticket) string {
	return p.Base + route.ConsentPath + "?" + url.Values{ParamTicket: {string(t)}}.Encode()
}

// Device returns the address of the page on which users enter the code of a device; with a code it is filled in.
func (p Paths) Device(userCode string) ReturnTo {
	if userCode == "" {
		return ReturnTo(p.Base + route.DevicePath)
	}
	return ReturnTo(p.Base + route.DevicePath + "?" + url.Values{ParamUserCode: {userCode}}.Encode())
}

// DeviceAgain returns the address of that page for a user who has to prove who they are first: one of those that Confirms knows.
func (p Paths) DeviceAgain(userCode string) ReturnTo {
	return ReturnTo(p.deviceAgain() + "&" + url.Values{ParamUserCode: {userCode}}.Encode())
}

func (p Paths) deviceAgain() string { return p.Base + route.DevicePath + "?" + ParamAgain + "=1" }

// ParseReturnTo returns the address where a browser may go after a login: on with an authorization request, a logout or a device, to the console or a page
// about the own account, and the account page for everything else, so that a link to our login can't lead to another site (RFC 9700 §4.11.2). It compares text, since parsers
// and browsers disagree on what an odd address means.
func (p Paths) ParseReturnTo(text string) ReturnTo {
	if _, ok := p.Continuation(ReturnTo(text)); ok {
		return ReturnTo(text)
	}
	for _, path := range [...]string{route.LogoutPath, route.DevicePath, route.SecurityPath} {
		rest, ok := strings.CutPrefix(text, p.Base+path)
		if ok && (rest == "" || rest[0] == '?' && isQuery(rest[1:])) {
			return ReturnTo(text)
		}
	}
	if rest, ok := strings.CutPrefix(text, p.Base+route.ConsolePath); p.isOwn(text) || ok && isPage(rest) {
		return ReturnTo(text)
	}
	return p.Account()
}

// isPage reports whether what follows the path of the console is the rest of an address of it: a name, a query, both or neither.
func isPage(rest string) bool {
	name, query, _ := strings.Cut(rest, "?")
	return isQuery(query) && (name == "" || name[0] == '/' && len(name) > 1 && strings.Trim(name[1:], alphanumeric+"-") == "")
}

// Continuation returns the authorization request of an address.
func (p Paths) Continuation(to ReturnTo) (c Continuation, ok bool) {
	text, ok := strings.CutPrefix(string(to), p.resumePrefix())
	return Continuation(text), ok && text != "" && strings.Trim(text, alphanumeric+"-_") == "" // base64url
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// isQuery reports whether s has only those characters of RFC 3986 §3.4 that url.Values.Encode writes.
func isQuery(s string) bool { return strings.Trim(s, alphanumeric+"-._~%+&=") == "" }
