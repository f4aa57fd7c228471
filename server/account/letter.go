package account

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"latchkey/server/proof"
	"latchkey/server/route"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/server/web"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// The addresses of the pages about the e-mail address, and of the last one.
const (
	EmailPath       = route.EmailPath
	VerifyEmailPath = EmailPath + "/verify"
	EmailCodePath   = EmailPath + "/code"
	RemovePath      = route.RemovePath
	fieldEmail      = "email"
	fieldCode       = "code"
)

// registerOwn mounts what users do with their own accounts where these are kept here.
func (h *Handlers) registerOwn(rt *route.Router) {
	both := func(path string, get, post action) {
		rt.Page(path, h.confirmed(path, func(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
			if r.Method == http.MethodPost {
				return post(w, r, s)
			}
			return get(w, r, s)
		}), h.Pages.RenderError, route.Methods(http.MethodGet, http.MethodPost))
	}
	if !h.Users.CanChangeProfile() {
		return
	}
	both(FirstPasswordPath, h.showFirstPassword, h.chooseFirstPassword)
	both(RemovePath, h.showRemove, h.remove)
	both(ExportPath, h.showExport, h.export)
	if !h.Mail {
		return
	}
	both(EmailPath, h.showEmail, h.changeEmail)
	rt.Page(VerifyEmailPath, h.signedIn(h.verifyEmail), h.Pages.RenderError, route.Methods(http.MethodPost))
	rt.Page(EmailCodePath, h.signedIn(h.confirmEmail), h.Pages.RenderError, route.Methods(http.MethodPost))
}

func (h *Handlers) emailStep(u *storage.User, typed string) web.Step {
	shown := u.Email
	if shown == "" {
		shown = "–"
	}
	return web.Step{
		Name: "email", Action: h.BasePath + EmailPath, Shown: shown, Inputs: []web.Field{{Name: fieldEmail, Value: typed}},
		Next: h.BasePath + Path,
	}
}

func (h *Handlers) showEmail(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	return h.Pages.Render(w, r, http.StatusOK, h.emailStep(s.User, ""))
}

// changeEmail sends a letter to another address. Nothing changes until the address is proved.
func (h *Handlers) changeEmail(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	form, err := route.Form(r)
	if err != nil {
		return err
	}
	email := strings.TrimSpace(form.Get(fieldEmail))
	step := h.emailStep(s.User, email)
	u, err := h.Users.Own(r.Context(), s.UserID)
	if err == nil {
		err = h.Proof.ProveAddress(r.Context(), u, email, r.Header.Get("Accept-Language"))
	}
	if err != nil {
		return h.stepRefused(w, r, step, err)
	}
	return h.Pages.Render(w, r, http.StatusOK, h.codeStep(email))
}

func (h *Handlers) codeStep(email string) web.Step {
	return web.Step{
		Name: "email_sent", Action: h.BasePath + EmailCodePath, Shown: email, Inputs: []web.Field{{Name: fieldCode}},
		Hidden: []web.Field{{Name: fieldEmail, Value: email}}, Next: h.BasePath + Path,
	}
}

// verifyEmail sends a letter to the present address.
func (h *Handlers) verifyEmail(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	u, err := h.Users.Own(r.Context(), s.UserID)
	if err != nil {
		return err
	}
	if err := h.Proof.ProveAddress(r.Context(), u, u.Email, r.Header.Get("Accept-Language")); err != nil {
		return h.stepRefused(w, r, h.emailStep(u, ""), err)
	}
	return h.Pages.Render(w, r, http.StatusOK, h.codeStep(u.Email))
}

// confirmEmail takes the code of a letter.
func (h *Handlers) confirmEmail(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	form, err := route.Form(r)
	if err != nil {
		return err
	}
	l, err := h.Proof.AddressByCode(r.Context(), s.User, form.Get(fieldCode))
	if err == nil {
		err = h.Proof.ConfirmAddress(r.Context(), l)
	}
	if err != nil {
		return h.stepRefused(w, r, h.codeStep(form.Get(fieldEmail)), err)
	}
	return h.Pages.Render(w, r, http.StatusOK, web.Step{Name: "verified", Shown: l.Email(), Next: h.BasePath + Path})
}

func (h *Handlers) removeStep(u *storage.User) web.Step {
	return web.Step{
		Name: "remove", Action: h.BasePath + RemovePath, Shown: u.Username, Next: h.BasePath + Path,
	}
}

func (h *Handlers) showRemove(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	return h.Pages.Render(w, r, http.StatusOK, h.removeStep(s.User))
}

// remove removes the account: its sessions end, and the applications are notified.
func (h *Handlers) remove(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	u, err := h.Users.Own(r.Context(), s.UserID)
	if err != nil {
		return err
	}
	if err := h.Users.RemoveOwn(r.Context(), u.ID); err != nil {
		return err
	}
	h.Sessions.Forget(w)
	if h.Mail {
		if err := h.Proof.Removed(r.Context(), u, r.Header.Get("Accept-Language")); err != nil {
			return err
		}
	}
	return h.Pages.Render(w, r, http.StatusOK, web.Step{Name: "removed", Shown: u.Username})
}

// stepRefused shows a step again with what is wrong, or returns an error that is not the user's.
func (h *Handlers) stepRefused(w http.ResponseWriter, r *http.Request, step web.Step, err error) error {
	status := http.StatusBadRequest
	var throttled *users.ThrottledError
	var invalid *input.Error
	switch {
	case errors.Is(err, proof.ErrGone):
		step.Problem = outcome.WrongLetterCode
	case errors.Is(err, users.ErrWeakPassword):
		step.Problem = outcome.WeakPassword
	case errors.Is(err, users.ErrOverload):
		status, step.Problem, step.RetryAfter = http.StatusServiceUnavailable, outcome.Overload, time.Second
	case errors.As(err, &throttled):
		status, step.Problem, step.RetryAfter = http.StatusTooManyRequests, outcome.Throttled, throttled.RetryAfter
	case errors.As(err, &invalid) && invalid.Field == "password":
		step.Problem = outcome.InvalidPassword
	case errors.As(err, &invalid):
		step.Problem = outcome.InvalidEmail
	default:
		return err
	}
	return h.Pages.Render(w, r, status, step)
}
