package consent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/internal/audit"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/token"
	"latchkey/server/web"
	"latchkey/storage"
)

// Store is what the page uses of storage.Store.
type Store interface {
	GrantConsent(ctx context.Context, c *storage.Consent, event *storage.AuditEvent) error
}

// Config is what the handlers work with.
type Config struct {
	Store    Store
	Tokens   *token.Service
	Sessions *session.Manager
	Audit    *audit.Log
	Clients  *registry.Registry
	Pages    *web.Pages
	// Describe gives a client as the pages show it.
	Describe func(*clients.Client) web.ClientInfo
	// BasePath is the path of the issuer, without a slash at its end: "" or "/auth".
	BasePath string
}

// Handlers are the routes.
type Handlers struct{ Config }

// New makes the handlers.
func New(c Config) *Handlers { return &Handlers{c} }

// Register mounts the routes.
func (h *Handlers) Register(rt *route.Router) {
	rt.Page(route.ConsentPath, h.consent, h.Pages.RenderError, route.Methods(http.MethodGet, http.MethodPost))
}

func (h *Handlers) consent(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodPost {
		return h.post(w, r)
	}
	return h.get(w, r)
}

func (h *Handlers) get(w http.ResponseWriter, r *http.Request) error {
	ticket := r.URL.Query().Get("request")
	a, _, err := h.open(r, ticket)
	if err != nil {
		return err
	}
	// Which client it is about is known only now, so the consent takes another round trip.
	present, err := h.Sessions.Find(r, a.Client.ID)
	if err != nil {
		return err
	}
	if present == nil {
		return errForeign()
	}
	page, err := h.page(r.Context(), a, present, ticket)
	if err != nil {
		return err
	}
	return h.Pages.Render(w, r, http.StatusOK, page)
}

// open finds out what is asked, of whom. A form that was made for another browser session, or that comes without one, is
// refused: else a page of ours that somebody else has opened could be put before the user, or the other way round.
func (h *Handlers) open(r *http.Request, ticket string) (*token.Authorization, *storage.LiveBrowserSession, error) {
	present, err := h.Sessions.Find(r, "")
	if err != nil {
		return nil, nil, err
	}
	if present == nil {
		return nil, nil, errForeign()
	}
	a, err := h.Tokens.ResumeTicket(r.Context(), ticket, present.ID)
	if errors.Is(err, token.ErrTicket) {
		return nil, nil, errForeign()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("resume authorization: %w", err)
	}
	return a, present, nil
}

func errForeign() error {
	return &route.Error{
		Status:  http.StatusForbidden,
		Message: "This page belongs to a session that has ended. Go back to the application and start again.",
	}
}

// page is what the user is asked.
func (h *Handlers) page(ctx context.Context, a *token.Authorization, present *storage.LiveBrowserSession, ticket string) (web.Consent, error) {
	resources, err := h.resources(ctx, a.Resource)
	if err != nil {
		return web.Consent{}, err
	}
	return web.Consent{
		Action: h.BasePath + route.ConsentPath, Hidden: []web.Field{{Name: "request", Value: ticket}},
		Username:     present.User.Username,
		Client:       h.Describe(a.Client),
		RedirectHost: redirectHost(a.RedirectURI), LocalOnly: a.LocalOnly(),
		Scope: scopes(a, present.Consent), Resources: resources,
		Lifetime: a.Lifetime(), Offline: a.Offline(), Locales: a.UILocales,
	}, nil
}

// redirectHost is what tells a person where the answer goes: a host, or the scheme of a native application.
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

// scopes marks what the user has not allowed to this client before, as it is now.
func scopes(a *token.Authorization, before *storage.Consent) []web.ScopeInfo {
	allowed := make(map[string]bool)
	if before != nil && before.Fingerprint == a.Client.Fingerprint() {
		for _, scope := range before.Scope {
			allowed[scope] = true
		}
	}
	infos := make([]web.ScopeInfo, len(a.Scope))
	for i, scope := range a.Scope {
		infos[i] = web.ScopeInfo{Name: scope, New: !allowed[scope]}
	}
	return infos
}

// resources names the resources as the operator does.
func (h *Handlers) resources(ctx context.Context, asked []string) ([]web.ResourceInfo, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	all, err := h.Clients.Resources(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string)
	for _, r := range all {
		names[r.Identifier] = r.Name
	}
	infos := make([]web.ResourceInfo, len(asked))
	for i, identifier := range asked {
		infos[i] = web.ResourceInfo{Identifier: identifier, Name: names[identifier]}
	}
	return infos, nil
}
