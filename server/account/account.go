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
	// BasePath is the path of the issuer, without a slash at its end: "" or "/auth".
	BasePath string
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
		rt.Page(path, h.signedIn(act), h.Pages.RenderError, route.Methods(http.MethodPost))
	}
	get(RootPath, func(w http.ResponseWriter, _ *http.Request) error { return h.redirect(w, Path) })
	get(Path, h.signedIn(h.show))
	get(SignedOutPath, h.signedOut)
	post(PasswordPath, h.changePassword)
	post(ProfilePath, h.changeProfile)
	post(EndSessionPath, h.endSession)
	post(EndAllPath, h.endAll)
	post(EndApplicationPath, h.endApplication)
	post(SignOutPath, h.signOut)
	h.registerOwn(rt)
}

// action answers a request of the user of a browser session.
type action func(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession) error

// signedIn passes the browser session to act. Without one it redirects to the login page, which leads back to the account page.
func (h *Handlers) signedIn(act action) route.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		session, err := h.Sessions.Find(r, "")
		if err != nil {
			return err
		}
		if session == nil {
			return h.toLogin(w)
		}
		return act(w, r, session)
	}
}

// confirmed passes to act the browser session of a user who has proved of late who they are, with the second factor if there is one: ASVS 5.0
// 7.5.1. Others go to the login page, which leads back to the path; what a form said is not kept, so that they decide after the login.
func (h *Handlers) confirmed(path string, act action) route.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		session, err := h.Sessions.Find(r, "")
		if err != nil {
			return err
		}
		if session == nil || !h.Sessions.Confirmed(session) {
			paths := flow.Paths{Base: h.BasePath}
			return route.SeeOther(w, paths.Login(paths.Own(path)))
		}
		return act(w, r, session)
	}
}

func (h *Handlers) toLogin(w http.ResponseWriter) error {
	paths := flow.Paths{Base: h.BasePath}
	return route.SeeOther(w, paths.Login(paths.Account()))
}

// done leads back to the page, which then says what was done.
func (h *Handlers) done(w http.ResponseWriter, n outcome.Notice) error {
	return h.redirect(w, Path+"?"+url.Values{doneParameter: {string(n)}}.Encode())
}

// redirect leads to an address below the issuer's path.
func (h *Handlers) redirect(w http.ResponseWriter, path string) error {
	return route.SeeOther(w, h.BasePath+path)
}
