package server

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"latchkey/clients"
	"latchkey/server/internal/safehttp"
)

// outbound makes the one client for URLs that others supply.
func outbound(cfg *Config) *safehttp.Client {
	o := safehttp.Config{Allow: cfg.OutboundAllow, Logger: cfg.Logger}
	for _, listen := range []string{cfg.Listen, cfg.AdminListen} {
		if a, err := netip.ParseAddrPort(listen); err == nil {
			o.Own = append(o.Own, a)
		}
	}
	if cfg.Outbound != nil {
		cfg.Outbound(&o)
	}
	return safehttp.New(o)
}

// documents gets client metadata documents for the registry.
type documents struct{ http *safehttp.Client }

// Get implements [clients.Fetcher].
func (d documents) Get(ctx context.Context, url string) ([]byte, http.Header, error) {
	resp, err := d.http.Get(ctx, url, safehttp.Options{
		ContentTypes: []string{"application/json", "+json"}, MaxBytes: clients.MaxDocument,
	})
	if err != nil {
		return nil, nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, nil, fmt.Errorf("status %d: %w", resp.Status, safehttp.ErrFetch)
	}
	return resp.Body, resp.Header, nil
}
