package scim

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"latchkey/clients"
	"latchkey/server/bearer"
	"latchkey/server/clientauth"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/form"
	"latchkey/server/operator"
	"latchkey/server/route"
	"latchkey/server/token"
	"latchkey/server/users"
	"latchkey/storage"
)

// Prefix is the path below which SCIM lies.
const Prefix = "/scim/v2"

// Scope opens SCIM and nothing else: what a directory holds for years must not open the API for operators too.
const Scope = clients.ScopeSCIM

// scopeUsersWrite is the scope of the API for operators that may change operators.
const scopeUsersWrite = "latchkey:users:write"

// maxBody is enough for the members of a large group.
const maxBody = 2 << 20

// Store is what SCIM needs of storage itself; it changes users through their service.
type Store interface {
	storage.Provisioning
	audit.Store
	User(ctx context.Context, id int64) (*storage.User, error)
	SearchUsers(ctx context.Context, f storage.UserFilter) ([]*storage.User, error)
}

// Config is the configuration of SCIM.
type Config struct {
	Issuer string
	Store  Store
	Gate   operator.Gate
	// Clients authenticates clients that send their secret with each request.
	Clients *clientauth.Authenticator
	Users   *users.Service
	Audit   *audit.Log
	Now     func() time.Time
	// Public says that SCIM is below the issuer.
	Public bool
	// Router is the configuration of its routes.
	Router route.Config
}

// API serves SCIM. Its routes are made at the first request.
type API struct {
	Config
	once   sync.Once
	router http.Handler
}

// New returns the API.
func New(cfg Config) *API { return &API{Config: cfg} }

// ServeHTTP answers requests below Prefix.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.once.Do(a.build)
	a.router.ServeHTTP(w, r)
}

func (a *API) build() {
	cfg := a.Router
	cfg.NotFound, cfg.NotFoundPage, cfg.EncodedPath, cfg.MaxBody = render, nil, true, maxBody
	rt := route.New(cfg)
	get, post := http.MethodGet, http.MethodPost
	for path, handle := range map[string]route.Handler{
		"/ServiceProviderConfig": a.serviceProviderConfig, "/Schemas": a.schemas, "/Schemas/{id}": a.oneSchema,
		"/ResourceTypes": a.resourceTypes, "/ResourceTypes/{id}": a.oneResourceType,
	} {
		rt.API(Prefix+path, handle, render, route.Methods(get))
	}
	type methods = map[string]handler
	for path, by := range map[string]methods{
		"/Users":          {get: a.listUsers, post: a.createUser},
		"/Users/.search":  {post: posted(a.listUsers)},
		"/Groups":         {get: a.listGroups, post: a.createGroup},
		"/Groups/.search": {post: posted(a.listGroups)},
		"/Bulk":           {post: unsupported("bulk")},
		"/.search":        {post: unsupported("a search of all types: search /Users or /Groups")},
		"/Me":             {get: unsupported("/Me"), post: unsupported("/Me"), "PUT": unsupported("/Me"), "PATCH": unsupported("/Me"), "DELETE": unsupported("/Me")},
	} {
		rt.API(Prefix+path, a.serve(by), render, allowed(by))
	}
	for path, by := range map[string]methods{
		"/Users/{id}":  {get: a.getUser, "PUT": a.changeUser, "PATCH": a.changeUser, "DELETE": a.deleteUser},
		"/Groups/{id}": {get: a.getGroup, "PUT": a.changeGroup, "PATCH": a.changeGroup, "DELETE": a.deleteGroup},
	} {
		rt.API(Prefix+path, a.serve(by), render, allowed(by))
	}
	a.router = rt
}

func allowed(by map[string]handler) route.Option {
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	return route.Methods(slices.DeleteFunc(methods, func(m string) bool { return by[m] == nil })...)
}

// handler answers a request of a client that may make it.
type handler func(w http.ResponseWriter, q *query) error

// posted makes a list one whose parameters are in the body.
func posted(list handler) handler {
	return func(w http.ResponseWriter, q *query) error {
		if err := q.readSearch(); err != nil {
			return err
		}
		return list(w, q)
	}
}

