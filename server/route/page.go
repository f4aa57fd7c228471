package route

import (
	"fmt"
	"net/http"
	"strings"
)

// contentSecurityPolicy is that of every answer that says no other: it may load, run, frame and send nothing.
const contentSecurityPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// setPageHeaders sets what pages carry besides what every answer does. What a page shows depends on the cookie and on
// Accept-Language; no-store says enough, so there is no Vary.
func setPageHeaders(h http.Header, r *http.Request) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY") // for browsers that don't know frame-ancestors
	if namesNoSite(r) {
		// Under no-referrer the Origin of a form's request is "null" even where the form is ours (Fetch §3.2.2), and that is all
		// such a browser says: checkOrigin would refuse every login. This one tells other sites just as little.
		h.Set("Referrer-Policy", "same-origin")
	}
}

// namesNoSite: a browser that does not say by Sec-Fetch-Site where its requests come from (Safari before 16.4).
func namesNoSite(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "" && strings.HasPrefix(r.UserAgent(), "Mozilla/")
}

// crossOriginProtection trusts the server's own origin besides that of the request's host.
func crossOriginProtection(origin string) *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	if origin != "" {
		if err := p.AddTrustedOrigin(origin); err != nil {
			panic(fmt.Sprintf("route: own origin: %v", err))
		}
	}
	return p
}
