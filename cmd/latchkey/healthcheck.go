package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/alecthomas/kong"
)

// healthcheckCmd is for a container without a shell, whose image has nothing else that could request /readyz.
type healthcheckCmd struct {
	Options kong.Plugins `embed:"" options:"server,outbound"`
}

func (c *healthcheckCmd) Run(ctx context.Context, a *app) error {
	host, port, err := net.SplitHostPort(a.settings.Server.AdminListen)
	if err != nil {
		return usage("--admin-listen (LATCHKEY_ADMIN_LISTEN) is empty, so there is no /readyz. Set it to the address of the server's admin listener.")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // a server on all interfaces listens here too
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	// The server is on this machine: no proxy leads to it.
	resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	var answer struct {
		Reason string `json:"reason"`
	}
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&answer) != nil || answer.Reason == "" {
		return fmt.Errorf("not ready: %s", resp.Status)
	}
	return fmt.Errorf("not ready: %s (%s)", answer.Reason, resp.Status)
}
