package account

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"latchkey/server/route"
	"latchkey/server/web"
	"latchkey/server/web/entered"
	"latchkey/storage"
)

// The addresses of the forms about the e-mail address.
const (
	VerifyEmailPath = route.EmailPath + "/verify"
	EmailCodePath   = route.EmailPath + "/code"
	fieldEmail      = "email"
	fieldCode       = "code"
)

// registerOwn mounts what users do with their own accounts where these are kept here.
func (h *Handlers) registerOwn(rt *route.Router, post func(path string, act action)) {
	both := func(path string, get, post action) {
		rt.Page(path, h.signedIn(h.Paths.Own(path), func(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
			if r.Method == http.MethodPost {
				return post(w, r, s)
			}
			return get(w, r, s)
		}), h.Pages.RenderError, route.Methods(http.MethodGet, http.MethodPost))
	}
	if !h.Users.CanChangeProfile() {
		return
	}
	both(route.FirstPasswordPath, h.showFirstPassword, posted(h.chooseFirstPassword))
	both(route.RemovePath, h.ask("remove", route.RemovePath), h.remove)
	both(route.ExportPath, h.ask("export", route.ExportPath), h.export)
	if !h.Mail {
		return
	}
	both(route.EmailPath, h.showEmail, posted(h.changeEmail))
	post(VerifyEmailPath, h.verifyEmail)
	post(EmailCodePath, posted(h.confirmEmail))
}

// step returns a page on which users decide about their own accounts. Its link leads back to the account page.
func (h *Handlers) step(name, path, shown string, inputs ...web.Field) web.Step {
	return web.Step{Name: name, Action: h.Paths.Base + path, Shown: shown, Inputs: inputs, Next: string(h.Paths.Account())}
}

// ask returns the page that asks before something is done with the account.
func (h *Handlers) ask(name, path string) action {
	return func(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
		return h.Pages.Render(w, r, http.StatusOK, h.step(name, path, s.User.Username))
	}
}

func (h *Handlers) emailStep(u *storage.User, typed string) web.Step {
	return h.step("email", route.EmailPath, cmp.Or(u.Email, "–"), web.Field{Name: fieldEmail, Value: typed})
}

func (h *Handlers) showEmail(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	return h.Pages.Render(w, r, http.StatusOK, h.emailStep(s.User, ""))
}

// changeEmail sends a letter to another address. Nothing changes until the address is proved.
func (h *Handlers) changeEmail(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession, form url.Values) error {
	email := strings.TrimSpace(form.Get(fieldEmail))
	step := h.emailStep(s.User, email)
	u, err := h.Users.Own(r.Context(), s.UserID)
	if err == nil {
		err = h.Proof.ProveAddress(r.Context(), u, email, r.Header.Get("Accept-Language"))
	}
	if err != nil {
		return entered.Again(h.Pages, w, r, step, err)
	}
	return h.Pages.Render(w, r, http.StatusOK, h.codeStep(email))
}

func (h *Handlers) codeStep(email string) web.Step {
	step := h.step("email_sent", EmailCodePath, email, web.Field{Name: fieldCode})
	step.Hidden = []web.Field{{Name: fieldEmail, Value: email}}
	return step
}

// verifyEmail sends a letter to the present address.
func (h *Handlers) verifyEmail(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	u, err := h.Users.Own(r.Context(), s.UserID)
	if err != nil {
		return err
	}
	if err := h.Proof.ProveAddress(r.Context(), u, u.Email, r.Header.Get("Accept-Language")); err != nil {
		return entered.Again(h.Pages, w, r, h.emailStep(u, ""), err)
	}
	return h.Pages.Render(w, r, http.StatusOK, h.codeStep(u.Email))
}

// confirmEmail takes the code of a letter.
func (h *Handlers) confirmEmail(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession, form url.Values) error {
	l, err := h.Proof.AddressByCode(r.Context(), s.User, form.Get(fieldCode))
	if err == nil {
		err = h.Proof.ConfirmAddress(r.Context(), l)
	}
	if err != nil {
		return entered.Again(h.Pages, w, r, h.codeStep(form.Get(fieldEmail)), err)
	}
	return h.Pages.Render(w, r, http.StatusOK, web.Step{Name: "verified", Shown: l.Email(), Next: string(h.Paths.Account())})
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
