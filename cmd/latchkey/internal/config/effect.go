package config

import (
	"net"
	"net/netip"
	"slices"
)

// validateEffects refuses settings that have no effect without another one, and listeners that exclude each other.
func (s *Settings) validateEffects(names []string, fault func(name, problem, remedy string)) {
	if s.UsersFrom != "django" && s.UsersFrom != "" {
		for _, option := range []struct{ name, value string }{{"django-users", s.DjangoUsers}, {"account-url", s.Server.AccountURL}} {
			if option.value != "" {
				fault(option.name, "has no effect without --users-from django", "Set --users-from (LATCHKEY_USERS_FROM) to django, or leave it out.")
			}
		}
	}
	if jwt := &s.Server.SimpleJWT; jwt.HookKey != "" && jwt.HookURL == "" {
		fault("django-hook-key", "has no effect without --django-hook", "Set --django-hook (LATCHKEY_DJANGO_HOOK), or leave it out.")
	}
	if s.Server.Console && s.Server.AdminGroup == "" {
		fault("console", "is on, and no person may use it without --admin-group", "Set --admin-group (LATCHKEY_ADMIN_GROUP) to the group of the operators.")
	}
	if slices.Contains(names, "listen") && sameListener(s.Server.Listen, s.Server.AdminListen) {
		fault("admin-listen", "is the address of --listen (LATCHKEY_LISTEN)", "Use another port for one of them.")
	}
}

// sameListener reports whether two addresses can't be listened at together.
func sameListener(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && portA == portB && portA != "0" && (hostA == hostB || covers(hostA, hostB) || covers(hostB, hostA))
}

// covers reports whether a is all addresses of this machine, among them b.
func covers(a, b string) bool {
	all, err := netip.ParseAddr(a)
	if a == "" || err == nil && all == netip.IPv6Unspecified() {
		return true
	}
	one, notAddress := netip.ParseAddr(b)
	return err == nil && all == netip.IPv4Unspecified() && (notAddress != nil || one.Is4())
}
