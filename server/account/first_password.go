package account

import (
	"errors"
	"net/http"

	"latchkey/server/password"
	"latchkey/server/route"
	"latchkey/server/web"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// FirstPasswordPath is where a user who signs in with a passkey alone chooses a password.
const FirstPasswordPath = route.FirstPasswordPath

// The fields of the forms that set a password.
const (
	fieldNew   = "new_password"
	fieldAgain = "new_password_again"
)

func (h *Handlers) firstPasswordStep(u *storage.User) web.Step {
	return web.Step{
		Name: "first_password", Action: h.BasePath + FirstPasswordPath, Shown: u.Username, Inputs: []web.Field{{Name: fieldNew}, {Name: fieldAgain}},
		Next: h.BasePath + Path,
	}
}

// showFirstPassword shows the form. A user who has a password changes it on the account page, with the present one.
func (h *Handlers) showFirstPassword(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	u, err := h.Users.Own(r.Context(), s.UserID)
	if err != nil {
		return err
	}
	if password.Usable(u.PasswordHash) {
		return h.done(w, outcome.NoNotice)
	}
	return h.Pages.Render(w, r, http.StatusOK, h.firstPasswordStep(u))
}

// chooseFirstPassword sets the password of a user who has none. It ends all other sessions and grants of the user.
func (h *Handlers) chooseFirstPassword(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	form, err := route.Form(r)
	if err != nil {
		return err
	}
	u, err := h.Users.Own(r.Context(), s.UserID)
	if err != nil {
		return err
	}
	if password.Usable(u.PasswordHash) {
		return h.done(w, outcome.NoNotice)
	}
	next, step := storage.Secret(form.Get(fieldNew)), h.firstPasswordStep(u)
	if form.Get(fieldAgain) != next.Reveal() {
		step.Problem = outcome.Mismatch
		return h.Pages.Render(w, r, http.StatusBadRequest, step)
	}
	err = h.Users.ChangeOwnPassword(r.Context(), u, next)
	switch {
	case errors.Is(err, storage.ErrConflict): // an operator, or another page, was faster
		return h.done(w, outcome.NoNotice)
	case err != nil:
		return h.stepRefused(w, r, step, err)
	}
	return h.signInAgain(w, r, s, next, outcome.PasswordAdded)
}
