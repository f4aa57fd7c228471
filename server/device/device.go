package device

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/authorize"
	"latchkey/server/flow"
	"latchkey/server/internal/audit"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/token"
	"latchkey/server/web"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// Config is the configuration of the handlers.
type Config struct {
	Requests *authorize.Service
	Sessions *session.Manager
	Audit    *audit.Log
	Clients  *registry.Registry
	Tokens   *token.Service
	Pages    *web.Pages
	// Describe returns a client as the pages show it.
	Describe func(*clients.Client) web.ClientInfo
	// AdminAPI is the resource identifier of the API for operators; empty if it is off.
	AdminAPI string
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
	rt.Page(route.DevicePath, route.Forms(h.device, h.device), h.Pages.RenderError, route.Methods(http.MethodGet, http.MethodPost))
}

// device serves the page to a user who is signed in; others sign in first.
func (h *Handlers) device(w http.ResponseWriter, r *http.Request, form url.Values) error {
	code := bounded(form.Get(flow.ParamUserCode))
	session, err := h.Sessions.Find(r, "")
	switch {
	case err != nil:
		return err
	case session == nil:
		return route.SeeOther(w, h.Paths.Login(h.Paths.Device(code)))
	case r.Method != http.MethodPost:
		// The code of verification_uri_complete is only filled in: looking at it would let a page of another site use up the user's attempts.
		return h.Pages.Render(w, r, http.StatusOK, h.question(session, code))
	case form.Has(flow.ParamTicket):
		return h.decide(w, r, session, flow.Ticket(form.Get(flow.ParamTicket)), flow.Decision(form.Get(flow.ParamDecision)))
	}
	return h.enter(w, r, session, code)
}

// bounded leaves out what is no code anyway: it goes into an address and into a field.
func bounded(code string) string {
	const maxLength = 100
	if len(code) > maxLength {
		return ""
	}
	return code
}

// question is the page that asks for the code.
func (h *Handlers) question(session *storage.LiveBrowserSession, code string) web.Device {
	return web.Device{Action: h.Paths.Base + route.DevicePath, Username: session.User.Username, UserCode: code}
}

// enter shows what waits with a code.
func (h *Handlers) enter(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, code string) error {
	d, err := h.Requests.EnterUserCode(r.Context(), code, session)
	if err != nil {
		return h.again(w, r, session, code, err)
	}
	if h.needsLogin(d, session) {
		return route.SeeOther(w, h.Paths.LoginAgain(h.Paths.DeviceAgain(code)))
	}
	return flow.OnTheWay(d.Client, "", h.show(w, r, session, d))
}

// needsLogin reports whether the user of a session has to log in again before a device gets what it asks for: the API for operators makes
// changes for a recent login only (RFC 9470), and a device can't ask for one otherwise.
func (h *Handlers) needsLogin(d *authorize.DeviceRequest, session *storage.LiveBrowserSession) bool {
	return h.AdminAPI != "" && slices.Contains(d.Resource, h.AdminAPI) && !h.Sessions.Confirmed(session)
}

// again asks for a code once more, after an error.
func (h *Handlers) again(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, code string, err error) error {
	var refused *protocol.Error
	page := h.question(session, code)
	switch {
	case errors.Is(err, authorize.ErrUserCode):
		page.Problem = outcome.WrongUserCode
		return h.Pages.Render(w, r, http.StatusBadRequest, page)
	case errors.As(err, &refused) && refused.Reason == reasons.Throttled:
		page.Problem, page.RetryAfter = outcome.Throttled, refused.RetryAfter
		return h.Pages.Render(w, r, refused.Status, page)
	}
	return err
}

// show asks whether the device may have what it asks for.
func (h *Handlers) show(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, d *authorize.DeviceRequest) error {
	hidden := []web.Field{{Name: flow.ParamTicket, Value: string(d.Ticket)}}
	if d.Outside(session) {
		h.Audit.Refused(r.Context(), authorize.OutsideRefusal(d.Client, session))
		return h.Pages.Render(w, r, http.StatusForbidden, web.Outside{
			Action: h.Paths.Base + route.DevicePath, Hidden: hidden, Username: session.User.Username, Client: h.Describe(d.Client),
			AccountURL: h.AccountURL, Device: true,
		})
	}
	resources, err := web.ResourceInfos(r.Context(), h.Clients.Resources, slices.Concat(d.Resource, d.Offered))
	if err != nil {
		return err
	}
	scopes := make([]web.ScopeInfo, len(d.Scope))
	for i, scope := range d.Scope {
		scopes[i] = web.ScopeInfo{Name: scope}
	}
	return h.Pages.Render(w, r, http.StatusOK, web.DeviceConfirm{
		Action: h.Paths.Base + route.DevicePath, Hidden: hidden,
		Username: session.User.Username, UserCode: d.UserCode, Client: h.Describe(d.Client), Scope: scopes, Resources: resources,
		Address: d.Address, At: d.At, Lifetime: h.Tokens.Lifetime(d.Client),
	})
}

// decide stores the decision of the user, who has seen what waits.
func (h *Handlers) decide(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, ticket flow.Ticket, decision flow.Decision) error {
	d, changed, err := h.Requests.OpenDevice(r.Context(), ticket, session)
	if errors.Is(err, authorize.ErrTicket) {
		return &route.Error{
			Status: http.StatusForbidden, Message: "This page belongs to a session that has ended. Enter the code that your device shows again.",
		}
	}
	if err != nil {
		return h.again(w, r, session, "", err)
	}
	if decision == flow.Allow && (changed || d.Outside(session)) {
		return flow.OnTheWay(d.Client, "", h.show(w, r, session, d)) // the user sees the client as it is now first, or that they may not use it
	}
	if decision == flow.Allow && h.needsLogin(d, session) {
		return route.SeeOther(w, h.Paths.LoginAgain(h.Paths.DeviceAgain(d.UserCode)))
	}
	if decision != flow.Allow && decision != flow.Deny {
		return route.ErrForm
	}
	if err := h.answer(r.Context(), d, session, decision); err != nil {
		return flow.OnTheWay(d.Client, "", h.again(w, r, session, "", err))
	}
	return h.Pages.Render(w, r, http.StatusOK, web.DeviceDone{Approved: decision == flow.Allow, Client: h.Describe(d.Client)})
}

func (h *Handlers) answer(ctx context.Context, d *authorize.DeviceRequest, session *storage.LiveBrowserSession, decision flow.Decision) error {
	answer, event := storage.DeviceApproved, h.Audit.Event(ctx, "device_approved", "user")
	if decision == flow.Deny {
		answer, event = storage.DeviceDenied, h.Audit.Event(ctx, "device_denied", "user")
		event.Outcome = "denied"
	}
	event.UserID, event.ClientID = session.UserID, d.Client.ID
	if err := h.Requests.AnswerDevice(ctx, d, session, answer, event); err != nil {
		return err
	}
	h.Audit.Written(event)
	return nil
}
