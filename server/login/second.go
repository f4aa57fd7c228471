package login

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"latchkey/server/factors"
	"latchkey/server/flow"
	"latchkey/server/internal/request"
	"latchkey/server/route"
	"latchkey/server/users"
	"latchkey/server/web"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// need returns what a login needs besides the password, which was right. A remembered browser stands for the second factor, unless the
// client or the next page wants to see one.
func (h *Handlers) need(r *http.Request, v *visit, who *users.Authenticated) (factors.Need, error) {
	need := h.Factors.Need(who.User, who.SecondFactor)
	wanted, essential := v.confirms, false
	if v.asked != nil {
		wanted, essential = v.asked.SecondFactor()
	}
	switch {
	case need == factors.NeedNothing && essential && !h.Factors.Off():
		return factors.NeedEnrolment, nil
	case need != factors.NeedProof || wanted:
		return need, nil
	}
	if _, err := r.Cookie(factors.BrowserCookie); err != nil {
		return need, nil
	}
	set, err := h.Factors.Of(r.Context(), who.User)
	if err != nil {
		return need, err
	}
	if h.Factors.Remembered(r, set) {
		who.Methods = []string{"pwd", factors.MethodRemembered}
		return factors.NeedNothing, nil
	}
	return need, nil
}

// step is a request for the page of the second factor.
type step struct {
	*visit
	pending *pending
	set     *factors.Set
}

// openStep reads a request for the page. It returns where the browser goes instead if no login is pending.
func (h *Handlers) openStep(r *http.Request, returnTo string) (s *step, elsewhere string, err error) {
	v, redirect, err := h.open(r, returnTo)
	if err != nil {
		return nil, "", err
	}
	if redirect {
		return nil, string(v.returnTo), nil
	}
	p := h.pending(r)
	if p == nil {
		if _, err := r.Cookie(pendingCookie); err != nil && r.URL.Query().Has(flow.ParamSignedIn) {
			return nil, h.Paths.CookieCheck(v.returnTo), nil
		}
		return nil, h.Paths.Login(v.returnTo), nil
	}
	u, err := h.Factors.User(r.Context(), p.User)
	if errors.Is(err, storage.ErrNotFound) || err == nil && (!u.Active || u.AuthEpoch != p.Epoch) {
		return nil, h.Paths.Login(v.returnTo), nil
	}
	if err != nil {
		return nil, "", v.onTheWay(err)
	}
	set, err := h.Factors.Of(r.Context(), u)
	return &step{visit: v, pending: p, set: set}, "", v.onTheWay(err)
}

// second is the page after the password.
func (h *Handlers) second(w http.ResponseWriter, r *http.Request, form url.Values) error {
	s, elsewhere, err := h.openStep(r, form.Get(flow.ParamReturnTo))
	switch {
	case err != nil:
		return err
	case elsewhere != "":
		return route.SeeOther(w, elsewhere)
	case r.Method != http.MethodPost:
		return s.onTheWay(h.showStep(w, r, s, http.StatusOK, outcome.NoProblem, 0, ""))
	}
	return s.onTheWay(h.proveStep(w, r, s, form))
}

// proveStep takes the form of the page after the password.
func (h *Handlers) proveStep(w http.ResponseWriter, r *http.Request, s *step, form url.Values) error {
	methods, codes, err := h.prove(r, s, form)
	if err != nil {
		status, problem, wait := refusal(err, form.Get("answer") != "")
		if problem == outcome.NoProblem {
			return err
		}
		request.From(r.Context()).Event.Add(slog.String("problem", string(problem)))
		return h.showStep(w, r, s, status, problem, wait, form.Get("state"))
	}
	return h.finish(w, r, s, append([]string{"pwd"}, methods...), codes, form.Get("remember") != "")
}

