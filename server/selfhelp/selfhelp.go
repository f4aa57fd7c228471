package selfhelp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"latchkey/server/flow"
	"latchkey/server/password"
	"latchkey/server/proof"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/server/web"
	"latchkey/server/web/look"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// The fields of the forms.
const (
	fieldNamed    = "identifier"
	fieldEmail    = "email"
	fieldUsername = "username"
	fieldName     = "name"
	fieldCode     = "code"
	fieldNew      = "new_password"
	fieldAgain    = "new_password_again"
	fieldBound    = "request"
)

// CodePath is where the code of a sign-up is typed.
const CodePath = proof.SignUpPath + "/code"

// SignUp says who may sign up.
type SignUp string

// The values of SignUp.
const (
	SignUpOff    SignUp = "off"    // no person
	SignUpInvite SignUp = "invite" // people with an invitation of an operator
	SignUpOpen   SignUp = "open"   // everybody
)

// Config is the configuration of the handlers.
type Config struct {
	// Proof is nil where letters can't be sent, or where the accounts are elsewhere.
	Proof    *proof.Service
	Sessions *session.Manager
	Users    *users.Service
	Pages    *web.Pages
	Paths    flow.Paths
	// Mail reports whether letters are sent; without it there are invitations only.
	Mail   bool
	SignUp SignUp
	// SecondFactor means that somebody may have to add a second factor at the login, so that no new account is signed in past it.
	SecondFactor bool
	// Look returns how a page looks that leads back to an address.
	Look func(context.Context, flow.ReturnTo) look.Client
}

// Handlers are the routes.
type Handlers struct{ Config }

// New makes the handlers.
func New(c Config) *Handlers { return &Handlers{c} }

// Register mounts the routes that the configuration has.
func (h *Handlers) Register(rt *route.Router) {
	page := func(path string, get, post route.Handler) {
		methods := []string{http.MethodGet, http.MethodPost}
		if post == nil {
			methods = methods[:1]
		}
		rt.Page(path, func(w http.ResponseWriter, r *http.Request) error {
			if r.Method == http.MethodPost {
				return post(w, r)
			}
			return get(w, r)
		}, h.Pages.RenderError, route.Methods(methods...))
	}
	if h.Proof == nil || !h.Mail {
		page(proof.ForgotPath, h.elsewhere, nil)
	} else {
		page(proof.ForgotPath, h.forgot, h.postForgot)
		page(proof.ResetPath, h.reset, h.postReset)
		page(proof.VerifyPath, h.verify, h.postVerify)
	}
	if h.Proof == nil {
		return
	}
	if h.SignUp == SignUpOpen && h.Mail {
		page(proof.SignUpPath, h.signUp, h.postSignUp)
		rt.Page(CodePath, h.postCode, h.Pages.RenderError, route.Methods(http.MethodPost))
	}
	if h.SignUp == SignUpOpen || h.SignUp == SignUpInvite {
		page(proof.FinishPath, h.finish, h.postFinish)
	}
}

// elsewhere says who to ask.
func (h *Handlers) elsewhere(w http.ResponseWriter, r *http.Request) error {
	return h.Pages.Render(w, r, http.StatusOK, web.Step{Name: "elsewhere", Shown: "-", Next: h.Users.AccountURL()})
}

// path returns the address of a path.
func (h *Handlers) path(path string) string { return h.Paths.Base + path }

// returnTo returns where the person came from, of a query or a form.
func (h *Handlers) returnTo(values url.Values) flow.ReturnTo {
	return h.Paths.ParseReturnTo(values.Get(flow.ParamReturnTo))
}

func hidden(name, value string) []web.Field { return []web.Field{{Name: name, Value: value}} }

// gone says that a link or a code does not work any more (RFC 9110 §15.5.11).
func (h *Handlers) gone(w http.ResponseWriter, r *http.Request, next string) error {
	return h.Pages.Render(w, r, http.StatusGone, web.Step{Name: "gone", Next: h.path(next)})
}

// look returns the look of the pages on the way that a letter belongs to.
func (h *Handlers) look(ctx context.Context, l *proof.Link) look.Client {
	return h.Look(ctx, h.Paths.ParseReturnTo(l.ReturnTo()))
}

// refused shows a step again with what is wrong, or returns an error that is not the person's.
func (h *Handlers) refused(w http.ResponseWriter, r *http.Request, step web.Step, err error) error {
	status := http.StatusBadRequest
	var throttled *users.ThrottledError
	var invalid *input.Error
	switch {
	case errors.Is(err, errMismatch):
		step.Problem = outcome.Mismatch
	case errors.Is(err, users.ErrWeakPassword):
		step.Problem = outcome.WeakPassword
	case errors.Is(err, storage.ErrExists):
		status, step.Problem = http.StatusConflict, outcome.Taken
	case errors.As(err, &throttled):
		status, step.Problem, step.RetryAfter = http.StatusTooManyRequests, outcome.Throttled, throttled.RetryAfter
	case errors.Is(err, password.ErrOverload):
		status, step.Problem, step.RetryAfter = http.StatusServiceUnavailable, outcome.Overload, time.Second
	case errors.As(err, &invalid):
		step.Problem = map[string]outcome.Problem{
			"email": outcome.InvalidEmail, "username": outcome.InvalidUsername, "name": outcome.InvalidName,
		}[invalid.Field]
		if step.Problem == "" {
			step.Problem = outcome.InvalidPassword
		}
	default:
		return err
	}
	return h.Pages.Render(w, r, status, step)
}

var errMismatch = errors.New("the two passwords differ")

// newPassword returns the password that a form has twice.
func newPassword(form url.Values) (storage.Secret, error) {
	if form.Get(fieldNew) != form.Get(fieldAgain) {
		return "", errMismatch
	}
	return storage.Secret(form.Get(fieldNew)), nil
}
