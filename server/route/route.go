package route

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

// Router dispatches each request to the route with exactly its path. It does not clean paths. A superfluous slash at the end is redirected
// for pages and ignored for public documents; the routes for programs have one address, so that a proxy's rules for it hold.
type Router struct {
	mux *mux.Router
	// fixed finds the routes without variables. It is a shortcut: mux matches one regular expression after the other until it
	// comes to the route, and copies the request.
	fixed map[string]*endpoint
	shared
}

// New returns a Router without routes.
func New(cfg Config) *Router {
	if cfg.AllowOrigin == nil {
		cfg.AllowOrigin = func(context.Context, string) bool { return false }
	}
	if cfg.Available == nil {
		cfg.Available = func() error { return nil }
	}
	if cfg.NotFound == nil {
		cfg.NotFound = renderNotFound
	}
	cfg.MaxBody = cmp.Or(cfg.MaxBody, DefaultMaxBody)
	rt := &Router{
		mux: mux.NewRouter().SkipClean(true), fixed: map[string]*endpoint{},
		shared: shared{cfg: cfg, crossOrigin: crossOriginProtection(cfg.Origin)},
	}
	if cfg.EncodedPath {
		rt.mux.UseEncodedPath()
	}
	for _, p := range cfg.TrustedProxies {
		rt.proxies = append(rt.proxies, unmapPrefix(p))
	}
	rt.mux.NotFoundHandler = rt.endpoint(Unmatched, classAPI, notFound, orPage(cfg.NotFound, cfg.NotFoundPage), nil)
	return rt
}

func (rt *Router) endpoint(template string, c class, h Handler, render Renderer, opts []Option) *endpoint {
	e := &endpoint{
		shared: &rt.shared, template: template, class: c, handle: h, render: render,
		cors: corsPolicy{credentialed: rt.cfg.CredentialOrigins}, maxBody: rt.cfg.MaxBody, duration: rt.cfg.Metrics.Duration.WithLabelValues(template),
	}
	for _, opt := range opts {
		opt(e)
	}
	if e.withoutHead {
		e.methods = slices.DeleteFunc(e.methods, func(method string) bool { return method == http.MethodHead })
	}
	if c == classPublic {
		e.cors.mode = corsPublic
	}
	if e.cors.methods == "" {
		e.cors.methods = strings.Join(e.methods, ", ")
	}
	return e
}

// ServeHTTP dispatches to the route of the request's path.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e := rt.fixed[r.URL.Path]; e != nil {
		e.ServeHTTP(w, r)
		return
	}
	rt.mux.ServeHTTP(w, r)
}

func (rt *Router) handle(path string, e *endpoint) {
	rt.mux.Handle(path, e)
	if !strings.Contains(path, "{") && rt.fixed[path] == nil { // the first of two counts, as in mux
		rt.fixed[path] = e
	}
}

// API registers a route for programs: no cookies (except with [Credentials]), never cached, body capped. path may have
// {variables}.
func (rt *Router) API(path string, h Handler, render Renderer, opts ...Option) {
	rt.handle(path, rt.endpoint(path, classAPI, h, render, opts))
}

// Public registers a route whose answers are the same for all clients. Any origin may read them, and the handler decides whether
// they may be cached. Errors are never cached.
func (rt *Router) Public(path string, h Handler, render Renderer, opts ...Option) {
	e := rt.endpoint(path, classPublic, h, render, opts)
	rt.handle(path, e)
	if !strings.HasSuffix(path, "/") && !strings.HasSuffix(path, "}") {
		rt.handle(path+"/", e)
	}
}

// Page registers a route for browsers. Its answers are not cached, other sites may not frame it, and unsafe requests from pages of
// other sites are refused with 403 (except with [AllowCrossSite]).
func (rt *Router) Page(path string, h Handler, render Renderer, opts ...Option) {
	rt.handle(path, rt.endpoint(path, classPage, h, render, opts))
	if !strings.HasSuffix(path, "/") {
		rt.handle(path+"/", rt.endpoint(path, classPage, withoutSlash(path), render, opts))
	}
}

// Var returns a variable of the route's path.
func Var(r *http.Request, name string) string { return mux.Vars(r)[name] }

// Option changes one route.
type Option func(*endpoint)

// Methods makes the class answer all other methods with 405 and Allow (RFC 9110 §15.5.6). GET includes HEAD, except with [WithoutHead].
// Without this option every method reaches the handler.
func Methods(methods ...string) Option {
	return func(e *endpoint) {
		e.methods = slices.Clone(methods)
		if slices.Contains(methods, http.MethodGet) && !slices.Contains(methods, http.MethodHead) {
			e.methods = append(e.methods, http.MethodHead)
		}
	}
}

// WithoutHead excludes HEAD from [Methods], for a protocol whose GET requests have effects. A HEAD request is expected to have none
// (RFC 9110 §9.2.1); scanners of links send it.
func WithoutHead() Option { return func(e *endpoint) { e.withoutHead = true } }

// CORS lets pages of the allowed origins read the answers, without credentials. The class answers preflights and adds the headers,
// also to errors. methods is the list in the answer to a preflight; none means those of Methods. The handler gets OPTIONS requests that
// are not preflights.
func CORS(methods ...string) Option {
	return func(e *endpoint) {
		e.cors.mode = corsAllowed
		e.cors.methods = strings.Join(methods, ", ")
	}
}

// CORSAnyOrigin is CORS for every origin except "null", for routes that clients call before they are registered. It is safe since the
// browser sends no credentials.
func CORSAnyOrigin(methods ...string) Option {
	return func(e *endpoint) {
		e.cors.mode = corsAnyOrigin
		e.cors.methods = strings.Join(methods, ", ")
	}
}

// Credentials lets pages of the given origins, if [CORS] allows these too, send requests with cookies and read the answers. The
// handler must check the origin of such requests itself, since a browser sends requests even if the page may not read the answer.
func Credentials(origins ...string) Option {
	return func(e *endpoint) { e.cors.credentialed = slices.Clone(origins) }
}

// Unvaried omits Vary: Origin from the answers of a route with CORS, for a protocol that has no Vary. No cache needs it for answers
// that must not be stored.
func Unvaried() Option { return func(e *endpoint) { e.cors.unvaried = true } }

// AllowCrossSite disables the check against cross-site request forgery of [Router.Page], for protocol requests that applications may
// send as a form (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2). The handler must treat a POST like a GET, unless it contains
// a ticket of the browser session, which only pages of this server have.
func AllowCrossSite() Option { return func(e *endpoint) { e.allowCrossSite = true } }
