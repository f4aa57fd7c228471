package route

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"latchkey/server/internal/request"
)

// proxies are the networks of the trusted proxies.
type proxies []netip.Prefix

// info returns what other packages read of the request by request.From.
func (p proxies) info(r *http.Request) *request.Info {
	peer := peerAddress(r)
	info := &request.Info{Address: peer, UserAgent: userAgent(r), Languages: languages(r), Event: new(request.Event)}
	if p.trusted(peer) {
		info.Address = p.clientAddress(peer, r.Header)
		if id := r.Header.Get("X-Request-Id"); saneRequestID(id) {
			info.ID = id
		}
	}
	if info.ID == "" {
		info.ID = rand.Text()
	}
	return info
}

// saneRequestID reports whether a request id is short and has only characters that are safe in logs, headers and databases.
func saneRequestID(id string) bool {
	const most = 128
	return id != "" && len(id) <= most && strings.Trim(id, alphanumeric+"-_.:/+=") == ""
}

// userAgent returns the User-Agent as text that every database accepts, since it is stored with sessions.
func userAgent(r *http.Request) string {
	const most = 256
	s := r.UserAgent()
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}

// languages returns the Accept-Language; nothing of one that is longer than any that a browser sends.
func languages(r *http.Request) string {
	const most = 200
	s := r.Header.Get("Accept-Language")
	if len(s) > most {
		return ""
	}
	return s
}

func peerAddress(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plain(ap.Addr())
}

// plain makes equal addresses compare equal: ::ffff:192.0.2.1 is 192.0.2.1, and a zone means nothing elsewhere.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func unmapPrefix(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

func (p proxies) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(a) })
}

// clientAddress returns the client's address according to X-Forwarded-For or Forwarded.
//
// A proxy that appends to one of them usually forwards the other as the client sent it. So if they disagree, one is forged, and it is
// unknown which. Then clientAddress returns the peer's address.
func (p proxies) clientAddress(peer netip.Addr, h http.Header) netip.Addr {
	legacy, standard := h.Values("X-Forwarded-For"), h.Values("Forwarded")
	switch {
	case len(standard) == 0:
		return p.rightmostUntrusted(peer, legacy, xForwardedFor)
	case len(legacy) == 0:
		return p.rightmostUntrusted(peer, standard, forwarded)
	}
	a := p.rightmostUntrusted(peer, legacy, xForwardedFor)
	if a != p.rightmostUntrusted(peer, standard, forwarded) {
		return peer
	}
	return a
}

// rightmostUntrusted walks the hops from the nearest to the farthest and returns the first that is not a trusted proxy: hops to its
// left may be forged. If a hop can't be parsed, it returns the one before.
func (p proxies) rightmostUntrusted(peer netip.Addr, lines []string, split func(string) []string) netip.Addr {
	last := peer
	for i := len(lines) - 1; i >= 0; i-- {
		hops := split(lines[i])
		for j := len(hops) - 1; j >= 0; j-- {
			a, ok := parseHop(hops[j])
			if !ok {
				return last
			}
			if !p.trusted(a) {
				return a
			}
			last = a
		}
	}
	return last
}

// parseHop reads an address with or without a port, an IPv6 one with or without brackets.
func parseHop(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return plain(ap.Addr()), true
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	a, err := netip.ParseAddr(s)
	return plain(a), err == nil
}

func xForwardedFor(line string) []string {
	hops := strings.Split(line, ",")
	for i, hop := range hops {
		hops[i] = strings.Trim(hop, " \t")
	}
	return hops
}

// unreadable is a hop that parseHop refuses.
var unreadable = []string{""}

// forwarded returns the "for" parameter of each element of a Forwarded header (RFC 7239 §4), or an empty hop for an element without
// it. For a line that breaks the grammar it returns one unreadable hop, since it is unclear where the elements begin.
func forwarded(line string) []string {
	var hops []string
	for {
		var hop string
		for {
			name, rest, ok := strings.Cut(strings.TrimLeft(line, " \t"), "=")
			if !ok || !isToken(name) { // ";, for" is not a name: it would swallow the comma
				return unreadable
			}
			value, rest, ok := forwardedValue(rest)
			if !ok {
				return unreadable
			}
			if strings.EqualFold(name, "for") {
				hop = value
			}
			line = strings.TrimLeft(rest, " \t")
			if !strings.HasPrefix(line, ";") {
				break
			}
			line = line[1:]
		}
		hops = append(hops, hop)
		if line == "" {
			return hops
		}
		if line[0] != ',' {
			return unreadable
		}
		line = line[1:]
	}
}

// forwardedValue parses a token or a quoted string and returns its value and the rest of the line.
func forwardedValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ";, \t")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], !strings.Contains(s[:end], `"`)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\': // RFC 9110 §5.6.4: quoted-pair
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
