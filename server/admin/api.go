package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"latchkey/clients/registry"
	"latchkey/server/dpop"
	"latchkey/server/factors"
	"latchkey/server/grants"
	"latchkey/server/keys"
	"latchkey/server/proof"
	"latchkey/server/route"
	"latchkey/server/token"
	"latchkey/server/users"
	"latchkey/server/webhooks"
	"latchkey/storage"
)

// Prefix is the path below which the API lies.
const Prefix = "/admin/v1"

// OpenAPIPath is where the OpenAPI document is.
const OpenAPIPath = Prefix + "/openapi.json"

// Resource returns the resource identifier (RFC 8707) of the API: the audience that access tokens for it have.
func Resource(issuer string) string { return issuer + Prefix }

// Store is what the API needs of storage itself; it makes changes through the services.
type Store interface {
	storage.IdempotencyKeys
	storage.UserSearch
	User(ctx context.Context, id int64) (*storage.User, error)
	Client(ctx context.Context, id string) (*storage.Client, error)
	ListResources(ctx context.Context) ([]*storage.Resource, error)
	SearchConsents(ctx context.Context, f storage.ConsentFilter) ([]*storage.Consent, error)
	ListAudit(ctx context.Context, f storage.AuditFilter) ([]*storage.AuditEvent, error)
}

// Letters sends letters to users, and has those that could not be delivered.
type Letters interface {
	SendPasswordLink(ctx context.Context, u *storage.User) error
	UndeliveredLetters(ctx context.Context, f storage.UndeliveredLetterFilter) ([]*proof.Undelivered, error)
	Undelivered(ctx context.Context, id storage.ID) (*proof.Undelivered, error)
	SendAgain(ctx context.Context, u *proof.Undelivered) error
	Dismiss(ctx context.Context, u *proof.Undelivered) error
}

// Invitations makes and withdraws invitations.
type Invitations interface {
	CheckInvitation(in proof.Invitation) error
	Invite(ctx context.Context, in proof.Invitation) (*proof.Invited, error)
	Invitations(ctx context.Context, after storage.ID, limit int) ([]*proof.Invited, error)
	FindInvitation(ctx context.Context, id storage.ID) (*proof.Invited, error)
	Uninvite(ctx context.Context, id storage.ID) error
}

// Config is the configuration of the API.
type Config struct {
	Issuer string
	Store  Store
	Tokens *token.Service
	Proofs *dpop.Checker
	// Users makes changes; DryUsers checks them over [dryrun.Changes] and makes none.
	Users, DryUsers *users.Service
	// Clients and DryClients are the same for clients, protected resources and initial access tokens.
	Clients, DryClients *registry.Registry
	Grants              *grants.Service
	Keys                *keys.Ring
	Webhooks            *webhooks.Service
	// Factors says whether a user has a second factor.
	Factors *factors.Service
	// Letters is nil if there is no mail.
	Letters Letters
	// Invitations is nil where the users are kept elsewhere. SignUp says that an invitation leads somewhere.
	Invitations Invitations
	SignUp      bool
	// Group is the group whose members may use the API; empty = only clients of client_credentials may.
	Group string
	// CursorKeys make the MACs of cursors, the first, and verify them.
	CursorKeys [][]byte
	// IdempotencyKey keys the hashes of idempotency keys.
	IdempotencyKey []byte
	Now            func() time.Time
	// Public says that the API is below the issuer, for its description.
	Public bool
	// Router is the configuration of its routes.
	Router route.Config
	// Stopping is done when the server shuts down: streams of events end then.
	Stopping <-chan struct{}
}

// API is the API for operators. Its routes and its description are made at the first request: most servers never get one, and they
// are what it costs in memory and time.
type API struct {
	Config
	once     sync.Once
	router   http.Handler
	document []byte
	huma     huma.API
	// streams has an element for each stream of events.
	streams chan struct{}
}

// maxStreams bounds how many streams of events one server has: each reads the audit trail once a second.
const maxStreams = 50

// New returns the API.
func New(cfg Config) *API { return &API{Config: cfg, streams: make(chan struct{}, maxStreams)} }

// ServeHTTP answers requests below Prefix.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.once.Do(a.build)
	a.router.ServeHTTP(w, r)
}

// build makes the routes.
func (a *API) build() {
	exactNames()
	operations := &adapter{Handler: a, authorize: a.authorize, paths: map[string]map[string]*operation{}}
	a.huma = huma.NewAPI(a.description(), operations)
	a.userRoutes()
	a.factorRoutes()
	a.invitationRoutes()
	a.sessionRoutes()
	a.consentRoutes()
	a.clientRoutes()
	a.resourceRoutes()
	a.registrationTokenRoutes()
	a.keyRoutes()
	a.auditRoutes()
	a.eventRoutes()
	a.webhookRoutes()
	a.letterRoutes()
	a.completeSchemas()
	document, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		panic(err) // the declarations are wrong
	}
	a.document = document

	cfg := a.Router
	cfg.NotFound, cfg.NotFoundPage, cfg.EncodedPath = render, nil, true
	rt := route.New(cfg)
	rt.Public(OpenAPIPath, a.openAPI, render, route.Methods(http.MethodGet))
	operations.mount(rt)
	a.router = rt
}

func (a *API) openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	w.Header().Set("Cache-Control", "no-cache")
	_, err := w.Write(a.document)
	return err
}

// now returns the present time with the precision of the database.
func (a *API) now() time.Time { return a.Now().UTC().Truncate(time.Microsecond) }

// users returns the service that makes changes, or that only checks them.
func (a *API) users(dry bool) *users.Service {
	if dry {
		return a.DryUsers
	}
	return a.Users
}

// register declares an operation. The handler's error becomes a problem.
func register[I, O any](a *API, op huma.Operation, handle func(ctx context.Context, in *I) (*O, error)) {
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, problem(ctx, err)
		}
		return out, nil
	})
}
