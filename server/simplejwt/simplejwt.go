package simplejwt

import (
	"net/http"
	"net/url"
	"time"

	"latchkey/server/route"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/simplejwt/drf"
)

// The addresses, as the original's documents have them.
const (
	ObtainPath    = "/api/token/"
	RefreshPath   = "/api/token/refresh/"
	VerifyPath    = "/api/token/verify/"
	BlacklistPath = "/api/token/blacklist/"
)

// realm is that of the WWW-Authenticate header.
const realm = "api"

// Config is the configuration of the handlers.
type Config struct {
	Tokens Tokens
	// Compat selects the words, where releases of simplejwt differ.
	Compat codec.Compat
	// UpdateLastLogin lets a login here set the user's last login (UPDATE_LAST_LOGIN).
	UpdateLastLogin bool
	// Sliding serves sliding tokens too.
	Sliding bool
	// Cookie keeps the refresh token out of the bodies.
	Cookie RefreshCookie
	// Sunset is announced as the time at which the routes go away; zero = nothing is announced.
	Sunset time.Time
}

// Handlers are the routes.
type Handlers struct {
	tokens        Tokens
	compat        codec.Compat
	keepLastLogin bool
	sliding       bool
	cookie        *cookie // nil: tokens travel in the bodies
	sunset        time.Time
}

// New makes the handlers.
func New(c Config) *Handlers {
	return &Handlers{
		tokens: c.Tokens, compat: c.Compat, keepLastLogin: !c.UpdateLastLogin, sliding: c.Sliding,
		cookie: newCookie(c.Cookie), sunset: c.Sunset,
	}
}

// Register mounts the routes, and Django's page for whatever else is asked for below /api/.
func (h *Handlers) Register(rt *route.Router) {
	for path, view := range h.withSliding(map[string]*drf.View{
		ObtainPath: h.obtain(nil), RefreshPath: h.refresh(nil), VerifyPath: h.verify(), BlacklistPath: h.blacklist(nil),
	}) {
		options := []route.Option{route.CORS(http.MethodPost), route.Unvaried()}
		handle := view.Handle
		if inCookie := h.inCookie(path); inCookie != nil {
			handle, options = inCookie, append(options, route.Credentials(h.cookie.origins...))
		}
		handle = h.announced(handle)
		rt.API(path, handle, h.RenderError, options...)
		rt.API(path[:len(path)-1], withoutSlash(handle), h.RenderError, options...)
	}
	rt.API("/api/{rest:.*}", notFound, h.RenderError)
}

// announced adds the date on which the routes are removed (RFC 8594 §3) to every response, refusals included, so that clients
// learn in advance that the password grant ends.
func (h *Handlers) announced(handle route.Handler) route.Handler {
	if h.sunset.IsZero() {
		return handle
	}
	date := h.sunset.UTC().Format(http.TimeFormat)
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Sunset", date)
		return handle(w, r)
	}
}

// withoutSlash serves a POST to the address without its slash at the end. Django answers 301 there, whereupon most
// clients repeat the request with GET and without its body, so that no client can rely on it. Other methods get the redirect.
func withoutSlash(handle route.Handler) route.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method == http.MethodPost {
			return handle(w, r)
		}
		location := requestPath(r) + "/"
		if r.URL.RawQuery != "" {
			location += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", location)
		drf.WritePage(w, http.StatusMovedPermanently, "")
		return nil
	}
}

// requestPath is the path as the client named it, that of the issuer before it.
func requestPath(r *http.Request) string {
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil {
		return u.Path
	}
	return r.URL.Path
}

func notFound(w http.ResponseWriter, _ *http.Request) error {
	drf.WritePage(w, http.StatusNotFound, drf.NotFoundPage)
	return nil
}
