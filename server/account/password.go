package account

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"latchkey/server/internal/request"
	"latchkey/server/route"
	"latchkey/server/users"
	"latchkey/server/web"
	"latchkey/storage"
)

// changePassword asks for the present password once more (OWASP ASVS 7.5.1), and ends everything that was signed in with it
// but this browser.
func (h *Handlers) changePassword(w http.ResponseWriter, r *http.Request, present *storage.LiveBrowserSession) error {
	form, err := route.Form(r)
	if err != nil {
		return err
	}
	ctx, next := r.Context(), storage.Secret(form.Get("new_password"))
	if form.Get("new_password_again") != next.Reveal() {
		return h.again(w, r, present, http.StatusBadRequest, web.ProblemMismatch, 0)
	}
	if err := users.CheckOwnPassword(present.User, next); err != nil {
		return h.refused(w, r, present, err)
	}
	who, err := h.Users.Authenticate(ctx, present.User.Username, storage.Secret(form.Get("current_password")))
	if err != nil {
		return h.refused(w, r, present, err)
	}
	if who.User.ID != present.UserID { // the name has another owner by now
		return h.toLogin(w)
	}
	if err := h.Sessions.TellEverywhere(ctx, present.UserID); err != nil {
		return err
	}
	if err := h.Users.ChangeOwnPassword(ctx, who.User, next); err != nil {
		return h.refused(w, r, present, err)
	}
	return h.signInAgain(w, r, present, next)
}

// signInAgain keeps this browser signed in, by the new password: an operator who has set another one meanwhile has ended this
// session too, and that must stay so. Its ID is a new one, since the clients are being told that the old one has ended.
func (h *Handlers) signInAgain(w http.ResponseWriter, r *http.Request, present *storage.LiveBrowserSession, next storage.Secret) error {
	who, err := h.Users.Authenticate(r.Context(), present.User.Username, next)
	if err == nil && who.User.ID == present.UserID {
		_, err = h.Sessions.Start(w, r, who, present.Remember, nil)
	}
	if err != nil {
		// The password is changed. Whatever is wrong now, the login page will say.
		request.From(r.Context()).Event.Add(slog.String("sign_in_again_error", err.Error()))
		return h.toLogin(w)
	}
	return h.done(w, web.NoticePasswordChanged)
}

// refused shows the page again with what is wrong.
func (h *Handlers) refused(w http.ResponseWriter, r *http.Request, present *storage.LiveBrowserSession, err error) error {
	var throttled *users.ThrottledError
	var invalid *users.InputError
	switch {
	case errors.Is(err, users.ErrWeakPassword):
		return h.again(w, r, present, http.StatusBadRequest, web.ProblemPasswordWeak, 0)
	case errors.As(err, &invalid):
		return h.again(w, r, present, http.StatusBadRequest, web.ProblemPasswordInvalid, 0)
	case errors.Is(err, users.ErrCredentials):
		return h.again(w, r, present, http.StatusUnauthorized, web.ProblemPassword, 0)
	case errors.As(err, &throttled):
		return h.again(w, r, present, http.StatusTooManyRequests, web.ProblemThrottled, throttled.RetryAfter)
	case errors.Is(err, users.ErrOverload):
		return h.again(w, r, present, http.StatusServiceUnavailable, web.ProblemOverload, time.Second)
	}
	return err
}

func (h *Handlers) again(w http.ResponseWriter, r *http.Request, present *storage.LiveBrowserSession, status int, problem web.Problem, wait time.Duration) error {
	request.From(r.Context()).Event.Add(slog.String("problem", string(problem)))
	page, err := h.page(r.Context(), present)
	if err != nil {
		return err
	}
	page.Problem, page.RetryAfter = problem, wait
	return h.Pages.Render(w, r, status, page)
}
