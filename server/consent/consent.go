package consent

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/authorize"
	"latchkey/server/flow"
	"latchkey/server/internal/audit"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/web"
	"latchkey/storage"
)

// Store is what the page uses of storage.Store.
type Store interface {
	GrantConsent(ctx context.Context, c *storage.Consent, event *storage.AuditEvent) error
}

// Config is the configuration of the handlers.
type Config struct {
	Store    Store
	Requests *authorize.Service
	Sessions *session.Manager
	Audit    *audit.Log
	Clients  *registry.Registry
	Pages    *web.Pages
	// Describe returns a client as the pages show it.
	Describe func(*clients.Client) web.ClientInfo
	// AccountURL is where users can ask who may not use an application; empty if it is not known.
	AccountURL string
	Paths      flow.Paths
}

// Handlers are the routes.
type Handlers struct{ Config }

// New makes the handlers.
func New(c Config) *Handlers { return &Handlers{c} }

// Register mounts the routes.
func (h *Handlers) Register(rt *route.Router) {
	rt.Page(route.ConsentPath, route.Forms(h.get, h.post), h.Pages.RenderError, route.Methods(http.MethodGet, http.MethodPost))
}

func (h *Handlers) get(w http.ResponseWriter, r *http.Request, query url.Values) error {
	ticket := flow.Ticket(query.Get(flow.ParamTicket))
	a, session, err := h.open(r, ticket)
	if err != nil {
		return err
	}
	return flow.OnTheWay(a.Client, a.UILocales, h.ask(w, r, a, session, ticket))
}

// ask shows the page with the question, or that the user may not use the client.
func (h *Handlers) ask(w http.ResponseWriter, r *http.Request, a *authorize.Request, session *storage.LiveBrowserSession, ticket flow.Ticket) error {
	if a.Outside(session) {
		return h.outside(w, r, a, session, ticket)
	}
	page, err := h.page(r.Context(), a, session, ticket)
	if err != nil {
		return err
	}
	return h.Pages.Render(w, r, http.StatusOK, page)
}

// outside shows that the user may not use the client.
func (h *Handlers) outside(w http.ResponseWriter, r *http.Request, a *authorize.Request, session *storage.LiveBrowserSession, ticket flow.Ticket) error {
	h.Audit.Refused(r.Context(), authorize.OutsideRefusal(a.Client, session))
	return h.Pages.Render(w, r, http.StatusForbidden, web.Outside{
		Action: h.Paths.Base + route.ConsentPath, Hidden: []web.Field{{Name: flow.ParamTicket, Value: string(ticket)}},
		Username: session.User.Username, Client: h.Describe(a.Client), AccountURL: h.AccountURL, Locales: a.UILocales,
	})
}

// open returns the request of a ticket, and the session of the user who is asked, with the consent given before. A ticket that was made
// for another browser session is refused, and so is a browser without one: else a page that an attacker has opened could be put before
// the user, or the other way round.
func (h *Handlers) open(r *http.Request, ticket flow.Ticket) (*authorize.Request, *storage.LiveBrowserSession, error) {
	a, err := h.Requests.ResumeTicket(r.Context(), ticket)
	clientID := ""
	if err == nil {
		clientID = a.Client.ID
	}
	session, findErr := h.Sessions.Find(r, clientID)
	switch {
	case findErr != nil:
		err = findErr
	case session == nil:
		err = errOtherSession
	case err != nil:
		err = fmt.Errorf("resume authorization: %w", err)
	case !a.BelongsTo(session):
		err = errOtherSession
	default:
		return a, session, nil
	}
	if a != nil {
		err = flow.OnTheWay(a.Client, a.UILocales, err)
	}
	return nil, nil, err
}

var errOtherSession = &route.Error{
	Status:  http.StatusForbidden,
	Message: "This page belongs to a session that has ended. Go back to the application and start again.",
}

// page returns the page with the question.
func (h *Handlers) page(ctx context.Context, a *authorize.Request, session *storage.LiveBrowserSession, ticket flow.Ticket) (web.Consent, error) {
	resources, err := web.ResourceInfos(ctx, h.Clients.Resources, slices.Concat(a.Resource, a.Offered))
	if err != nil {
		return web.Consent{}, err
	}
	return web.Consent{
		Action: h.Paths.Base + route.ConsentPath, Hidden: []web.Field{{Name: flow.ParamTicket, Value: string(ticket)}},
		Username:     session.User.Username,
		Client:       h.Describe(a.Client),
		RedirectHost: redirectHost(a.RedirectURI), LocalOnly: clients.IsLoopbackURI(a.RedirectURI),
		Scope: scopes(a, session.Consent), Resources: resources,
		Lifetime: a.Lifetime(), Offline: a.Offline(), Locales: a.UILocales,
	}, nil
}

// redirectHost returns where the answer goes, for people: a host, or the scheme of a native application.
func redirectHost(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil: // not one that a client can register
		return ""
	case u.Scheme == "https" || u.Scheme == "http":
		return u.Host
	}
	return u.Scheme
}

// scopes returns what the user is asked to allow. It marks the scopes that the user has not allowed to this client before, at the resources asked for.
func scopes(a *authorize.Request, before *storage.Consent) []web.ScopeInfo {
	infos := make([]web.ScopeInfo, len(a.Permissions))
	for i, scope := range a.Permissions {
		infos[i] = web.ScopeInfo{Name: scope, New: !a.Allowed(before, scope)}
	}
	return infos
}
