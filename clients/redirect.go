package clients

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// maxURI bounds every URI that a client registers, in bytes.
const maxURI = 2048

// checkRedirectURI checks a redirect URI of a client.
func (r *Registration) checkRedirectURI(uri string) error {
	u, err := parseURI(uri)
	if err != nil {
		return err
	}
	if strings.Contains(uri, "*") {
		return errors.New("a wildcard is not allowed") // RFC 9700 §4.1.3: exact matching only
	}
	if hasDotSegment(u.EscapedPath()) {
		return errors.New("dot segments (. and ..) are not allowed in the path")
	}
	switch u.Scheme {
	case "https":
		return checkAuthority(u)
	case "http":
		// RFC 8252 §8.3, OAuth 2.1 §2.3.1: a code that travels in clear may only travel inside the machine, or inside a network that
		// the operator vouches for: see [Metadata.Unencrypted].
		if _, _, ok := cutLoopback(uri); !ok && !privateHost(u.Hostname()) {
			return errors.New("http is only for the loopback hosts 127.0.0.1, [::1] and localhost, and, for clients that the operator " +
				"adds, for private hosts: RFC 1918 addresses, .internal, .local and names without a dot; use https")
		}
		return checkAuthority(u)
	}
	return r.checkPrivateScheme(u)
}

// Unencrypted returns the redirect URIs, also those after a logout, that send a user's answer through a network in clear: http ones
// on hosts other than loopback. Only an operator can register them.
func (m *Metadata) Unencrypted() []string {
	return slices.DeleteFunc(slices.Concat(m.RedirectURIs, m.PostLogoutRedirectURIs), func(uri string) bool {
		return !strings.HasPrefix(uri, "http:") || IsLoopbackURI(uri)
	})
}

// checkEncrypted refuses what Unencrypted returns.
func (m *Metadata) checkEncrypted() *MetadataError {
	if plain := m.Unencrypted(); len(plain) > 0 {
		return Invalid("redirect_uris", "%.200q: http is only for the loopback hosts 127.0.0.1, [::1] and localhost; use https", plain[0])
	}
	return nil
}

// checkAuthority checks that an http or https URI has a plain host with an optional port.
func checkAuthority(u *url.URL) error {
	host := u.Hostname()
	plain := strings.Trim(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") == ""
	bracketed := strings.HasPrefix(u.Host, "[") && strings.Trim(host, "0123456789abcdefABCDEF:.") == ""
	switch {
	case u.Opaque != "" || host == "":
		return errors.New("the host is missing")
	case !plain && !bracketed, strings.HasPrefix(host, "."), strings.Contains(host, ".."):
		return errors.New("the host is malformed")
	case u.Port() != "" && !validPort(u.Port()), strings.HasSuffix(u.Host, ":"):
		return errors.New("the port is malformed")
	}
	return nil
}

// parseURI parses an absolute URI (RFC 3986 §4.3) without user information. Other characters than those of the RFC are
// refused: browsers and servers read backslashes, spaces, controls and letters beyond ASCII differently.
func parseURI(s string) (*url.URL, error) {
	if s == "" || len(s) > maxURI {
		return nil, fmt.Errorf("it must have 1 to %d characters", maxURI)
	}
	for i, c := range []byte(s) {
		switch {
		case c == '#':
			return nil, errors.New("a fragment is not allowed") // RFC 6749 §3.1.2
		case c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return nil, fmt.Errorf("the character %q is not allowed in a URI", c)
		case c == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])):
			return nil, errors.New("a percent sign must be followed by two hexadecimal digits")
		}
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URI")
	case u.Scheme == "":
		return nil, errors.New("it is not absolute: the scheme is missing")
	case !strings.HasPrefix(s, u.Scheme+":"):
		return nil, errors.New("the scheme must be in lower case")
	case u.User != nil:
		return nil, errors.New("user information is not allowed")
	}
	return u, nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// hasDotSegment reports whether a path has a segment . or .., encoded or not: browsers remove both before they send the code.
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".", "..":
			return true
		}
	}
	return false
}

// checkWebURI checks a URI that people follow or that the server may fetch: http or https.
func checkWebURI(uri string) error {
	u, err := parseURI(uri)
	if err != nil {
		return err
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("the scheme %q is not allowed: use https", u.Scheme)
	}
	return checkAuthority(u)
}

// checkHTTPSURI checks a URI that browsers are sent to.
func checkHTTPSURI(uri string) error {
	err := checkWebURI(uri)
	if err == nil && !strings.HasPrefix(uri, "https:") {
		err = errors.New("use https")
	}
	return err
}

// checkResource checks a resource identifier (RFC 8707 §2): an absolute URI without a fragment.
func checkResource(uri string) error {
	u, err := parseURI(uri)
	if err != nil {
		return err
	}
	if u.Scheme == "https" || u.Scheme == "http" {
		return checkAuthority(u)
	}
	return nil
}

// OriginKey returns the key under which the database looks up the origin of a browser, as browsers write it (RFC 6454 §6.2);
// ok is false for an origin that no client can have. Loopback origins have the same key whatever their port.
func OriginKey(origin string) (key string, ok bool) {
	if strings.HasPrefix(origin, "https://") {
		return origin, len(origin) <= maxURI
	}
	host, rest, ok := cutLoopback(origin)
	return "http://" + host + ":*", ok && rest == ""
}

func nearest(registered []string, uri string) (best string) {
	most := -1
	for _, r := range registered {
		length, head, tail := min(len(r), len(uri)), 0, 0
		for head < length && r[head] == uri[head] {
			head++
		}
		for tail < length-head && r[len(r)-1-tail] == uri[len(uri)-1-tail] {
			tail++
		}
		if head+tail > most {
			best, most = r, head+tail
		}
	}
	return best
}
