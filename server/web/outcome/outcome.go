// Package outcome names what a page says of the form that was sent: why it is shown again, or what was done. The texts are those of the
// package web, under problem.PROBLEM and notice.NOTICE.
package outcome

import "slices"

// Problem is why a form is shown again.
type Problem string

// The problems of forms.
const (
	NoProblem       Problem = ""
	Credentials     Problem = "credentials"      // wrong username or password
	Throttled       Problem = "throttled"        // too many attempts
	Overload        Problem = "overload"         // the server is busy
	WrongPassword   Problem = "password"         // the current password is wrong
	WeakPassword    Problem = "password_weak"    // too short or commonly used
	InvalidPassword Problem = "password_invalid" // empty, too long, or with characters that cannot be stored
	Mismatch        Problem = "mismatch"         // the two new passwords differ
	NoCookies       Problem = "cookies"          // the browser blocks cookies
	WrongUserCode   Problem = "user_code"        // no device waits with this code
)

// The problems of second factors.
const (
	WrongCode    Problem = "code"         // wrong, used, or too old
	WrongPasskey Problem = "passkey"      // the answer of the authenticator is not valid
	Expired      Problem = "expired"      // the page was open for too long
	FactorLimit  Problem = "factor_limit" // there are as many as there may be
)

// The problems of the steps of a letter.
const (
	WrongLetterCode Problem = "letter_code" // no letter has this code
	InvalidEmail    Problem = "email"       // no e-mail address
	InvalidUsername Problem = "username"    // none that a user can have
	Taken           Problem = "taken"       // the username is another user's
	InvalidName     Problem = "profile_name"
)

// Notice confirms an action.
type Notice string

// The notices.
const (
	NoNotice         Notice = ""
	PasswordChanged  Notice = "password_changed"
	PasswordAdded    Notice = "password_added"
	PasswordReset    Notice = "password_reset"
	SessionEnded     Notice = "session_ended"
	AppEnded         Notice = "app_ended"
	ProfileChanged   Notice = "profile_changed"
	FactorAdded      Notice = "factor_added"
	FactorRemoved    Notice = "factor_removed"
	FactorRenamed    Notice = "factor_renamed"
	BrowserForgotten Notice = "browser_forgotten"
)

// Among returns the notice if it is one of those that a page has, else NoNotice: a query may name any.
func (n Notice) Among(known ...Notice) Notice {
	if slices.Contains(known, n) {
		return n
	}
	return NoNotice
}
