package security

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"latchkey/server/claims"
	"latchkey/server/factors"
	"latchkey/server/flow"
	"latchkey/server/internal/request"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/server/web"
	"latchkey/server/web/entered"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// doneParameter names the notice that the page shows.
const doneParameter = "done"

// Config is what the handlers work with.
type Config struct {
	Factors  *factors.Service
	Sessions *session.Manager
	Pages    *web.Pages
	Paths    flow.Paths
}

// Handlers are the routes. Each change writes an audit event: factor_added, factor_removed, recovery_codes_created. Package
// factors writes them, and notifies the user by a letter.
type Handlers struct{ Config }

// New makes the handlers.
func New(c Config) *Handlers { return &Handlers{c} }

// Register mounts the route.
func (h *Handlers) Register(rt *route.Router) {
	if !h.Factors.Off() {
		rt.Page(route.SecurityPath, h.serve, h.Pages.RenderError, route.Methods(http.MethodGet, http.MethodPost))
	}
}

// visit is a request of a user who has confirmed who they are.
type visit struct {
	session *storage.LiveBrowserSession
	set     *factors.Set
}

func (h *Handlers) serve(w http.ResponseWriter, r *http.Request) error {
	session, err := h.Sessions.Find(r, "")
	if err != nil {
		return err
	}
	if session == nil || !h.Sessions.Confirmed(session) {
		return route.SeeOther(w, h.Paths.Login(h.Paths.Security()))
	}
	set, err := h.Factors.Of(r.Context(), session.User)
	if err != nil {
		return err
	}
	v := &visit{session, set}
	if r.Method == http.MethodPost {
		return h.change(w, r, v)
	}
	page, err := h.page(v, "")
	if err != nil {
		return err
	}
	page.Notice = outcome.Notice(r.URL.Query().Get(doneParameter)).Among(
		outcome.FactorAdded, outcome.FactorRemoved, outcome.FactorRenamed, outcome.BrowserForgotten)
	return h.Pages.Render(w, r, http.StatusOK, page)
}

// page returns the contents of the page. state is that of an enrolment that goes on.
func (h *Handlers) page(v *visit, state string) (p web.Security, err error) {
	p = web.Security{Username: v.session.User.Username, Action: h.Paths.Base + route.SecurityPath, Recovery: len(v.set.Recovery)}
	for _, f := range slices.Concat(v.set.TOTP, v.set.Passkeys) {
		p.Factors = append(p.Factors, info(f))
	}
	for _, f := range v.set.Browsers {
		p.Browsers = append(p.Browsers, info(f))
	}
	p.TOTP, p.Passkey, err = h.Enrol(v.set, p.Action, []web.Field{{Name: "action", Value: "add"}}, state)
	return p, err
}

func info(f *storage.Factor) web.FactorInfo {
	return web.FactorInfo{
		ID: f.ID.String(), Name: f.Name, Passkey: f.Kind == storage.FactorWebAuthn, Synced: factors.Synced(f),
		Since: f.CreatedAt, LastUsed: f.LastUsedAt, Until: f.ExpiresAt,
	}
}

// Enrol returns the forms that add a factor. A state is that of an enrolment whose code was wrong: it goes on with the same secret.
func (h *Handlers) Enrol(set *factors.Set, action string, hidden []web.Field, state string) (*web.TOTP, *web.Passkey, error) {
	e, err := h.Factors.Again(set.User, state)
	if err != nil {
		if e, err = h.Factors.NewTOTP(set.User); err != nil {
			return nil, nil, err
		}
	}
	with := func(state string) []web.Field {
		return append(hidden[:len(hidden):len(hidden)], web.Field{Name: "state", Value: state})
	}
	totp := &web.TOTP{Action: action, Hidden: with(e.State), Secret: e.Secret, Address: e.Address, QR: e.QR, Size: e.Size}
	if !h.Factors.Passkeys() {
		return totp, nil, nil
	}
	c, err := h.Factors.NewPasskey(set)
	if err != nil {
		return nil, nil, err
	}
	return totp, &web.Passkey{Action: action, Hidden: with(c.State), Options: c.Options, Create: true}, nil
}

