package login

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/token"
	"latchkey/server/users"
	"latchkey/server/web"
	"latchkey/storage"
)

// Config is what the handlers work with.
type Config struct {
	Tokens   *token.Service
	Sessions *session.Manager
	Users    *users.Service
	Pages    *web.Pages
	// BasePath is the path of the issuer, without a slash at its end: "" or "/auth".
	BasePath string
}

// Handlers are the routes.
type Handlers struct{ Config }

// New makes the handlers.
func New(c Config) *Handlers { return &Handlers{c} }

// Register mounts the routes.
func (h *Handlers) Register(rt *route.Router) {
	rt.Page(route.LoginPath, h.login, h.Pages.RenderError, route.Methods(http.MethodGet, http.MethodPost))
}

func (h *Handlers) login(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodPost {
		return h.post(w, r)
	}
	return h.get(w, r)
}

// visit is a request for the page, with where the browser goes afterwards and why it is here.
type visit struct {
	returnTo string
	// asked is the authorization request that needs the login; nil for the account page.
	asked *token.Authorization
	// present is who is signed in in this browser; nil = nobody.
	present *storage.LiveBrowserSession
}

// open reads what a request brings. What an authorization request is refused with now, the authorization endpoint tells the
// application: then elsewhere is true.
func (h *Handlers) open(r *http.Request, returnTo string) (v *visit, elsewhere bool, err error) {
	v = &visit{returnTo: h.accepted(returnTo)}
	clientID := ""
	if blob, ok := h.continuation(v.returnTo); ok {
		v.asked, err = h.Tokens.Resume(r.Context(), blob)
		var refused *token.AuthorizationError
		if errors.As(err, &refused) && refused.Response != nil {
			return v, true, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("resume authorization: %w", err)
		}
		clientID = v.asked.Client.ID
	}
	if v.present, err = h.Sessions.Find(r, clientID); err != nil {
		return nil, false, err
	}
	return v, false, nil
}

// satisfied tells whether nobody needs to sign in, or can't any more.
func (h *Handlers) satisfied(v *visit) bool {
	if v.asked == nil {
		return v.present != nil
	}
	step, err := h.Tokens.Decide(v.asked, v.present)
	return err != nil || step != token.StepLogin
}

func (h *Handlers) get(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	v, elsewhere, err := h.open(r, query.Get("return_to"))
	if err != nil {
		return err
	}
	if elsewhere || h.satisfied(v) {
		return route.SeeOther(w, v.returnTo)
	}
	page := h.page(v)
	if query.Get("signed_in") != "" && v.present == nil {
		page.Problem = web.ProblemCookies
	}
	return h.Pages.Render(w, r, http.StatusOK, page)
}

// page is the form for a visit, with nothing typed.
func (h *Handlers) page(v *visit) web.Login {
	p := web.Login{
		Action: h.BasePath + route.LoginPath, Hidden: []web.Field{{Name: "return_to", Value: v.returnTo}},
		RememberTTL: h.Sessions.RememberTTL(),
	}
	if v.asked == nil {
		return p
	}
	p.ClientName, p.Username, p.Locales = v.asked.Client.ClientName, bounded(v.asked.LoginHint), v.asked.UILocales
	if p.ClientName == "" {
		p.ClientName = v.asked.Client.ID
	}
	p.Away = true
	if v.asked.MayKeepAccount(v.present) {
		p.Account = v.present.User.Username
	}
	return p
}

// bounded leaves out what is too long for a name.
func bounded(username string) string {
	const most = 1024
	if len(username) > most {
		return ""
	}
	return username
}

// checkCookies is the address at which a browser that brought no cookie shows whether it keeps ours.
func (h *Handlers) checkCookies(returnTo string) string {
	return h.BasePath + route.LoginPath + "?" + url.Values{"return_to": {returnTo}, "signed_in": {"1"}}.Encode()
}
