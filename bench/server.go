package main

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
	"syscall"
	"time"
)

// configuration is what the server is told besides its addresses, its database and its secret. Everything else is the
// default, the cost of passwords too.
func configuration() []string {
	return []string{"LATCHKEY_LOGIN_THROTTLE=off", "LATCHKEY_LOG_LEVEL=error", "LATCHKEY_LOG_FORMAT=json"}
}

// build makes the binary as `make build` does: static and stripped.
func build(ctx context.Context, folder string) (string, error) {
	binary := filepath.Join(folder, "latchkey")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/latchkey")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return binary, nil
}

// server is the real binary in a process of its own.
type server struct {
	binary, url, admin string
	environment        []string
	cmd                *exec.Cmd
	log                *bytes.Buffer
	ended              chan struct{}
}

func newServer(binary, database string) (*server, error) {
	public, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &server{binary: binary, url: "http://" + public, admin: "http://" + admin}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "LATCHKEY_") && !strings.HasPrefix(entry, "OTEL_") {
			s.environment = append(s.environment, entry)
		}
	}
	s.environment = append(s.environment, configuration()...)
	s.environment = append(s.environment, "LATCHKEY_LISTEN="+public, "LATCHKEY_ADMIN_LISTEN="+admin, "LATCHKEY_ISSUER="+s.url,
		"LATCHKEY_DATABASE_URL="+database, "LATCHKEY_SECRET=a secret of the benchmark, good for nothing else")
	return s, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// start starts the process, and says how long it took until the server was ready.
func (s *server) start(ctx context.Context) (time.Duration, error) {
	s.log = new(bytes.Buffer)
	s.cmd = exec.CommandContext(ctx, s.binary, "serve")
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.environment, s.log, s.log
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 20 * time.Second
	started := time.Now()
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	s.ended = make(chan struct{})
	go func() {
		s.cmd.Wait()
		close(s.ended)
	}()
	for time.Since(started) < 30*time.Second && ctx.Err() == nil {
		answer, err := http.Get(s.admin + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return time.Since(started), nil
			}
		}
		select {
		case <-s.ended:
			return 0, fmt.Errorf("the server ended: %s", s.log)
		case <-time.After(2 * time.Millisecond):
		}
	}
	s.stop()
	return 0, errors.New("the server is not ready in time")
}

func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	killer := time.AfterFunc(20*time.Second, func() { s.cmd.Process.Kill() })
	defer killer.Stop()
	<-s.ended
	if s.log.Len() > 0 {
		fmt.Fprintf(os.Stderr, "bench: the server said: %s\n", s.log)
	}
}

// command runs a command of the binary on the server's database.
func (s *server) command(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.binary, args...)
	var problem bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stderr = s.environment, strings.NewReader(stdin), &problem
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("latchkey %s: %w: %s", strings.Join(args, " "), err, &problem)
	}
	return out, nil
}

// client is a registered client with its secret.
type client struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

func (s *server) addClient(ctx context.Context, flags ...string) (c client, err error) {
	out, err := s.command(ctx, "", append([]string{"client", "add"}, flags...)...)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(out, &c)
}
