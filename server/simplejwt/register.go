package simplejwt

import (
	"net/http"
	"net/url"

	"latchkey/server/route"
	"latchkey/server/simplejwt/drf"
)

// Register mounts the routes, and Django's page for whatever else is asked for below /api/.
func (h *Handlers) Register(rt *route.Router) {
	views := map[string]*drf.View{
		ObtainPath: h.obtain(nil), RefreshPath: h.refresh(nil), VerifyPath: h.verify(), BlacklistPath: h.blacklist(nil),
	}
	if h.cfg.Sliding {
		views[SlidingPath], views[SlidingRefreshPath] = h.obtainSliding(), h.refreshSliding()
	}
	for path, view := range views {
		options := []route.Option{route.CORS(http.MethodPost), route.Unvaried()}
		handle := view.Handle
		if inCookie := h.inCookie(path); inCookie != nil {
			handle, options = inCookie, append(options, route.Credentials(h.cookie.Origins...))
		}
		handle = h.announced(handle)
		rt.API(path, handle, h.RenderError, options...)
		rt.API(path[:len(path)-1], withoutSlash(handle), h.RenderError, options...)
	}
	rt.API("/api/{rest:.*}", notFound, h.RenderError)
}

// inCookie handles a path whose refresh token travels in the cookie; nil when there is no cookie, or not there.
func (h *Handlers) inCookie(path string) route.Handler {
	newView := map[string]func(*jar) *drf.View{ObtainPath: h.obtain, RefreshPath: h.refresh, BlacklistPath: h.blacklist}[path]
	if h.cookie == nil || newView == nil {
		return nil
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := h.cookie.check(r); err != nil {
			return err
		}
		return newView(h.cookie.open(w, r)).Handle(w, r)
	}
}

// announced adds the date on which the routes are removed (RFC 8594 §3) to every response, refusals included, so that clients
// learn in advance that the password grant ends.
func (h *Handlers) announced(handle route.Handler) route.Handler {
	if h.cfg.Sunset.IsZero() {
		return handle
	}
	date := h.cfg.Sunset.UTC().Format(http.TimeFormat)
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
