package server

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
)

// allowOrigin reports whether pages of an origin may read responses of this server (CORS).
func (s *Server) allowOrigin(ctx context.Context, origin string) bool {
	return slices.Contains(s.cfg.CORSOrigins, origin) ||
		s.cfg.AllowLoopbackOrigins && isLoopbackOrigin(origin) ||
		s.registry.HasOrigin(ctx, origin)
}

// isLoopbackOrigin: http on this machine, any port (RFC 8252 §7.3 and §8.3).
func isLoopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	host := u.Hostname()
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
