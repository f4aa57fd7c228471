package web

import (
	"time"

	"latchkey/server/web/look"
	"latchkey/server/web/outcome"
)

// A View is the content of a page. Its texts may be untrusted: templates escape them, and [clean] removes what would change how
// the text around them looks.
type View interface {
	// page returns the name of the template, without its suffix.
	page() string
	// cleaned returns a copy whose texts are safe to show.
	cleaned() View
	// asks returns what else the response depends on.
	asks() demands
}

// Login is the sign-in page.
type Login struct {
	// Action is the URL that the form is sent to, Hidden its hidden fields.
	Action string
	Hidden []Field
	// Username is the initial value of the field: what was typed before, or the login_hint.
	Username string
	// Problem is why the form is shown again, or empty. RetryAfter is set with outcome.Throttled and outcome.Overload; it is shown and
	// sent as the header Retry-After.
	Problem    outcome.Problem
	RetryAfter time.Duration
	// ClientName is the application that asked for the login, empty for the account page.
	ClientName string
	// Account is the user who is already signed in and may continue without a password (prompt=select_account). The button is
	// named action and has the value continue.
	Account string
	// Passkey lets users sign in with a passkey; nil = they can't.
	Passkey *Passkey
	// RememberTTL is how long "keep me signed in" lasts.
	RememberTTL time.Duration
	// ForgotURL and SignUpURL are where the password can be chosen anew, and where an account is made; empty where that is off.
	ForgotURL, SignUpURL string
	// Notice confirms what led here, or is empty.
	Notice outcome.Notice
	Way
}

// Way is what a page has of the client's request that it belongs to.
type Way struct {
	// Locales is the ui_locales parameter (OpenID Connect Core §3.1.2.1).
	Locales string
	// Look is that of the client.
	Look look.Client
	// Away means that redirects after the form lead to the client; see policy for what follows.
	Away bool
}

// ClientInfo is an application as pages show it.
type ClientInfo struct {
	ID   string
	Name string // empty: the ID is shown
	// URI, PolicyURI and TosURI are links, or empty; LogoURL is on this server, or empty.
	URI, PolicyURI, TosURI string
	LogoURL                string
	// Unverified means that the operator has not verified who this is.
	Unverified bool
	// Look is how pages about it look.
	Look look.Client
}

// Consent is the page that asks whether an application may have the access it requests. The form has buttons named decision with
// the values allow and deny.
type Consent struct {
	Action   string
	Hidden   []Field
	Username string
	Client   ClientInfo
	// RedirectHost is where the user is sent afterwards: a host, or the scheme of a native application.
	RedirectHost string
	// LocalOnly means that the response goes to this computer, where any program could intercept it.
	LocalOnly bool
	// Scope are the requested scopes.
	Scope []ScopeInfo
	// Resources are the requested protected resources.
	Resources []ResourceInfo
	// Lifetime is how long the access lasts at most. Offline means that it continues after the user has signed out.
	Lifetime time.Duration
	Offline  bool
	Locales  string
}

// Device is the page on which users enter the code that a device shows (RFC 8628 §3.3): the field user_code.
type Device struct {
	Action   string
	Username string
	// UserCode is the initial value of the field.
	UserCode string
	// Problem and RetryAfter are as in Login.
	Problem    outcome.Problem
	RetryAfter time.Duration
}

// DeviceConfirm is the page that asks whether a device may have the access it requests. The form has the buttons of Consent.
type DeviceConfirm struct {
	Action   string
	Hidden   []Field
	Username string
	// UserCode is the code to compare.
	UserCode  string
	Client    ClientInfo
	Scope     []ScopeInfo
	Resources []ResourceInfo
	// Address and At are where and when the device has asked.
	Address string
	At      time.Time
	// Lifetime is how long the access lasts at most.
	Lifetime time.Duration
}

// DeviceDone is the page after the answer.
type DeviceDone struct {
	Approved bool
	Client   ClientInfo
}

// ScopeInfo is a requested or granted scope.
type ScopeInfo struct {
	Name string
	New  bool // the user has not allowed it before
}

// Error is the page that explains an error, first to the user, then to the application's developer.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is the error code of the protocol, or empty.
	Code string
	// Description is for the developer.
	Description string
	ClientName  string
	// ClientID and RedirectURI are those of an authorization request, as they arrived; they may be empty.
	ClientID, RedirectURI string
	// Advice says what the application's developer can do: the text error.advice.ADVICE; may be empty.
	Advice string
	// ReturnURL takes the error to the application, at ReturnHost, if the user wants that; may be empty.
	ReturnURL, ReturnHost string
	// RequestID identifies the log entry; if empty, Render fills in the id of the request.
	RequestID string
	Way
}