// prove checks the second factor of the form, or adds the first one.
func (h *Handlers) prove(r *http.Request, s *step, form url.Values) (methods, codes []string, err error) {
	ctx, state, answer, code := r.Context(), form.Get("state"), form.Get("answer"), form.Get("code")
	switch {
	case s.set.Any() && answer != "":
		methods, err = h.Factors.ProveSecond(ctx, s.set, state, answer)
	case s.set.Any():
		methods, err = h.Factors.ProveCode(ctx, s.set, code)
	case answer != "":
		codes, methods, err = h.Factors.AddPasskey(ctx, s.set, state, answer, form.Get("name"))
	default:
		codes, err = h.Factors.AddTOTP(ctx, s.set, state, code, form.Get("name"))
		methods = factors.CodeMethods()
	}
	return methods, codes, err
}

// showStep shows the page that asks for a second factor, or the one that adds the first. state is that of an enrolment that goes on.
func (h *Handlers) showStep(w http.ResponseWriter, r *http.Request, s *step, status int, problem outcome.Problem, wait time.Duration, state string) error {
	hidden := []web.Field{{Name: flow.ParamReturnTo, Value: string(s.returnTo)}}
	action := h.Paths.Base + flow.SecondFactorPath
	if !s.set.Any() {
		totp, passkey, err := h.Enrol(s.set, action, hidden, state)
		if err != nil {
			return err
		}
		return h.Pages.Render(w, r, status, web.Enrol{
			Username: s.set.User.Username, TOTP: totp, Passkey: passkey, Problem: problem, Way: h.way(s.visit),
		})
	}
	page := web.SecondFactor{
		Action: action, Hidden: hidden, Username: s.set.User.Username, Code: len(s.set.TOTP)+len(s.set.Recovery) > 0, RememberTTL: factors.BrowserTTL,
		Problem: problem, RetryAfter: wait, Way: h.way(s.visit),
	}
	asked, err := h.Factors.AskSecond(s.set)
	if err != nil {
		return err
	}
	if asked != nil {
		page.Passkey = &web.Passkey{Action: action, Hidden: append(hidden, web.Field{Name: "state", Value: asked.State}), Options: asked.Options}
	}
	return h.Pages.Render(w, r, status, page)
}

// finish signs the user in with a new session, and goes on.
func (h *Handlers) finish(w http.ResponseWriter, r *http.Request, s *step, methods, codes []string, remember bool) error {
	who := &users.Authenticated{User: s.set.User, Login: s.pending.login(s.set.User, h.Sessions.Now()), Methods: methods}
	if remember {
		if err := h.Factors.Remember(r.Context(), w, s.set, request.From(r.Context()).UserAgent); err != nil {
			return err
		}
	}
	if _, err := h.Sessions.Start(w, r, who, s.pending.Remember, s.session); err != nil {
		return err
	}
	route.SetHostCookie(w, pendingCookie, "", -1)
	if codes != nil {
		way := h.way(s.visit)
		way.Away = false // it goes on by a link: there is no form
		return h.Pages.Render(w, r, http.StatusOK, web.RecoveryCodes{Codes: codes, Continue: string(s.returnTo), Way: way})
	}
	return route.SeeOther(w, string(s.returnTo))
}

// passkey signs in with a passkey instead of the password.
func (h *Handlers) passkey(w http.ResponseWriter, r *http.Request, form url.Values) error {
	v, redirect, err := h.open(r, form.Get(flow.ParamReturnTo))
	if err != nil {
		return err
	}
	if redirect {
		return route.SeeOther(w, string(v.returnTo))
	}
	return v.onTheWay(h.provePasskey(w, r, v, form))
}

// provePasskey takes the answer of a passkey.
func (h *Handlers) provePasskey(w http.ResponseWriter, r *http.Request, v *visit, form url.Values) error {
	u, methods, err := h.Factors.ProveLogin(r.Context(), form.Get("state"), form.Get("answer"))
	if err != nil {
		return h.refused(w, r, v, err, true, "")
	}
	who := &users.Authenticated{
		User: u, Methods: methods, Login: &storage.Login{UserID: u.ID, Subject: u.Sub(), SetLastLogin: h.Sessions.Now()},
	}
	return h.start(w, r, v, who, form)
}
