package login

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"latchkey/clients"
	"latchkey/server/authorize"
	"latchkey/server/factors"
	"latchkey/server/flow"
	"latchkey/server/internal/seal"
	"latchkey/server/proof"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/server/web"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// Config is the configuration of the handlers.
type Config struct {
	Requests *authorize.Service
	Sessions *session.Manager
	Users    *users.Service
	Factors  *factors.Service
	// Enrol returns the forms that add the first second factor.
	Enrol func(set *factors.Set, action string, hidden []web.Field, state string) (*web.TOTP, *web.Passkey, error)
	Pages *web.Pages
	Paths flow.Paths
	// Describe returns a client as the pages show it.
	Describe func(*clients.Client) web.ClientInfo
	// Keys seal logins that wait for a second factor: the first seals, all open.
	Keys [][]byte
	// Forgot and SignUp say whether the page leads to a new password and to a new account.
	Forgot, SignUp bool
}

// Handlers are the routes.
type Handlers struct {
	Config
	sealer *seal.Sealer
}

// New makes the handlers. It panics unless the keys have 32 bytes.
func New(c Config) *Handlers {
	sealer, err := seal.New(c.Keys)
	if err != nil {
		panic(err)
	}
	return &Handlers{c, sealer}
}

// Register mounts the routes.
func (h *Handlers) Register(rt *route.Router) {
	rt.Page(route.LoginPath, route.Forms(h.get, h.post), h.Pages.RenderError, route.Methods(http.MethodGet, http.MethodPost))
	if !h.Factors.Off() {
		rt.Page(flow.SecondFactorPath, route.Forms(h.second, h.second), h.Pages.RenderError, route.Methods(http.MethodGet, http.MethodPost))
	}
	if h.Factors.Passkeys() {
		rt.Page(flow.PasskeyPath, route.Forms(nil, h.passkey), h.Pages.RenderError, route.Methods(http.MethodPost))
	}
}

// visit is a request for the page.
type visit struct {
	// returnTo is where the browser goes after the login.
	returnTo flow.ReturnTo
	// asked is the authorization request that needs the login; nil for the account page.
	asked *authorize.Request
	// session is the user's; nil means not signed in.
	session *storage.LiveBrowserSession
	// confirms is true if the user must prove who they are for what comes next, with a second factor if they have one.
	confirms bool
	sessions *session.Manager
}

// open reads a request for the page. redirect is true when nothing is to be asked, because the authorization endpoint must refuse the
// authorization request.
func (h *Handlers) open(r *http.Request, returnTo string) (v *visit, redirect bool, err error) {
	v = &visit{returnTo: h.Paths.ParseReturnTo(returnTo), sessions: h.Sessions}
	v.confirms = h.Paths.Confirms(v.returnTo)
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
		return nil, false, v.onTheWay(err)
	}
	return v, false, nil
}

// onTheWay returns err with the application that asked for the login, for the page that explains it.
func (v *visit) onTheWay(err error) error {
	if v.asked == nil {
		return err
	}
	return flow.OnTheWay(v.asked.Client, v.asked.UILocales, err)
}

// satisfied reports whether no login is needed, or none would help.
func (v *visit) satisfied() bool {
	if v.asked == nil {
		return v.session != nil && (!v.confirms || v.sessions.Confirmed(v.session))
	}
	step, err := v.asked.Decide(v.session)
	return err != nil || step != authorize.StepLogin
}

func (h *Handlers) get(w http.ResponseWriter, r *http.Request, query url.Values) error {
	v, redirect, err := h.open(r, query.Get(flow.ParamReturnTo))
	if err != nil {
		return err
	}
	v.confirms = v.confirms || query.Get(flow.ParamAgain) != ""
	if redirect || v.satisfied() {
		return route.SeeOther(w, string(v.returnTo))
	}
	page, err := h.page(v)
	if err != nil {
		return v.onTheWay(err)
	}
	if query.Get(flow.ParamDone) == string(outcome.PasswordReset) {
		page.Notice = outcome.PasswordReset
	}
	if query.Get(flow.ParamSignedIn) != "" && v.session == nil {
		page.Problem = outcome.NoCookies
	}
	return v.onTheWay(h.Pages.Render(w, r, http.StatusOK, page))
}

// page returns the empty form for a visit.
func (h *Handlers) page(v *visit) (web.Login, error) {
	hidden := []web.Field{{Name: flow.ParamReturnTo, Value: string(v.returnTo)}}
	p := web.Login{Way: h.way(v), Action: h.Paths.Base + route.LoginPath, Hidden: hidden, RememberTTL: h.Sessions.RememberTTL()}
	if h.Factors.Passkeys() {
		asked, err := h.Factors.AskLogin()
		if err != nil {
			return p, err
		}
		p.Passkey = &web.Passkey{
			Action: h.Paths.Base + flow.PasskeyPath, Hidden: append(hidden, web.Field{Name: "state", Value: asked.State}), Options: asked.Options,
		}
	}
	if h.Forgot {
		p.ForgotURL = h.Paths.With(proof.ForgotPath, v.returnTo)
	}
	if h.SignUp {
		p.SignUpURL = h.Paths.With(proof.SignUpPath, v.returnTo)
	}
	if v.asked == nil {
		if v.session != nil {
			p.Username = v.session.User.Username
		}
		return p, nil
	}
	p.ClientName, p.Username = cmp.Or(v.asked.Client.ClientName, v.asked.Client.ID), bounded(v.asked.LoginHint)
	if v.asked.MayKeepAccount(v.session) {
		p.Account = v.session.User.Username
	}
	return p, nil
}

// way returns what the pages have of the authorization request that asked for the login.
func (h *Handlers) way(v *visit) web.Way {
	if v.asked == nil {
		return web.Way{}
	}
	return web.Way{Locales: v.asked.UILocales, Look: h.Describe(v.asked.Client).Look, Away: true}
}

// bounded returns a name, or nothing when it is too long for one.
func bounded(username string) string {
	const maxLength = 1024
	if len(username) > maxLength {
		return ""
	}
	return username
}
