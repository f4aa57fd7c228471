package safehttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// maxAddresses is how many addresses of a name are tried.
const maxAddresses = 4

var errOwn = errors.New("an address of this server")

// alsoDenied are addresses that look public but lead to the services of the machine's host.
var alsoDenied = netip.MustParsePrefix("168.63.129.16/32") // Azure: metadata, DNS and agents of the host

// Resolver finds the addresses of a name. A *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// dialer connects to addresses that are allowed.
type dialer struct {
	resolver Resolver
	guard    *ssrf.Guardian
	allow    []netip.Prefix
	own      []netip.AddrPort
	timeout  time.Duration
}

func newDialer(resolver Resolver, allow []netip.Prefix, own []netip.AddrPort, timeout time.Duration) *dialer {
	var v4, v6 []netip.Prefix
	for _, p := range allow {
		if p.Addr().Is4() {
			v4 = append(v4, p.Masked())
		} else {
			v6 = append(v6, p.Masked())
		}
	}
	return &dialer{
		resolver: resolver, allow: append(v4, v6...), own: own, timeout: timeout,
		guard: ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(alsoDenied),
			ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...)),
	}
}

// dial resolves the host once and connects to the first of its allowed addresses that accepts a connection. It skips addresses
// that are not allowed: with DNS64 every name has NAT64 addresses beside the real ones.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	// The transport's context does not end with the request.
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	addrs, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var safe []netip.AddrPort
	for _, addr := range addrs {
		to := netip.AddrPortFrom(addr.Unmap(), uint16(number)) // resolvers return IPv4 addresses in either form
		if vetErr := d.vet(to); vetErr != nil {
			err = fmt.Errorf("%s: %w", to, vetErr)
		} else if len(safe) < maxAddresses {
			safe = append(safe, to)
		}
	}
	if len(safe) > 0 {
		return d.connect(ctx, safe)
	}
	if err == nil {
		err = errors.New("the name has no address")
	}
	return nil, err
}

func (d *dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	return d.resolver.LookupNetIP(ctx, "ip", host)
}

// connect tries the addresses in turn, each with an equal share of the time.
func (d *dialer) connect(ctx context.Context, to []netip.AddrPort) (conn net.Conn, err error) {
	for _, addr := range to {
		nd := net.Dialer{Control: d.control, Timeout: d.timeout / time.Duration(len(to))}
		if conn, err = nd.DialContext(ctx, "tcp", addr.String()); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// control checks the address again immediately before the socket connects.
func (d *dialer) control(network, address string, raw syscall.RawConn) error {
	if err := d.guard.Safe(network, address, raw); err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return d.vet(to)
}

// check returns an error if the host of a URL is an address, or a name of this machine, that is not allowed.
func (d *dialer) check(u *url.URL) error {
	host := u.Hostname()
	if name := strings.ToLower(strings.TrimSuffix(host, ".")); name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761 §6.3
		host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[u.Scheme]
	}
	number, err := strconv.ParseUint(cmp.Or(port, "443"), 10, 16)
	if err != nil {
		return err
	}
	return d.vet(netip.AddrPortFrom(addr.Unmap(), uint16(number)))
}

// vet returns an error if an address is not allowed.
func (d *dialer) vet(to netip.AddrPort) error {
	if err := d.guard.SafeAddr(to.Addr()); err != nil {
		return err
	}
	return d.checkOwn(to)
}

// checkOwn returns an error for addresses of this server and this machine, even if they are public.
func (d *dialer) checkOwn(to netip.AddrPort) error {
	local, err := isLocal(to.Addr())
	if err != nil {
		return err
	}
	for _, own := range d.own {
		if own.Port() != to.Port() {
			continue
		}
		if addr := own.Addr().Unmap(); addr == to.Addr() || addr.IsUnspecified() && local {
			return errOwn
		}
	}
	if !local {
		return nil
	}
	if !slices.ContainsFunc(d.allow, func(p netip.Prefix) bool { return p.Contains(to.Addr()) }) {
		return errOwn
	}
	return nil
}

// isLocal reports whether an address belongs to this machine.
func isLocal(addr netip.Addr) (bool, error) {
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true, nil
	}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return false, fmt.Errorf("own addresses: %w", err)
	}
	for _, i := range interfaces {
		if n, ok := i.(*net.IPNet); ok {
			if own, ok := netip.AddrFromSlice(n.IP); ok && own.Unmap() == addr {
				return true, nil
			}
		}
	}
	return false, nil
}
