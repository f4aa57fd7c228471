package selfhelp

import (
	"context"
	"net/http"
	"net/url"

	"latchkey/server/flow"
	"latchkey/server/proof"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/server/web"
	"latchkey/server/web/look"
)

// The fields of the forms.
const (
	fieldNamed    = "identifier"
	fieldEmail    = "email"
	fieldUsername = "username"
	fieldName     = "name"
	fieldCode     = "code"
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
	page := func(path string, get, post route.FormHandler) {
		rt.Page(path, route.Forms(get, post), h.Pages.RenderError, route.Methods(http.MethodGet, http.MethodPost))
	}
	if h.Proof == nil || !h.Mail {
		rt.Page(proof.ForgotPath, h.elsewhere, h.Pages.RenderError, route.Methods(http.MethodGet))
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
		rt.Page(CodePath, route.Forms(nil, h.postCode), h.Pages.RenderError, route.Methods(http.MethodPost))
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
