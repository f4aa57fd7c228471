package login

import (
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"latchkey/server/factors"
	"latchkey/server/flow"
	"latchkey/server/internal/request"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/server/web/entered"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// post handles the form.
func (h *Handlers) post(w http.ResponseWriter, r *http.Request, form url.Values) error {
	v, redirect, err := h.open(r, form.Get(flow.ParamReturnTo))
	switch {
	case err != nil:
		return err
	case redirect:
		return route.SeeOther(w, string(v.returnTo))
	case form.Get("action") == "continue":
		return h.selected(w, v)
	}
	return v.onTheWay(h.authenticate(w, r, v, form))
}

// authenticate checks the password, and signs the user in or asks for the second factor.
func (h *Handlers) authenticate(w http.ResponseWriter, r *http.Request, v *visit, form url.Values) error {
	who, err := h.Users.Authenticate(r.Context(), form.Get("username"), storage.Secret(form.Get("password")))
	if err != nil {
		return h.refused(w, r, v, err, false, form.Get("username"))
	}
	need, err := h.need(r, v, who)
	if err != nil || need != factors.NeedNothing {
		h.Users.GiveBack(r.Context(), who) // the password was right
	}
	if err != nil {
		return err
	}
	if need != factors.NeedNothing {
		return h.toSecond(w, v, who, form.Get("remember") != "")
	}
	return h.start(w, r, v, who, form)
}

// start signs the user in, and goes on.
func (h *Handlers) start(w http.ResponseWriter, r *http.Request, v *visit, who *users.Authenticated, form url.Values) error {
	if _, err := h.Sessions.Start(w, r, who, form.Get("remember") != "", v.session); err != nil {
		return err
	}
	if _, err := r.Cookie(session.CookieName); err != nil {
		// A browser that does not keep cookies would be sent here again and again, without an explanation.
		return route.SeeOther(w, h.Paths.CookieCheck(v.returnTo))
	}
	return route.SeeOther(w, string(v.returnTo))
}

// toSecond leads to the page that asks for the second factor.
func (h *Handlers) toSecond(w http.ResponseWriter, v *visit, who *users.Authenticated, remember bool) error {
	if err := h.suspend(w, who, remember); err != nil {
		return err
	}
	return route.SeeOther(w, h.Paths.SecondFactor(v.returnTo))
}

// selected goes on with the account that is signed in (prompt=select_account). The authorization endpoint decides whether a password is
// needed after all.
func (h *Handlers) selected(w http.ResponseWriter, v *visit) error {
	if v.asked == nil || v.session == nil {
		return route.SeeOther(w, string(v.returnTo))
	}
	return route.SeeOther(w, string(h.Paths.Resume(v.asked.Decided(v.session.ID, flow.Select))))
}

// refused shows the form again, or returns an error that is not the user's. An unknown user and a wrong password look the same.
func (h *Handlers) refused(w http.ResponseWriter, r *http.Request, v *visit, err error, passkey bool, username string) error {
	status, problem, wait := refusal(err, passkey)
	if problem == outcome.NoProblem {
		return err
	}
	request.From(r.Context()).Event.Add(slog.String("problem", string(problem)))
	page, err := h.page(v)
	if err != nil {
		return err
	}
	if !passkey {
		page.Username = bounded(username)
	}
	page.Problem, page.RetryAfter = problem, wait
	return h.Pages.Render(w, r, status, page)
}

// refusal returns how an error is shown; outcome.NoProblem for one that is not the user's.
func refusal(err error, passkey bool) (status int, problem outcome.Problem, wait time.Duration) {
	status, problem, wait = entered.Refused(err)
	if problem == outcome.WrongCode && passkey {
		problem = outcome.WrongPasskey
	}
	return status, problem, wait
}
