package route

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"go.opentelemetry.io/otel/trace"

	"latchkey/server/internal/metrics"
)

// DefaultMaxBody is the body cap of a route that names no other.
const DefaultMaxBody = 64 << 10

// Unmatched is the route template under which requests that no route matches are logged and counted. Their path is
// not: a client that appends a token to a path would put it into the log.
const Unmatched = "unmatched"

// Config is what a Router is made of.
type Config struct {
	Logger  *slog.Logger
	Metrics *metrics.Metrics
	// Tracer records a span for each request; nil records none.
	Tracer trace.Tracer
	// TrustedProxies are the peers whose X-Forwarded-For, Forwarded and X-Request-Id headers count.
	TrustedProxies []netip.Prefix
	// AllowOrigin tells whether pages of a browser origin may read the answers of routes with [CORS]. It is never
	// asked about "null". nil allows none.
	AllowOrigin func(ctx context.Context, origin string) bool
	// MaxBody caps the request bodies in bytes; zero means DefaultMaxBody.
	MaxBody int64
	// Origin is the server's own, as browsers write it: its pages may send forms to the routes of [Router.Page] also where a
	// proxy rewrites the Host header. Empty: only pages of the request's host may.
	Origin string
	// HSTS adds Strict-Transport-Security (RFC 6797): for an issuer that is reached by https only.
	HSTS bool
	// NotFound renders what no route matches; nil means a JSON object in the manner of OAuth.
	NotFound Renderer
	Now      func() time.Time
}

// Router sends each request to the route whose path is exactly the request's: nothing is cleaned, redirected or
// completed by a slash.
type Router struct {
	mux     *mux.Router
	maxBody int64
	shared
}

// New makes a Router without routes.
func New(cfg Config) *Router {
	rt := &Router{mux: mux.NewRouter().SkipClean(true), maxBody: cfg.MaxBody, shared: shared{
		logger:      cfg.Logger,
		metrics:     cfg.Metrics,
		tracer:      cfg.Tracer,
		allowOrigin: cfg.AllowOrigin,
		crossOrigin: crossOriginProtection(cfg.Origin),
		hsts:        cfg.HSTS,
		now:         cfg.Now,
	}}
	for _, p := range cfg.TrustedProxies {
		rt.proxies = append(rt.proxies, unmapPrefix(p))
	}
	if rt.allowOrigin == nil {
		rt.allowOrigin = func(context.Context, string) bool { return false }
	}
	if rt.maxBody == 0 {
		rt.maxBody = DefaultMaxBody
	}
	render := cfg.NotFound
	if render == nil {
		render = renderNotFound
	}
	rt.mux.NotFoundHandler = rt.endpoint(Unmatched, classAPI, notFound, render, nil)
	return rt
}

func (rt *Router) endpoint(template string, c class, h Handler, render Renderer, opts []Option) *endpoint {
	e := &endpoint{
		shared: &rt.shared, template: template, class: c, handle: h, render: render,
		maxBody: rt.maxBody, duration: rt.metrics.Duration.WithLabelValues(template),
	}
	for _, opt := range opts {
		opt(e)
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
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) { rt.mux.ServeHTTP(w, r) }

// API registers a route for programs: no cookies (but see [Credentials]), never cached, body capped. path may hold
// {variables}.
func (rt *Router) API(path string, h Handler, render Renderer, opts ...Option) {
	rt.mux.Handle(path, rt.endpoint(path, classAPI, h, render, opts))
}

// Public registers a route whose answers are the same for everybody: any origin may read them, and they may be cached
// as their handler says. Errors are never cached.
func (rt *Router) Public(path string, h Handler, render Renderer, opts ...Option) {
	rt.mux.Handle(path, rt.endpoint(path, classPublic, h, render, opts))
}

// Page registers a route for browsers: cookies count, nothing is stored, no other site may frame it, and an unsafe request
// that a page of another site made is refused with 403 (but see [Foreign]).
func (rt *Router) Page(path string, h Handler, render Renderer, opts ...Option) {
	rt.mux.Handle(path, rt.endpoint(path, classPage, h, render, opts))
}

// Var gives a variable of the route's path.
func Var(r *http.Request, name string) string { return mux.Vars(r)[name] }

// Option changes one route.
type Option func(*endpoint)

// Methods makes the class answer every other method with 405 and Allow (RFC 9110 §15.5.6). GET brings HEAD with it.
// Without this option every method reaches the handler.
func Methods(methods ...string) Option {
	return func(e *endpoint) {
		e.methods = slices.Clone(methods)
		if slices.Contains(methods, http.MethodGet) && !slices.Contains(methods, http.MethodHead) {
			e.methods = append(e.methods, http.MethodHead)
		}
	}
}

// CORS lets pages of the allowed origins read the answers, without credentials: the class answers preflights and adds
// the headers, on errors too. The methods are those that a preflight is told; none means those of Methods.
// An OPTIONS request that is no preflight is a request like any other.
func CORS(methods ...string) Option {
	return func(e *endpoint) {
		e.cors.mode = corsAllowed
		e.cors.methods = strings.Join(methods, ", ")
	}
}

// CORSStrangers is CORS for every origin but "null": for a route that exists for those whom nobody knows yet. It gives their
// pages no more than any program has, since the browser sends no credentials.
func CORSStrangers(methods ...string) Option {
	return func(e *endpoint) {
		e.cors.mode = corsStrangers
		e.cors.methods = strings.Join(methods, ", ")
	}
}

// Credentials lets pages of the named origins, where [CORS] allows these, have the browser send its cookies along and read
// the answer. It is for a handler that takes a cookie, and that refuses it from everyone else by itself: a browser sends
// requests whose answer a page may not read all the same.
func Credentials(origins ...string) Option {
	return func(e *endpoint) { e.cors.credentialed = slices.Clone(origins) }
}

// Unvaried leaves Vary: Origin out of the answers of a route with CORS, for a protocol that has no Vary: no cache needs
// it for what must not be stored at all.
func Unvaried() Option { return func(e *endpoint) { e.cors.unvaried = true } }

// MaxBody caps the request body at n bytes instead; a negative n leaves it to the handler, which must cap it itself.
// Reading past the cap fails, and the failure, when the handler returns it, is rendered as 413.
func MaxBody(n int64) Option { return func(e *endpoint) { e.maxBody = n } }

// Foreign lets pages of other sites send unsafe requests to a page's route: for the requests of protocols that applications
// may send as a form (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2). Their handler must do no more for a POST
// than for a link, unless it brings what only a page of ours can have: a ticket of the browser session.
func Foreign() Option { return func(e *endpoint) { e.foreign = true } }
