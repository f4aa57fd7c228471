package web

import "time"

// A View is what one page shows. Its texts may hold whatever strangers wrote: templates escape them, and names are
// shortened and cleaned of what would change how the text around them looks.
type View interface {
	// page names the template, without its suffix.
	page() string
	// cleaned gives a copy whose texts can be shown.
	cleaned() View
	// asks is what the answer depends on besides.
	asks() demands
}

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

// Login is the page that asks who the user is.
type Login struct {
	// Action is where the form goes, Hidden what goes with it.
	Action string
	Hidden []Field
	// Username is filled in: what was typed before, or the login_hint.
	Username string
	// Problem is one of the Problem constants, or empty. RetryAfter goes with ProblemThrottled and ProblemOverload, and into the
	// header of that name.
	Problem    Problem
	RetryAfter time.Duration
	// ClientName is the application that asked for the login, empty for the account page.
	ClientName string
	// Account is who is signed in already, when they may go on without a password (prompt=select_account); the button is
	// named action, with the value continue.
	Account string
	// RememberTTL is how long "keep me signed in" lasts.
	RememberTTL time.Duration
	// Locales is the ui_locales parameter (OpenID Connect Core §3.1.2.1).
	Locales string
	// Away: the redirects after the form lead to an application. Then form-action is left out of the Content-Security-Policy: see
	// policy.
	Away bool
}

// Problem is why a form is shown again.
type Problem string

// The problems of forms.
const (
	ProblemNone            Problem = ""
	ProblemCredentials     Problem = "credentials"      // wrong username or password
	ProblemThrottled       Problem = "throttled"        // too many attempts
	ProblemOverload        Problem = "overload"         // the server is busy
	ProblemPassword        Problem = "password"         // the present password is wrong
	ProblemPasswordWeak    Problem = "password_weak"    // too short or commonly used
	ProblemPasswordInvalid Problem = "password_invalid" // empty, too long, or with characters that can't be kept
	ProblemMismatch        Problem = "mismatch"         // the two new passwords differ
	ProblemCookies         Problem = "cookies"          // the browser keeps no cookies
)

// ClientInfo is an application as pages show it.
type ClientInfo struct {
	ID   string
	Name string // empty: the ID is shown
	// URI, PolicyURI and TosURI are links, or empty; LogoURL is on this server, or empty.
	URI, PolicyURI, TosURI string
	LogoURL                string
	// Unverified: no operator has said who this is.
	Unverified bool
}

// Consent asks whether an application may have what it asks for. The form has buttons named decision with the values allow
// and deny.
type Consent struct {
	Action   string
	Hidden   []Field
	Username string
	Client   ClientInfo
	// RedirectHost is where the answer goes: a host, or the scheme of a native application.
	RedirectHost string
	// LocalOnly: the answer goes to this computer, where any program may take it.
	LocalOnly bool
	// Scope are the scopes asked for; New those that were not allowed before.
	Scope []ScopeInfo
	// Resources are the protected resources asked for.
	Resources []ResourceInfo
	// Lifetime is how long the access lasts at most; Offline: also when the user has signed out.
	Lifetime time.Duration
	Offline  bool
	Locales  string
}

// ScopeInfo is one scope; its words are the pages' own, the operator's, or its name.
type ScopeInfo struct {
	Name string
	New  bool
}

// ResourceInfo is one protected resource.
type ResourceInfo struct {
	Identifier string
	Name       string
}

// Error says what went wrong to a person and, below, to the application's developer.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is the error code of the protocol, or empty.
	Code string
	// Description is for the developer.
	Description string
	ClientName  string
	// RequestID names the log entry; empty: that of the request.
	RequestID string
	Locales   string
}

// Logout asks whether to sign out (OpenID Connect RP-Initiated Logout §2). The form has a button named decision with the
// value logout.
type Logout struct {
	Action     string
	Hidden     []Field
	Username   string
	ClientName string
	Locales    string
	// Away is as in Login.
	Away bool
}

// LoggedOut says that the user is signed out.
type LoggedOut struct {
	Locales string
}

// FormPost sends the answer of an authorization request by a form (OAuth 2.0 Form Post Response Mode): with a button, and a
// script of ours that presses it.
type FormPost struct {
	Action  string
	Fields  []Field
	Locales string
}

// Account is the page where users see and end what they have allowed.
type Account struct {
	Username string
	Email    string
	// HasPassword: there is one to change.
	HasPassword bool
	// Notice is what was just done: one of the Notice constants, or empty.
	Notice Notice
	// Problem is about the form of the password. RetryAfter is as in Login.
	Problem    Problem
	RetryAfter time.Duration
	Sessions   []SessionInfo
	Apps       []AppInfo
	Events     []EventInfo
}

// Notice is what was just done on the account page.
type Notice string

// The notices.
const (
	NoticeNone            Notice = ""
	NoticePasswordChanged Notice = "password_changed"
	NoticeSessionEnded    Notice = "session_ended"
	NoticeAppEnded        Notice = "app_ended"
)

// SessionInfo is a browser in which the user is signed in, or an application that signed in with the password.
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

// EventInfo is one thing that happened.
type EventInfo struct {
	At         time.Time
	Action     string // the audit event's name
	Outcome    string
	ClientName string
	Address    string
}

func (Login) page() string     { return "login" }
func (Consent) page() string   { return "consent" }
func (Error) page() string     { return "error" }
func (Logout) page() string    { return "logout" }
func (LoggedOut) page() string { return "logged_out" }
func (FormPost) page() string  { return "form_post" }
func (Account) page() string   { return "account" }

// demands are what an answer depends on besides its words.
type demands struct {
	locales string
	// away: the form leads to another site in the end.
	away bool
	// script: the page has one.
	script bool
	// retryAfter goes into Retry-After when it is not zero.
	retryAfter time.Duration
}

func (v Login) asks() demands {
	return demands{locales: v.Locales, away: v.Away, retryAfter: v.RetryAfter}
}

func (v Consent) asks() demands   { return demands{locales: v.Locales, away: true} }
func (v Error) asks() demands     { return demands{locales: v.Locales} }
func (v Logout) asks() demands    { return demands{locales: v.Locales, away: v.Away} }
func (v LoggedOut) asks() demands { return demands{locales: v.Locales} }
func (v FormPost) asks() demands  { return demands{locales: v.Locales, away: true, script: true} }
func (v Account) asks() demands   { return demands{retryAfter: v.RetryAfter} }
