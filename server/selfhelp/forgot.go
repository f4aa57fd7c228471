package selfhelp

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"latchkey/server/flow"
	"latchkey/server/proof"
	"latchkey/server/route"
	"latchkey/server/web"
	"latchkey/server/web/entered"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

func (h *Handlers) forgot(w http.ResponseWriter, r *http.Request, form url.Values) error {
	return h.Pages.Render(w, r, http.StatusOK, h.forgotStep(r.Context(), h.returnTo(form), ""))
}

func (h *Handlers) forgotStep(ctx context.Context, to flow.ReturnTo, named string) web.Step {
	return web.Step{
		Name: "forgot", Action: h.path(proof.ForgotPath), Hidden: hidden(flow.ParamReturnTo, string(to)), Inputs: []web.Field{{Name: fieldNamed, Value: named}},
		Next: h.Paths.Login(to), Look: h.Look(ctx, to),
	}
}

// postForgot answers in the same way whether or not there is such an account (ASVS 5.0 6.3.8).
func (h *Handlers) postForgot(w http.ResponseWriter, r *http.Request, form url.Values) error {
	to, named := h.returnTo(form), form.Get(fieldNamed)
	if err := h.Proof.ForgotPassword(r.Context(), named, r.Header.Get("Accept-Language"), string(to)); err != nil {
		return entered.Again(h.Pages, w, r, h.forgotStep(r.Context(), to, named), err)
	}
	return h.Pages.Render(w, r, http.StatusOK, web.Step{Name: "forgot_sent", Shown: named, Next: h.Paths.Login(to), Look: h.Look(r.Context(), to)})
}

// reset shows the form and changes nothing: mail scanners open links too.
func (h *Handlers) reset(w http.ResponseWriter, r *http.Request, form url.Values) error {
	secret := form.Get(proof.TokenParameter)
	l, err := h.Proof.Reset(r.Context(), storage.Secret(secret))
	if err != nil {
		return h.dead(w, r, err, proof.ForgotPath)
	}
	return h.Pages.Render(w, r, http.StatusOK, h.resetStep(r.Context(), l, secret))
}

// dead says that a link does not work any more, or returns an error that is not about the link.
func (h *Handlers) dead(w http.ResponseWriter, r *http.Request, err error, next string) error {
	if errors.Is(err, proof.ErrGone) {
		return h.gone(w, r, next)
	}
	return err
}

func (h *Handlers) resetStep(ctx context.Context, l *proof.Link, secret string) web.Step {
	return web.Step{
		Name: "reset", Action: h.path(proof.ResetPath), Hidden: hidden(proof.TokenParameter, secret), Shown: l.User.Username,
		Inputs: []web.Field{{Name: entered.FieldNew}, {Name: entered.FieldAgain}}, Look: h.look(ctx, l),
	}
}

// postReset sets the password and leads to the login, which leads on to where the person came from. It starts no session: a second
// factor, where there is one, is asked for there (ASVS 5.0 6.4.3).
func (h *Handlers) postReset(w http.ResponseWriter, r *http.Request, form url.Values) error {
	ctx, secret := r.Context(), form.Get(proof.TokenParameter)
	l, err := h.Proof.Reset(ctx, storage.Secret(secret))
	if err != nil {
		return h.dead(w, r, err, proof.ForgotPath)
	}
	next, err := entered.NewPassword(form)
	if err != nil {
		return entered.Again(h.Pages, w, r, h.resetStep(ctx, l, secret), err)
	}
	switch err := h.Proof.SetPassword(ctx, l, next); {
	case errors.Is(err, proof.ErrGone):
		return h.gone(w, r, proof.ForgotPath)
	case err != nil:
		return entered.Again(h.Pages, w, r, h.resetStep(ctx, l, secret), err)
	}
	return route.SeeOther(w, h.Paths.LoginAfter(h.Paths.ParseReturnTo(l.ReturnTo()), string(outcome.PasswordReset)))
}
