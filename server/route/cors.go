package route

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

type corsMode int

const (
	corsNone      corsMode = iota
	corsAllowed            // the origins that Config.AllowOrigin allows
	corsAnyOrigin          // every origin except "null"; the answer names it
	corsPublic             // "*"
)

// corsPolicy says which pages of other origins may read the answers of a route.
type corsPolicy struct {
	mode    corsMode
	methods string // the Access-Control-Allow-Methods of a preflight
	// credentialed are the origins whose pages may send cookies.
	credentialed []string
	unvaried     bool
}

const (
	// corsMaxAge is how long a browser may keep the answer to a preflight, in seconds: removing an
	// allowed origin still takes effect at once, since the answer to the actual request lacks the header then.
	corsMaxAge = "600"
	// corsHeaders are the headers that clients of these routes send. Others that a preflight asks for are allowed too.
	corsHeaders = "Authorization, Content-Type, Accept, X-Requested-With, DPoP"
	corsExpose  = "Retry-After, WWW-Authenticate, DPoP-Nonce, X-Request-Id, X-Latchkey-Reason"
)

// varyOrigin is what Vary is where the answer depends on the origin.
var varyOrigin = []string{"Origin"}

// isPreflight reports whether a request is a CORS-preflight request (Fetch §3.2.2).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// allowedOrigin returns the value of Access-Control-Allow-Origin; empty means that the page may not read the answer. known is
// Config.AllowOrigin.
func (c *corsPolicy) allowedOrigin(r *http.Request, known func(context.Context, string) bool) string {
	switch c.mode {
	case corsPublic:
		return "*"
	case corsAllowed, corsAnyOrigin:
		origins := r.Header.Values("Origin")
		if isOrigin(origins) && (c.mode == corsAnyOrigin || known(r.Context(), origins[0])) {
			return origins[0]
		}
	}
	return ""
}

// isOrigin reports whether the Origin header names one origin. "null" does not: all sandboxed frames and local files send it.
func isOrigin(header []string) bool {
	return len(header) == 1 && header[0] != "" && header[0] != "null"
}

// setHeaders sets the CORS headers of an answer.
func (c *corsPolicy) setHeaders(h http.Header, origin string) {
	if (c.mode == corsAllowed || c.mode == corsAnyOrigin) && !c.unvaried {
		h["Vary"] = varyOrigin // also when it is absent or refused: a cache must not give this answer to another origin
	}
	if origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		if c.mode != corsPublic { // a document has none of them that a page would need
			h.Set("Access-Control-Expose-Headers", corsExpose)
		}
		// Fetch §3.2.3: only together with a named origin, never with "*".
		if c.mode == corsAllowed && slices.Contains(c.credentialed, origin) {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
	}
}

// preflight answers for the handler. An origin that is not allowed gets the same answer without the permission.
func (c *corsPolicy) preflight(w http.ResponseWriter, r *http.Request, origin string) {
	h := w.Header()
	h.Del("Access-Control-Expose-Headers") // means nothing here
	if origin != "" {
		h.Add("Vary", "Access-Control-Request-Method")
		h.Add("Vary", "Access-Control-Request-Headers")
		h.Set("Access-Control-Allow-Methods", c.methods)
		h.Set("Access-Control-Allow-Headers", allowHeaders(r.Header.Get("Access-Control-Request-Headers")))
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
	w.WriteHeader(http.StatusNoContent)
}

// allowHeaders returns corsHeaders and the headers that a preflight asks for: libraries and tracing agents add headers of their own.
// Allowing them all is safe, since the browser sends credentials only for pages of the origins of [Credentials].
func allowHeaders(asked string) string {
	const most = 1024
	list := corsHeaders
	if len(asked) > most {
		return list
	}
	for name := range strings.SplitSeq(asked, ",") {
		name = strings.TrimSpace(name)
		if isToken(name) && !containsFold(list, name) {
			list += ", " + name
		}
	}
	return list
}

func containsFold(list, name string) bool {
	return slices.ContainsFunc(strings.Split(list, ", "), func(have string) bool { return strings.EqualFold(have, name) })
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// isToken reports whether a string has only letters, digits, hyphens and underscores, as names of headers and parameters do.
func isToken(s string) bool { return s != "" && strings.Trim(s, alphanumeric+"-_") == "" }