// query is a request that was let in.
type query struct {
	*http.Request
	access *token.Access
	// params are those of the address, each once.
	params url.Values
	// base is the URI of SCIM, as the client knows it.
	base string
}

func (q *query) ctx() context.Context { return q.Context() }

// serve lets the caller in first: only who may make a request learns what is wrong with it.
func (a *API) serve(by map[string]handler) route.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		access, err := a.admit(w, r)
		if err != nil {
			return err
		}
		if err := a.here(); err != nil {
			return err
		}
		params, err := parameters(r)
		if err != nil {
			return err
		}
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		return by[method](w, &query{Request: r, access: access, params: params, base: a.base(r)})
	}
}

// here returns an error if the users are kept elsewhere.
func (a *API) here() error {
	if _, err := a.Users.Prepare(users.NewUser{Username: "x"}); errors.Is(err, storage.ErrElsewhere) {
		return err
	}
	return nil
}

// admit lets in who has an access token for the API for operators with the scope of SCIM, and clients that send their id and their secret
// by HTTP Basic with each request: what they would send for a token, to the same server.
func (a *API) admit(w http.ResponseWriter, r *http.Request) (*token.Access, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 || len(headers[0]) < 6 || !strings.EqualFold(headers[0][:6], "basic ") {
		return a.Gate.Admit(w, r, Scope)
	}
	cred, err := clientauth.FromRequest(r.Header, nil)
	if err != nil {
		return nil, err
	}
	client, err := a.Clients.AuthenticateConfidential(r.Context(), cred)
	if err != nil {
		return nil, err
	}
	// A client whose tokens are bound to a key has said that a secret alone is not enough.
	if client.Disabled || !client.MayAdminister() || !client.Allows(clients.GrantClientCredentials) || client.DPoPBoundAccessTokens || client.FAPI2() {
		return nil, bearer.InsufficientScope("The client may not use SCIM by HTTP Basic: it needs the grant type client_credentials, the scope " + Scope + ", and tokens that are not bound to a key.")
	}
	access := &token.Access{Client: client, Scope: client.Scopes()}
	return access, a.Gate.Check(r, access, Scope)
}

// base returns the URI of SCIM: below the issuer, or at the address of the listener that the client has named.
func (a *API) base(r *http.Request) string {
	switch {
	case a.Public:
		return a.Issuer + Prefix
	case r.Host == "":
		return Prefix
	case r.TLS != nil:
		return "https://" + r.Host + Prefix
	}
	return "http://" + r.Host + Prefix
}

// parameters returns those of the address.
func parameters(r *http.Request) (url.Values, error) {
	params, err := form.Parse(r.URL.RawQuery)
	if err != nil {
		return nil, bad(invalidValue, "The query: %s", err.Error())
	}
	for name, values := range params {
		if len(values) > 1 {
			return nil, bad(invalidValue, "The parameter %s is there more than once.", quoted(name))
		}
	}
	return params, nil
}

// unsupported refuses with 501 what is optional and what ServiceProviderConfig says is not offered (RFC 7644 §3.11 for /Me, §3.12).
func unsupported(what string) handler {
	return func(http.ResponseWriter, *query) error {
		return refusal(http.StatusNotImplemented, "This server does not support %s.", what)
	}
}

// now returns the present time with the precision of the database.
func (a *API) now() time.Time { return a.Now().UTC().Truncate(time.Microsecond) }

// protects reports whether a group is that of the operators, and the access may not change who is one, nor what they log in with.
func (a *API) protects(q *query, groups ...string) bool {
	return a.Gate.Group != "" && !slices.Contains(q.access.Scope, scopeUsersWrite) && slices.Contains(groups, a.Gate.Group)
}

func errProtected() error {
	return refusal(http.StatusForbidden, "The group of the operators (--admin-group), and the userName, the address and the password of its members, "+
		"are not changed by SCIM, unless the access token has the scope %s too.", scopeUsersWrite)
}
