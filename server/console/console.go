package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"latchkey/clients/registry"
	"latchkey/server/factors"
	"latchkey/server/flow"
	"latchkey/server/grants"
	"latchkey/server/internal/request"
	"latchkey/server/keys"
	"latchkey/server/proof"
	"latchkey/server/replica"
	"latchkey/server/route"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/server/web"
	"latchkey/server/web/panel"
	"latchkey/server/webhooks"
	"latchkey/storage"
)

// The addresses, below the issuer's path.
const (
	Path          = route.ConsolePath
	UsersPath     = Path + "/users"
	UserPath      = Path + "/user"
	ClientsPath   = Path + "/clients"
	ClientPath    = Path + "/client"
	NewClientPath = Path + "/new-client"
	WebhooksPath  = Path + "/webhooks"
	WebhookPath   = Path + "/webhook"
	LettersPath   = Path + "/letters"
	LetterPath    = Path + "/letter"
	KeysPath      = Path + "/keys"
	AuditPath     = Path + "/audit"
)

// Store is what the console reads itself; it makes changes through the services.
type Store interface {
	storage.EventCounts
	storage.UserSearch
	User(ctx context.Context, id int64) (*storage.User, error)
	UserByUsername(ctx context.Context, username string) (*storage.User, error)
	ListGrants(ctx context.Context, f storage.GrantFilter) ([]*storage.LiveGrant, error)
	CountGrants(ctx context.Context, f storage.GrantFilter) (int, error)
	ListAudit(ctx context.Context, f storage.AuditFilter) ([]*storage.AuditEvent, error)
}

// Config is what the handlers work with.
type Config struct {
	Store    Store
	Sessions *session.Manager
	Users    *users.Service
	Clients  *registry.Registry
	Grants   *grants.Service
	Webhooks *webhooks.Service
	Keys     *keys.Ring
	Factors  *factors.Service
	// Letters is nil if there is no mail. Waiting returns what is known about the letters that are still to be sent.
	Letters Letters
	Waiting func(context.Context) []panel.Fact
	Pages   *web.Pages
	Paths   flow.Paths
	// Group is the group whose members may use the console.
	Group string
	// Issuer is shown with what a new client needs.
	Issuer string
	// KeySet is the path of the key set, below the issuer's.
	KeySet string
	// Health returns what is known about this server.
	Health func(context.Context) []panel.Fact
	// Replicas returns the servers on this database.
	Replicas func(context.Context) ([]replica.View, error)
}

// Letters sends letters to users, and has those that could not be delivered.
type Letters interface {
	SendPasswordLink(ctx context.Context, u *storage.User) error
	ProveAddress(ctx context.Context, u *storage.User, email, lang string) error
	UndeliveredLetters(ctx context.Context, f storage.UndeliveredLetterFilter) ([]*proof.Undelivered, error)
	Undelivered(ctx context.Context, id storage.ID) (*proof.Undelivered, error)
	SendAgain(ctx context.Context, u *proof.Undelivered) error
	Dismiss(ctx context.Context, u *proof.Undelivered) error
}

// Handlers are the routes.
type Handlers struct{ Config }

// New makes the handlers.
func New(c Config) *Handlers { return &Handlers{c} }

// Register mounts the routes.
func (h *Handlers) Register(rt *route.Router) {
	for path, p := range map[string]page{
		Path:          {h.overview, nil},
		UsersPath:     {h.listUsers, nil},
		UserPath:      {h.showUser, h.changeUser},
		ClientsPath:   {h.listClients, nil},
		ClientPath:    {h.showClient, h.changeClient},
		NewClientPath: {h.newClient, h.addClient},
		WebhooksPath:  {h.listWebhooks, h.addWebhook},
		WebhookPath:   {h.showWebhook, h.changeWebhook},
		LettersPath:   {h.listLetters, nil},
		LetterPath:    {h.showLetter, h.changeLetter},
		KeysPath:      {h.listKeys, h.changeKeys},
		AuditPath:     {h.listAudit, nil},
	} {
		methods := []string{http.MethodGet}
		if p.change != nil {
			methods = append(methods, http.MethodPost)
		}
		rt.Page(path, h.operator(path, p), h.Pages.RenderError, route.Methods(methods...))
	}
}

// page is what an address shows, and what its forms do; nil where there are none.
type page struct {
	show   show
	change change
}

// show returns a page for a query.
type show func(ctx context.Context, query url.Values) (*panel.Page, error)

// change does what a form says. It returns the page that shows the outcome, or the path that does.
type change func(ctx context.Context, form url.Values) (*panel.Page, string, error)

// operator passes the requests of operators to a page, and leads others to the login.
func (h *Handlers) operator(path string, p page) route.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		session, err := h.Sessions.Find(r, "")
		if err != nil {
			return err
		}
		query := r.URL.Query()
		if session == nil {
			return route.SeeOther(w, h.Paths.Login(h.Paths.Console(path, query)))
		}
		who, err := h.Store.User(r.Context(), session.UserID)
		if err != nil {
			return err
		}
		if !slices.Contains(who.Groups, h.Group) {
			return &route.Error{Status: http.StatusForbidden, Message: "Only people in the group of operators may use the console."}
		}
		request.From(r.Context()).Operator = who.Sub()
		var page *panel.Page
		if r.Method == http.MethodPost {
			if page, err = h.post(w, r, path, p.change, session); page == nil {
				return err
			}
		} else if page, err = p.show(r.Context(), query); err != nil {
			return err
		}
		page.Operator = who.Username
		if notice := query.Get("done"); page.Notice == "" && isNotice(notice) {
			page.Notice = "console.done." + notice
		}
		return h.Pages.Render(w, r, http.StatusOK, web.Console{Page: *page})
	}
}

// post makes a change. Without a page it has answered.
func (h *Handlers) post(w http.ResponseWriter, r *http.Request, path string, change change, session *storage.LiveBrowserSession) (*panel.Page, error) {
	form, err := route.Form(r)
	if err != nil {
		return nil, err
	}
	if !h.Sessions.Confirmed(session) {
		// The form is not kept: the operator sees the page again after the login, and decides anew.
		return nil, route.SeeOther(w, h.Paths.LoginAgain(h.Paths.Console(address(path, "id", form.Get("id")), nil)))
	}
	page, to, err := change(r.Context(), form)
	if err != nil || page != nil {
		return page, err
	}
	return nil, route.SeeOther(w, h.Paths.Base+to)
}

// isNotice reports whether a query names something that was done.
func isNotice(name string) bool {
	return slices.Contains([]string{"disabled", "enabled", "ended", "removed", "verified", "look", "factors", "letter", "dismissed", "keys", "changed"}, name)
}

// address returns a path with a query.
func address(path string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

func notFound() error {
	return &route.Error{Status: http.StatusNotFound, Message: "There is no such page."}
}

// orNotFound returns notFound for a storage.ErrNotFound, and any other error as it is.
func orNotFound(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return notFound()
	}
	return err
}

// idOf returns the ID in a parameter; the zero one if it is absent.
func idOf(text string) (id storage.ID, err error) {
	if text == "" {
		return id, nil
	}
	if id, err = storage.ParseID(text); err != nil {
		err = notFound()
	}
	return id, err
}

// malformed is the answer to a form that no page of the console has.
func malformed() error {
	return &route.Error{Status: http.StatusBadRequest, Message: "The form is malformed."}
}

// words returns a list as text.
func words(list []string) panel.Cell { return panel.Text(strings.Join(list, ", ")) }