// change makes the change of the form.
func (h *Handlers) change(w http.ResponseWriter, r *http.Request, v *visit) error {
	form, err := route.Form(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	if action := form.Get("action"); action == "add" || action == "codes" {
		codes, methods, err := h.add(r, v, form)
		switch {
		case err != nil:
			return h.refused(w, r, v, form, err)
		case codes != nil:
			if methods != nil {
				h.raise(w, r, v, methods)
			}
			return h.Pages.Render(w, r, http.StatusOK, web.RecoveryCodes{Codes: codes, Continue: string(h.Paths.Security())})
		}
		return h.done(w, outcome.FactorAdded)
	}
	id, err := storage.ParseID(form.Get("factor"))
	if err != nil {
		return route.ErrForm
	}
	switch form.Get("action") {
	case "rename":
		if strings.TrimSpace(form.Get("name")) == "" {
			return route.ErrForm
		}
		if err := h.Factors.Rename(ctx, v.session.UserID, id, form.Get("name")); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		return h.done(w, outcome.FactorRenamed)
	case "remove":
		return h.remove(w, r, v, id)
	}
	return route.ErrForm
}

// add adds the factor of the form, or draws new recovery codes. The methods are those of the proof that comes with a new factor.
func (h *Handlers) add(r *http.Request, v *visit, form url.Values) (codes, methods []string, err error) {
	ctx, state, name := r.Context(), form.Get("state"), form.Get("name")
	switch {
	case form.Get("action") == "codes":
		codes, err = h.Factors.NewCodes(ctx, v.set)
	case form.Has("answer"):
		codes, methods, err = h.Factors.AddPasskey(ctx, v.set, state, form.Get("answer"), name)
	default:
		codes, err = h.Factors.AddTOTP(ctx, v.set, state, form.Get("code"), name)
		methods = factors.CodeMethods()
	}
	return codes, methods, err
}

// raise notes in the session that the user has proved the first second factor just now. Otherwise the page would ask for it when the user
// comes back from the recovery codes.
func (h *Handlers) raise(w http.ResponseWriter, r *http.Request, v *visit, methods []string) {
	if claims.MultiFactor(v.session.AMR) {
		return
	}
	who := &users.Authenticated{User: v.session.User, Methods: slices.Concat(v.session.AMR, methods), AuthTime: v.session.AuthTime}
	if _, err := h.Sessions.Start(w, r, who, v.session.Remember, v.session); err != nil {
		// The factor is added already, and its recovery codes are shown only now. The user signs in again.
		request.From(r.Context()).Event.Add(slog.String("sign_in_again_error", err.Error()))
	}
}

// remove removes a factor. If the sessions of the user end with it, this browser gets a new one, with the same login.
func (h *Handlers) remove(w http.ResponseWriter, r *http.Request, v *visit, id storage.ID) error {
	ctx := r.Context()
	ended, err := h.Factors.Remove(ctx, "user", v.set, id)
	if errors.Is(err, storage.ErrNotFound) { // removed before
		return h.done(w, outcome.NoNotice)
	}
	if err != nil {
		return err
	}
	if !ended {
		return h.done(w, outcome.BrowserForgotten)
	}
	u, err := h.Factors.User(ctx, v.session.UserID)
	if err == nil && u.Active {
		who := &users.Authenticated{User: u, Methods: v.session.AMR, AuthTime: v.session.AuthTime}
		_, err = h.Sessions.Start(w, r, who, v.session.Remember, nil)
	}
	if err != nil {
		// The factor is removed already, so the user signs in again.
		request.From(ctx).Event.Add(slog.String("sign_in_again_error", err.Error()))
		return route.SeeOther(w, h.Paths.Login(h.Paths.Security()))
	}
	return h.done(w, outcome.FactorRemoved)
}

// done leads back to the page, which then says what was done.
func (h *Handlers) done(w http.ResponseWriter, n outcome.Notice) error {
	return route.SeeOther(w, string(h.Paths.Security())+"?"+url.Values{doneParameter: {string(n)}}.Encode())
}

// refused shows the page again with what is wrong, or returns an error that is not the user's.
func (h *Handlers) refused(w http.ResponseWriter, r *http.Request, v *visit, form url.Values, err error) error {
	_, problem, _ := entered.Refused(err)
	switch {
	case problem == outcome.NoProblem:
		return err
	case problem == outcome.WrongCode && form.Has("answer"):
		problem = outcome.WrongPasskey
	}
	request.From(r.Context()).Event.Add(slog.String("problem", string(problem)))
	page, err := h.page(v, form.Get("state"))
	if err != nil {
		return err
	}
	page.Problem = problem
	return h.Pages.Render(w, r, http.StatusBadRequest, page)
}
