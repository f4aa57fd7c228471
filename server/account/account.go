package account

import (
	"net/http"
	"net/url"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/flow"
	"latchkey/server/internal/audit"
	"latchkey/server/personal"
	"latchkey/server/proof"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/server/web"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// The addresses, below the issuer's path.
const (
	RootPath           = "/"
	Path               = route.AccountPath
	PasswordPath       = Path + "/password"
	ProfilePath        = Path + "/profile"
	EndSessionPath     = Path + "/sessions/end"
	EndAllPath         = Path + "/sessions/end-all"
	EndApplicationPath = Path + "/applications/end"
	SignOutPath        = Path + "/sign-out"
	SignedOutPath      = Path + "/signed-out"
	doneParameter      = "done"
	sessionParameter   = "session"
	clientParameter    = "client_id"
)

// Store is the part of storage.Store that the page needs.
type Store interface {
	storage.Consents
	storage.Grants
	storage.AuditEvents
}

// Config is what the handlers work with.
type Config struct {
	Store    Store
	Sessions *session.Manager
	Users    *users.Service
	Audit    *audit.Log
	Clients  *registry.Registry
	Pages    *web.Pages
	// Describe returns what the page shows of a client.
	Describe func(*clients.Client) web.ClientInfo
	// SecondFactors means that there is a page of second factors.
	SecondFactors bool
	// Fields are those of users.OwnFields that users may change.
	Fields []string
	// Proof sends letters about addresses; Mail reports whether it can.
	Proof *proof.Service
	Mail  bool
	// Personal reads what is stored about a user.
	Personal *personal.Exporter
	Paths    flow.Paths
}

// Handlers are the routes.
type Handlers struct{ Config }

// New makes the handlers.
func New(c Config) *Handlers { return &Handlers{c} }

// Register mounts the routes.
func (h *Handlers) Register(rt *route.Router) {
	get := func(path string, handle route.Handler) {
		rt.Page(path, handle, h.Pages.RenderError, route.Methods(http.MethodGet))
	}
	post := func(path string, act action) {
		rt.Page(path, h.signedIn(h.Paths.Account(), act), h.Pages.RenderError, route.Methods(http.MethodPost))
	}
	get(RootPath, func(w http.ResponseWriter, _ *http.Request) error { return h.redirect(w, Path) })
	get(Path, h.signedIn(h.Paths.Account(), h.show))
	get(SignedOutPath, h.signedOut)
	post(PasswordPath, posted(h.changePassword))
	post(ProfilePath, posted(h.changeProfile))
	post(EndSessionPath, posted(h.endSession))
	post(EndAllPath, h.endAll)
	post(EndApplicationPath, posted(h.endApplication))
	post(SignOutPath, h.signOut)
	h.registerOwn(rt, post)
}

// action answers a request of the user of a browser session.
type action func(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession) error

// posted passes the form that was posted to act.
func posted(act func(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, form url.Values) error) action {
	return func(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession) error {
		form, err := route.Form(r)
		if err != nil {
			return err
		}
		return act(w, r, session, form)
	}
}

// signedIn passes the browser session to act: for all but the account page only that of a user who has proved of late who they are, with the
// second factor if there is one (ASVS 5.0 7.5.1). Others go to the login page, which leads back to the address; what a form said is not kept, so that
// they decide after the login.
func (h *Handlers) signedIn(to flow.ReturnTo, act action) route.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		session, err := h.Sessions.Find(r, "")
		if err != nil {
			return err
		}
		if session == nil || to != h.Paths.Account() && !h.Sessions.Confirmed(session) {
			return route.SeeOther(w, h.Paths.Login(to))
		}
		return act(w, r, session)
	}
}

func (h *Handlers) toLogin(w http.ResponseWriter) error {
	return route.SeeOther(w, h.Paths.Login(h.Paths.Account()))
}

// done leads back to the page, which then says what was done.
func (h *Handlers) done(w http.ResponseWriter, n outcome.Notice) error {
	return h.redirect(w, Path+"?"+url.Values{doneParameter: {string(n)}}.Encode())
}

// redirect leads to an address below the issuer's path.
func (h *Handlers) redirect(w http.ResponseWriter, path string) error {
	return route.SeeOther(w, h.Paths.Base+path)
}
