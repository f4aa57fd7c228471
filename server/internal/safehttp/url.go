package safehttp

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxURL is the maximum length of a URL, in bytes.
const maxURL = 2048

// parseURL parses a URL and checks everything except its addresses, which the dialer checks.
func parseURL(raw string, allowHTTP bool) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, errors.New("the URL is too long")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL") // the parser's error would repeat it
	}
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !allowHTTP):
		return nil, fmt.Errorf("the scheme %q", u.Scheme)
	case u.User != nil:
		return nil, errors.New("the URL has user information")
	case strings.Contains(raw, "#"):
		return nil, errors.New("the URL has a fragment")
	}
	if err := checkHost(u); err != nil {
		return nil, err
	}
	return u, checkPort(u)
}

// checkHost accepts names and the usual notations of addresses. Resolvers differ in which other notations they take for
// addresses: 127.1, 2130706433, 0x7f.1, 017700000001.
func checkHost(u *url.URL) error {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" {
			return errors.New("the host is not a plain IPv6 address")
		}
		return nil
	}
	if host == "" || len(host) > 253 {
		return errors.New("the URL has no usable host")
	}
	if strings.Trim(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") != "" {
		return errors.New("the host has characters that names don't have") // an international name is written as xn--…
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is4() {
		return nil
	}
	if endsInNumber(host) {
		return errors.New("the host is an address in an unusual notation")
	}
	return nil
}

// endsInNumber is the "ends in a number checker" of the URL standard (WHATWG), section 3.5: such a host is an address.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// blockedPorts are the ports from 1024 on that the Fetch standard blocks (section 2.9): their services speak other protocols, and
// might misinterpret a request.
var blockedPorts = [...]uint16{
	1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
}

// checkPort accepts ports of web servers; other ports below 1024 belong to other services.
func checkPort(u *url.URL) error {
	if u.Port() == "" {
		if strings.HasSuffix(u.Host, ":") {
			return errors.New("the port is empty")
		}
		return nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err != nil:
		return errors.New("the port is not a number up to 65535")
	case port == 443, port == 80 && u.Scheme == "http":
		return nil
	case port < 1024, slices.Contains(blockedPorts[:], uint16(port)):
		return fmt.Errorf("the port %d", port)
	}
	return nil
}
