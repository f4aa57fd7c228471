package account

import (
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"latchkey/server/internal/request"
	"latchkey/server/users"
	"latchkey/server/web/entered"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// changePassword changes the password after checking the current one (OWASP ASVS 7.5.1). It ends all other sessions and grants of
// the user.
func (h *Handlers) changePassword(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, form url.Values) error {
	if !h.Users.CanChangePassword() {
		return h.again(w, r, session, http.StatusForbidden, outcome.NoProblem, 0)
	}
	ctx := r.Context()
	next, err := entered.NewPassword(form)
	if err == nil {
		err = users.CheckOwnPassword(session.User, next)
	}
	if err != nil {
		return h.refused(w, r, session, err)
	}
	who, err := h.Users.AuthenticateUser(ctx, session.User, storage.Secret(form.Get("current_password")))
	if err != nil {
		return h.refused(w, r, session, err)
	}
	defer h.Users.GiveBack(ctx, who)   // what a login writes is not written
	if who.User.ID != session.UserID { // the name has another owner by now
		return h.toLogin(w)
	}
	if err := h.Users.ChangeOwnPassword(ctx, who.User, next); err != nil {
		return h.refused(w, r, session, err)
	}
	return h.signInAgain(w, r, session, next, outcome.PasswordChanged)
}

// signInAgain keeps this browser signed in. It checks the new password: if an operator has set another one meanwhile, this session
// must stay ended. The session gets a new ID, since the clients are notified that the old one has ended.
func (h *Handlers) signInAgain(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, next storage.Secret, done outcome.Notice) error {
	who, err := h.Users.AuthenticateUser(r.Context(), session.User, next)
	switch {
	case err == nil && who.User.ID == session.UserID:
		// A new password must not make the login a new one: that would be a way round the second factor.
		who.Methods, who.AuthTime = session.AMR, session.AuthTime
		_, err = h.Sessions.Start(w, r, who, session.Remember, nil)
	case err == nil:
		h.Users.GiveBack(r.Context(), who)
	}
	if err != nil {
		// The password is changed already, so the user signs in again with it on the login page.
		request.From(r.Context()).Event.Add(slog.String("sign_in_again_error", err.Error()))
		return h.toLogin(w)
	}
	return h.done(w, done)
}

// refused shows the page again with what is wrong, or returns an error that is not the user's.
func (h *Handlers) refused(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, err error) error {
	status, problem, wait := entered.Refused(err)
	switch problem {
	case outcome.NoProblem:
		return err
	case outcome.Credentials:
		problem = outcome.WrongPassword
	}
	return h.again(w, r, session, status, problem, wait)
}

func (h *Handlers) again(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, status int, problem outcome.Problem, wait time.Duration) error {
	request.From(r.Context()).Event.Add(slog.String("problem", string(problem)))
	page, err := h.page(r.Context(), session)
	if err != nil {
		return err
	}
	page.Problem, page.RetryAfter = problem, wait
	return h.Pages.Render(w, r, status, page)
}
