package server

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"

	"latchkey/clients"
	"latchkey/clients/document"
	"latchkey/server/internal/safehttp"
)

// outbound returns an HTTP client for URLs that clients supply. Documents, keys, logos and logout notices have one each, so that a
// slow logo server cannot hold up the others.
func outbound(cfg *Config) *safehttp.Client { return safehttp.New(outboundConfig(cfg)) }

func outboundConfig(cfg *Config) safehttp.Config {
	o := safehttp.Config{Allow: cfg.OutboundAllow, Logger: cfg.Logger}
	for _, listen := range []string{cfg.Listen, cfg.AdminListen} {
		if own, ok := listenAddress(listen); ok {
			o.Own = append(o.Own, own)
		}
	}
	if cfg.Outbound != nil {
		cfg.Outbound(&o)
	}
	return o
}

// listenAddress reads host:port. A name, or nothing before the colon, stands for all addresses of the machine.
func listenAddress(listen string) (netip.AddrPort, bool) {
	host, port, _ := net.SplitHostPort(listen)
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		addr = netip.IPv6Unspecified()
	}
	return netip.AddrPortFrom(addr, uint16(number)), true
}

// documents gets client metadata documents for the registry.
type documents struct{ http *safehttp.Client }

// Get implements [document.Fetcher].
func (d documents) Get(ctx context.Context, url string) ([]byte, time.Duration, error) {
	resp, err := d.http.Get(ctx, url, safehttp.Options{
		ContentTypes: []string{"application/json", "+json"}, MaxBytes: clients.MaxDocument,
	})
	if err != nil {
		return nil, 0, err
	}
	return resp.Body, resp.Fresh(0, 0, document.MaxFresh), nil
}
