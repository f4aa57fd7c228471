package account

import (
	"errors"
	"net/http"
	"net/url"

	"latchkey/server/password"
	"latchkey/server/route"
	"latchkey/server/web"
	"latchkey/server/web/entered"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

func (h *Handlers) firstPasswordStep(u *storage.User) web.Step {
	return h.step("first_password", route.FirstPasswordPath, u.Username, web.Field{Name: entered.FieldNew}, web.Field{Name: entered.FieldAgain})
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
func (h *Handlers) chooseFirstPassword(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession, form url.Values) error {
	u, err := h.Users.Own(r.Context(), s.UserID)
	if err != nil {
		return err
	}
	if password.Usable(u.PasswordHash) {
		return h.done(w, outcome.NoNotice)
	}
	next, err := entered.NewPassword(form)
	if err == nil {
		err = h.Users.ChangeOwnPassword(r.Context(), u, next)
	}
	switch {
	case errors.Is(err, storage.ErrConflict): // an operator, or another page, was faster
		return h.done(w, outcome.NoNotice)
	case err != nil:
		return entered.Again(h.Pages, w, r, h.firstPasswordStep(u), err)
	}
	return h.signInAgain(w, r, s, next, outcome.PasswordAdded)
}
