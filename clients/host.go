package clients

import (
	"net/netip"
	"strconv"
	"strings"
)

// cutLoopback splits an http URI on a loopback host into that host and what follows its port. It works on the text, so that
// a parser's normalisation makes no two URIs equal.
func cutLoopback(uri string) (host, rest string, ok bool) {
	after, ok := strings.CutPrefix(uri, "http://")
	if !ok {
		return "", "", false
	}
	for _, host := range [...]string{"127.0.0.1", "[::1]", "localhost"} {
		rest, ok := strings.CutPrefix(after, host)
		if !ok {
			continue
		}
		if port, isPort := strings.CutPrefix(rest, ":"); isPort {
			end := strings.IndexAny(port, "/?#")
			if end < 0 {
				end = len(port)
			}
			if !validPort(port[:end]) {
				return "", "", false
			}
			rest = port[end:]
		}
		// Anything else after the host belongs to the authority: localhost.example.com, localhost@example.com.
		if rest != "" && !strings.ContainsAny(rest[:1], "/?") {
			return "", "", false
		}
		return host, rest, true
	}
	return "", "", false
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0'
}

// privateHost reports whether a host is one of a private network: an address of RFC 1918 or RFC 4193, a name under internal (ICANN
// 2024-07-29) or local (RFC 6762), or a name without a dot. Names are in lower case and begin with a letter, so that no browser
// takes one for an address.
func privateHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsPrivate() && a.Zone() == "" && !a.Is4In6()
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	switch {
	case last == "" || last[0] < 'a' || last[0] > 'z' || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "":
		return false
	case last == host:
		return host != "localhost"
	}
	return last == "internal" || last == "local"
}

// IsLoopbackURI reports whether a URI is an http one on a loopback host.
func IsLoopbackURI(uri string) bool {
	_, _, ok := cutLoopback(uri)
	return ok
}

// isLoopbackHost reports whether a host is the user's own computer, by RFC 6761 §6.3 and by its address.
func isLoopbackHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.Unmap().IsLoopback() || addr.IsUnspecified())
}
