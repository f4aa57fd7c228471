package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/alecthomas/kong"
)

// healthcheckCmd is for a container without a shell: its image holds the binary and nothing that could ask /readyz.
type healthcheckCmd struct {
	Options kong.Plugins `embed:""`
}

func (c *healthcheckCmd) Run(ctx context.Context, a *app) error {
	host, port, err := net.SplitHostPort(a.settings.server.AdminListen)
	if err != nil {
		return usage("--admin-listen (LATCHKEY_ADMIN_LISTEN) is empty: there is no /readyz to ask")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // what listens everywhere listens here
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", resp.Status)
	}
	return nil
}
