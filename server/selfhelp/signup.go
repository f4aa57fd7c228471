package selfhelp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"latchkey/server/flow"
	"latchkey/server/proof"
	"latchkey/server/route"
	"latchkey/server/web"
	"latchkey/server/web/entered"
	"latchkey/storage"
)

func (h *Handlers) signUp(w http.ResponseWriter, r *http.Request, form url.Values) error {
	return h.Pages.Render(w, r, http.StatusOK, h.signUpStep(r.Context(), h.returnTo(form), ""))
}

func (h *Handlers) signUpStep(ctx context.Context, to flow.ReturnTo, email string) web.Step {
	return web.Step{
		Name: "sign_up", Action: h.path(proof.SignUpPath), Hidden: hidden(flow.ParamReturnTo, string(to)), Inputs: []web.Field{{Name: fieldEmail, Value: email}},
		Next: h.Paths.Login(to), Shown: "-", Look: h.Look(ctx, to),
	}
}

// postSignUp answers in the same way whether or not the address has an account: the letter says it.
func (h *Handlers) postSignUp(w http.ResponseWriter, r *http.Request, form url.Values) error {
	to, email := h.returnTo(form), strings.TrimSpace(form.Get(fieldEmail))
	bound, err := h.Proof.SignUp(r.Context(), email, r.Header.Get("Accept-Language"), string(to))
	if err != nil {
		return entered.Again(h.Pages, w, r, h.signUpStep(r.Context(), to, email), err)
	}
	return h.Pages.Render(w, r, http.StatusOK, h.codeStep(r.Context(), to, bound, email))
}

func (h *Handlers) codeStep(ctx context.Context, to flow.ReturnTo, bound, email string) web.Step {
	return web.Step{
		Name: "sign_up_sent", Action: h.path(CodePath), Shown: email, Inputs: []web.Field{{Name: fieldCode}},
		Hidden: []web.Field{{Name: fieldBound, Value: bound}, {Name: fieldEmail, Value: email}, {Name: flow.ParamReturnTo, Value: string(to)}},
		Look:   h.Look(ctx, to),
	}
}

// postCode goes on with the code of a letter in the browser that asked for it.
func (h *Handlers) postCode(w http.ResponseWriter, r *http.Request, form url.Values) error {
	bound, code := form.Get(fieldBound), form.Get(fieldCode)
	l, err := h.Proof.NewAccountByCode(r.Context(), bound, code)
	if err != nil {
		return entered.Again(h.Pages, w, r, h.codeStep(r.Context(), h.returnTo(form), bound, form.Get(fieldEmail)), err)
	}
	return h.Pages.Render(w, r, http.StatusOK, h.finishStep(r.Context(), l, url.Values{fieldBound: {bound}, fieldCode: {code}}))
}

// finish shows the form for the account of a link.
func (h *Handlers) finish(w http.ResponseWriter, r *http.Request, form url.Values) error {
	secret := form.Get(proof.TokenParameter)
	l, err := h.Proof.NewAccount(r.Context(), storage.Secret(secret))
	if err != nil {
		return h.dead(w, r, err, h.again())
	}
	return h.Pages.Render(w, r, http.StatusOK, h.finishStep(r.Context(), l, url.Values{proof.TokenParameter: {secret}}))
}

// again returns where somebody without a working link begins.
func (h *Handlers) again() string {
	if h.SignUp == SignUpOpen && h.Mail {
		return proof.SignUpPath
	}
	return route.LoginPath
}

// finishStep is the form for an account, with what proves the address and what was typed.
func (h *Handlers) finishStep(ctx context.Context, l *proof.Link, form url.Values) web.Step {
	step := web.Step{
		Name: "new_account", Action: h.path(proof.FinishPath), Shown: l.Email(),
		Inputs: []web.Field{{Name: fieldUsername, Value: form.Get(fieldUsername)}, {Name: fieldName, Value: form.Get(fieldName)}, {Name: entered.FieldNew}, {Name: entered.FieldAgain}},
		Look:   h.look(ctx, l),
	}
	for _, name := range []string{proof.TokenParameter, fieldBound, fieldCode} {
		if value := form.Get(name); value != "" {
			step.Hidden = append(step.Hidden, web.Field{Name: name, Value: value})
		}
	}
	return step
}

// postFinish makes the account, signs its user in as a login does, and leads to where the person came from.
func (h *Handlers) postFinish(w http.ResponseWriter, r *http.Request, form url.Values) error {
	ctx := r.Context()
	var l *proof.Link
	var err error
	if secret := form.Get(proof.TokenParameter); secret != "" {
		l, err = h.Proof.NewAccount(ctx, storage.Secret(secret))
	} else {
		l, err = h.Proof.NewAccountByCode(ctx, form.Get(fieldBound), form.Get(fieldCode))
	}
	if err != nil {
		return h.dead(w, r, err, h.again())
	}
	next, err := entered.NewPassword(form)
	if err != nil {
		return entered.Again(h.Pages, w, r, h.finishStep(r.Context(), l, form), err)
	}
	u, err := h.Proof.CreateAccount(ctx, l, form.Get(fieldUsername), strings.TrimSpace(form.Get(fieldName)), next)
	switch {
	case errors.Is(err, proof.ErrGone):
		return h.gone(w, r, h.again())
	case err != nil:
		return entered.Again(h.Pages, w, r, h.finishStep(r.Context(), l, form), err)
	}
	// From here on it is the login of a user with a password and no other factor.
	to := h.Paths.ParseReturnTo(l.ReturnTo())
	if h.SecondFactor { // asked for there
		return route.SeeOther(w, h.Paths.Login(to))
	}
	current, err := h.Sessions.Find(r, "")
	if err != nil {
		return err
	}
	who, err := h.Users.AuthenticateUser(ctx, u, next)
	if err == nil {
		_, err = h.Sessions.Start(w, r, who, false, current)
	}
	if err != nil {
		return route.SeeOther(w, h.Paths.Login(to)) // the account is there
	}
	return route.SeeOther(w, string(to))
}
