package route

import (
	"fmt"
	"net/http"
	"strings"
)

// contentSecurityPolicy is the default policy of answers: they may not load, run, frame or send anything.
const contentSecurityPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// setPageHeaders sets the headers of pages. Pages depend on the cookie and on Accept-Language, but with no-store they need no Vary.
func setPageHeaders(h http.Header, r *http.Request) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY") // for browsers that don't know frame-ancestors
	h.Set("Referrer-Policy", "no-referrer")
	if namesNoSite(r) {
		// With no-referrer these browsers send "Origin: null" even for forms of this server (Fetch §3.2.2), so checkOrigin would
		// refuse every login. same-origin sends just as little to other sites.
		h.Set("Referrer-Policy", "same-origin")
	}
}

// namesNoSite reports whether a request is from a browser that does not send Sec-Fetch-Site (Safari before 16.4).
func namesNoSite(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "" && strings.HasPrefix(r.UserAgent(), "Mozilla/")
}

// crossOriginProtection returns a check that accepts the server's own origin and that of the request's host.
func crossOriginProtection(origin string) *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	if origin != "" {
		if err := p.AddTrustedOrigin(origin); err != nil {
			panic(fmt.Sprintf("route: own origin: %v", err))
		}
	}
	return p
}
