package latchkeytest

import (
	"strings"
	"testing"
)

// Server is an instance of a test, which ends when the server fails.
type Server struct {
	*Instance
	// AllowErrors accepts errors in the server's log; otherwise the test fails on them: no client may cause one.
	AllowErrors bool
	t           testing.TB
}

// New makes a server for a test. Its folder is a new one unless the configuration has one, and passwords are cheap.
func New(t testing.TB, cfg Config) *Server {
	t.Helper()
	if cfg.Folder == "" {
		cfg.Folder = t.TempDir()
	}
	cfg.Env = append([]string{"LATCHKEY_ARGON2=m=64,t=1,p=1"}, cfg.Env...)
	i, err := NewInstance(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &Server{Instance: i, t: t}
}

// Start runs a command that serves, until the test ends, and waits until the server is ready.
func (s *Server) Start(command ...string) {
	s.t.Helper()
	if err := s.Instance.Start(s.t.Context(), command...); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.finish(s.Process) })
}

// finish stops a process unless the test has killed it, and checks its log.
func (s *Server) finish(p *Process) {
	if err := p.Stop(); err != nil {
		s.t.Error(err)
	}
	log := p.Log()
	for line := range strings.Lines(log) {
		broken := strings.HasPrefix(line, "panic") || strings.HasPrefix(line, "WARNING: DATA RACE")
		if broken || strings.Contains(line, `"level":"ERROR"`) && !s.AllowErrors {
			s.t.Errorf("latchkey logged an error: %s", line)
		}
	}
	if s.t.Failed() {
		s.t.Logf("the end of latchkey's log:\n%s", tail(log))
	}
}

// Run runs a command on the server's database and returns what it prints.
func (s *Server) Run(stdin string, args ...string) []byte {
	s.t.Helper()
	out, err := s.Instance.Run(s.t.Context(), stdin, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// AddClient registers a client with the flags of `latchkey client add`.
func (s *Server) AddClient(flags ...string) Client {
	s.t.Helper()
	c, err := s.Instance.AddClient(s.t.Context(), flags...)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}
