package latchkeytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"latchkey/latchkeytest/port"
)

// Config describes an instance.
type Config struct {
	// Binary is the path of the binary; without it that of the function Binary is used.
	Binary string
	// Folder is the working directory, home, and folder of the database.
	Folder string
	// Database is the URL of the database, by default that of an SQLite file in Folder.
	Database string
	// IssuerPath is the path of the issuer, such as /auth.
	IssuerPath string
	// Env has variables (NAME=VALUE) besides the addresses, the issuer, the database and the format of the log.
	Env []string
}

// Instance is a server that can be started, stopped and killed. Its addresses stay the same across restarts.
type Instance struct {
	// Issuer is the URL of the server; the host is localhost.
	Issuer string
	// Listen and Admin are the addresses (host:port) of its listeners.
	Listen, Admin string
	Config
	*Process // nil until the first start
}

// NewInstance chooses free ports for an instance. It is not started.
func NewInstance(cfg Config) (i *Instance, err error) {
	i = &Instance{Config: cfg}
	if i.Binary == "" {
		if i.Binary, err = Binary(); err != nil {
			return nil, err
		}
	}
	if i.Database == "" {
		i.Database = "sqlite:" + filepath.Join(i.Folder, "latchkey.db")
	}
	if i.Listen, i.Admin, err = freeAddresses(); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(i.Listen)
	i.Issuer = "http://localhost:" + port + cfg.IssuerPath
	return i, err
}

// freeAddresses returns two addresses on which nothing listens.
func freeAddresses() (first, second string, err error) {
	a, err := port.Free()
	if err != nil {
		return "", "", err
	}
	b, err := port.Free()
	return port.Address(a), port.Address(b), err
}

// Environment returns the environment of the server and of its commands. Variables of the calling process are not in it.
func (i *Instance) Environment() []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + i.Folder, "TZ=UTC", "LC_ALL=C.UTF-8",
		"LATCHKEY_LISTEN=" + i.Listen, "LATCHKEY_ADMIN_LISTEN=" + i.Admin, "LATCHKEY_ISSUER=" + i.Issuer,
		"LATCHKEY_DATABASE_URL=" + i.Database, "LATCHKEY_LOG_FORMAT=json",
	}, i.Env...)
}

func (i *Instance) command(args []string) *exec.Cmd {
	cmd := exec.Command(i.Binary, args...)
	cmd.Dir, cmd.Env = i.Folder, i.Environment()
	return cmd
}

// Start runs a command that serves (serve or demo, with its flags) and waits until the server is ready.
func (i *Instance) Start(ctx context.Context, command ...string) (err error) {
	// Instances may share a folder.
	log := filepath.Join(i.Folder, "log-"+strings.ReplaceAll(i.Listen, ":", "-"))
	if i.Process, err = StartProcess(i.command(command), log); err != nil {
		return err
	}
	if err := i.awaitReady(ctx); err != nil {
		i.Kill()
		return fmt.Errorf("%w; its log:\n%s", err, tail(i.Log()))
	}
	return nil
}

var prober = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (i *Instance) awaitReady(ctx context.Context) error {
	for started := time.Now(); ; {
		if answer, err := prober.Get("http://" + i.Admin + "/readyz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		elapsed := time.Since(started)
		if elapsed > Patience {
			return fmt.Errorf("latchkey was not ready within %s", Patience)
		}
		select {
		case <-i.Ended():
			return errors.New("latchkey ended at its start")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond + elapsed/20): // benchmarks measure the start
		}
	}
}

// Run runs a command on the server's database and returns what it prints.
func (i *Instance) Run(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, i.Binary, args...)
	var problem bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stderr = i.Folder, i.Environment(), strings.NewReader(stdin), &problem
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("latchkey %s: %w: %s", strings.Join(args, " "), err, &problem)
	}
	return out, nil
}

// Client is a registered client.
type Client struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// AddClient registers a client with the flags of `latchkey client add`.
func (i *Instance) AddClient(ctx context.Context, flags ...string) (c Client, err error) {
	out, err := i.Run(ctx, "", append([]string{"client", "add"}, flags...)...)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(out, &c); err != nil {
		return c, fmt.Errorf("client add: %w: %s", err, out)
	}
	return c, nil
}

func tail(text string) string { return text[max(0, len(text)-8000):] }