// Logout is the page that asks whether to sign out (OpenID Connect RP-Initiated Logout §2). The form has buttons named decision
// with the values logout and cancel.
type Logout struct {
	Action     string
	Hidden     []Field
	Username   string
	ClientName string
	// Unregistered is where the application wanted the user to be sent afterwards, if it has not registered that.
	Unregistered string
	Way
}

// LoggedOut is the page after signing out.
type LoggedOut struct {
	// Unregistered is as in Logout.
	Unregistered string
	// ReturnURL leads back to the application, at ReturnHost, if the user wants that; may be empty.
	ReturnURL, ReturnHost string
	Way
}

// NotLoggedOut is the page for a logout that has ended nothing: no user is signed in in the browser, and no ID token named a session.
type NotLoggedOut struct {
	// BadHint means that there was an ID token, and that it is not one of this server.
	BadHint bool
	// Unregistered is as in Logout.
	Unregistered string
	Way
}

// FormPost is the page that sends an authorization response by a form (OAuth 2.0 Form Post Response Mode), submitted by the page's
// script or, without JavaScript, by a button.
type FormPost struct {
	Action string
	Fields []Field
	Way
}

// Account is the page where users see and end their sessions and the access of applications.
type Account struct {
	Username string
	Email    string
	Profile  Profile
	// HasPassword means that the user has a password to change. FirstPasswordURL is where one who has none chooses one; empty = nowhere.
	HasPassword      bool
	FirstPasswordURL string
	// SecurityURL is where the user manages second factors; empty = there are none here.
	SecurityURL string
	// AccountURL is where the user changes what is kept elsewhere; empty = nothing is, or it is not known.
	AccountURL string
	// Kept means that the account is kept here, so that the user can remove it; with Mail the address can be changed and confirmed.
	Kept, Mail bool
	// Notice confirms the last action, or is empty.
	Notice outcome.Notice
	// Problem is a problem with the password form. RetryAfter is as in Login.
	Problem    outcome.Problem
	RetryAfter time.Duration
	Sessions   []SessionInfo
	Apps       []AppInfo
	Events     []EventInfo
}

// Profile is what is known about the user besides the name and the address.
type Profile struct {
	EmailVerified bool
	// Editable are the fields that the user may change, Fixed others that have a value.
	Editable, Fixed []ProfileField
	Groups          []string
	// Problem is a problem with the form, Wrong the name of the field that it is about; both may be empty.
	Problem outcome.Problem
	Wrong   string
}

// ProfileField is a field of a profile. Its name is that of the claim (OpenID Connect Core §5.1): the text account.profile.NAME.
type ProfileField struct{ Name, Value string }

// SessionInfo is a browser in which the user is signed in, or an application that signed in with the user's password.
type SessionInfo struct {
	ID        string
	Current   bool
	UserAgent string
	Address   string
	Since     time.Time
	LastSeen  time.Time
}

// AppInfo is an application with access.
type AppInfo struct {
	Client   ClientInfo
	Scope    []ScopeInfo
	Since    time.Time
	LastUsed time.Time // zero = never
	// Sessions is how many grants it holds.
	Sessions int
}

// EventInfo is an audit event as the account page shows it.
type EventInfo struct {
	At         time.Time
	Action     string // the audit event's name
	Outcome    string
	ClientName string
	Address    string
}

func (Login) page() string         { return "login" }
func (Consent) page() string       { return "consent" }
func (Device) page() string        { return "device" }
func (DeviceConfirm) page() string { return "device_confirm" }
func (DeviceDone) page() string    { return "device_done" }
func (Error) page() string         { return "error" }
func (Logout) page() string        { return "logout" }
func (LoggedOut) page() string     { return "logged_out" }
func (NotLoggedOut) page() string  { return "not_logged_out" }
func (FormPost) page() string      { return "form_post" }
func (Account) page() string       { return "account" }

// demands is what a response depends on besides the view's texts.
type demands struct {
	Way
	// script means that the page has a script.
	script bool
	// retryAfter is the value of the header Retry-After; zero means no header.
	retryAfter time.Duration
}

func (w Way) asks() demands { return demands{Way: w} }

func (v Login) asks() demands {
	return demands{Way: v.Way, script: v.Passkey != nil, retryAfter: v.RetryAfter}
}

func (v Consent) asks() demands {
	return demands{Way: Way{Locales: v.Locales, Look: v.Client.look(), Away: true}}
}
func (v Device) asks() demands        { return demands{retryAfter: v.RetryAfter} }
func (v DeviceConfirm) asks() demands { return demands{Way: Way{Look: v.Client.look()}} }
func (v DeviceDone) asks() demands    { return demands{Way: Way{Look: v.Client.look()}} }
func (v FormPost) asks() demands {
	return demands{Way: Way{Locales: v.Locales, Look: v.Look, Away: true}, script: true}
}
func (v Account) asks() demands { return demands{retryAfter: v.RetryAfter} }
