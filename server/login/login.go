package login

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"latchkey/server/authorize"
	"latchkey/server/flow"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/server/web"
	"latchkey/storage"
)

// Config is the configuration of the handlers.
type Config struct {
	Requests *authorize.Service
	Sessions *session.Manager
	Users    *users.Service
	Pages    *web.Pages
	Paths    flow.Paths
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

// visit is a request for the page.
type visit struct {
	// returnTo is where the browser goes after the login.
	returnTo flow.ReturnTo
	// asked is the authorization request that needs the login; nil for the account page.
	asked *authorize.Request
	// session is the user's; nil means not signed in.
	session *storage.LiveBrowserSession
	// again is true when a login is wanted unless there was one of late.
	again bool
}

// open reads a request for the page. redirect is true when nothing is to be asked, because the authorization endpoint must refuse the
// authorization request.
func (h *Handlers) open(r *http.Request, returnTo string) (v *visit, redirect bool, err error) {
	v = &visit{returnTo: h.Paths.ParseReturnTo(returnTo)}
	clientID := ""
	if c, ok := h.Paths.Continuation(v.returnTo); ok {
		v.asked, err = h.Requests.Resume(r.Context(), c)
		var refused *authorize.Error
		if errors.As(err, &refused) && refused.Response != nil {
			return v, true, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("resume authorization: %w", err)
		}
		clientID = v.asked.Client.ID
	}
	if v.session, err = h.Sessions.Find(r, clientID); err != nil {
		return nil, false, err
	}
	return v, false, nil
}

// satisfied reports whether no login is needed, or none would help.
func (v *visit) satisfied(now time.Time) bool {
	if v.asked == nil {
		return v.session != nil && (!v.again || now.Sub(v.session.AuthTime) <= flow.Recent)
	}
	step, err := v.asked.Decide(v.session)
	return err != nil || step != authorize.StepLogin
}

func (h *Handlers) get(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	v, redirect, err := h.open(r, query.Get(flow.ParamReturnTo))
	if err != nil {
		return err
	}
	v.again = query.Get(flow.ParamAgain) != ""
	if redirect || v.satisfied(h.Sessions.Now()) {
		return route.SeeOther(w, string(v.returnTo))
	}
	page := h.page(v)
	if v.again && v.session != nil {
		page.Username = v.session.User.Username
	}
	if query.Get(flow.ParamSignedIn) != "" && v.session == nil {
		page.Problem = web.ProblemCookies
	}
	return h.Pages.Render(w, r, http.StatusOK, page)
}

// page returns the empty form for a visit.
func (h *Handlers) page(v *visit) web.Login {
	p := web.Login{
		Action: h.Paths.Base + route.LoginPath, Hidden: []web.Field{{Name: flow.ParamReturnTo, Value: string(v.returnTo)}},
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
	if v.asked.MayKeepAccount(v.session) {
		p.Account = v.session.User.Username
	}
	return p
}

// bounded returns a name, or nothing when it is too long for one.
func bounded(username string) string {
	const maxLength = 1024
	if len(username) > maxLength {
		return ""
	}
	return username
}
