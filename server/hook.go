package server

import (
	"fmt"
	"net/netip"
	"time"

	"latchkey/server/claims"
	"latchkey/server/internal/safehttp"
	"latchkey/server/simplejwt"
)

// hookTimeout bounds how long a login waits for the site.
const hookTimeout = 3 * time.Second

// siteHook returns the hook of the site, or nil. The operator has named its URL, so that it may be on this machine or in a private network.
func (s *Server) siteHook() simplejwt.Hook {
	c := &s.cfg.SimpleJWT
	if c.HookURL == "" {
		return nil
	}
	o := outboundConfig(&s.cfg)
	o.Timeout = hookTimeout
	for _, network := range []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7"} {
		o.Allow = append(o.Allow, netip.MustParsePrefix(network))
	}
	return &simplejwt.SiteHook{
		URL: c.HookURL, Key: c.HookKey, HTTP: safehttp.New(o), Now: s.cfg.Now,
		Allowed: func(name string) error { return SiteClaim(c, name) },
	}
}

// SiteClaim returns an error for a name that can't be a claim of the site's own.
func SiteClaim(c *SimpleJWT, name string) error {
	if name == c.UserIDClaim {
		return fmt.Errorf("%q is the claim of the user's id, which can't be replaced", name)
	}
	return claims.Rule{Claim: name, Source: "username"}.Check()
}
