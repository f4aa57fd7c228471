package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// A person in the group of operators logs in with a code, works through the API, whose tokens are renewed, and logs out.
func TestLogin(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // hence not parallel
	s := servertest.New(t)
	groups := []string{"operators"}
	if _, err := s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Groups: &groups}); err != nil {
		t.Fatal(err)
	}
	s.AddClient(clients.Registration{ID: "latchkey-cli", Metadata: clients.Metadata{
		TokenEndpointAuthMethod: clients.AuthNone, GrantTypes: []string{clients.GrantDeviceCode, clients.GrantRefreshToken},
		Scope: "latchkey:users:read latchkey:clients:read",
	}})
	call := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), append(args, "--server", s.Admin), nil, strings.NewReader(""), &out, &errs); got != want {
			t.Fatalf("%v: exit status %d: %s%s", args, got, &out, &errs)
		}
		return out.String(), errs.String()
	}
	if _, said := call(exitFailed, "user", "list"); !strings.Contains(said, "latchkey login --server "+s.Admin) {
		t.Errorf("without a login: %s", said)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	said, write := io.Pipe()
	var out bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, []string{"login", "--server", s.Admin}, nil, strings.NewReader(""), &out, write)
		write.Close()
	}()
	text := make([]byte, 4096)
	n, err := said.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, said)
	code := regexp.MustCompile(`code ([A-Z0-9-]+)\.`).FindSubmatch(text[:n])
	if code == nil {
		t.Fatalf("login says %q", text[:n])
	}
	b := s.Browser()
	b.SignIn()
	allowed := b.Get("/device").Form("/device").Set("user_code", string(code[1])).Submit().Form("/device").Press("decision", "allow")
	if allowed.Status != http.StatusOK {
		t.Fatalf("allowed: %d", allowed.Status)
	}
	s.Clock.Advance(time.Minute) // so that no poll comes too early
	if got := <-status; got != exitDone || !strings.Contains(out.String(), "logged in at "+s.Admin) {
		t.Fatalf("login ended with %d: %s", got, &out)
	}

	files, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "latchkey", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("kept in %v, %v", files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the login is readable by others: %v, %v", info.Mode(), err)
	}
	if listed, _ := call(exitDone, "user", "list"); !strings.Contains(listed, servertest.Username) {
		t.Errorf("listed: %s", listed)
	}
	if _, refused := call(exitFailed, "user", "disable", servertest.Username); !strings.Contains(refused, "latchkey:users:write") {
		t.Errorf("without the scope: %s", refused)
	}
	// The access token ends; the next command gets another one, and keeps it.
	before, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	ended := regexp.MustCompile(`"ends_at": "[^"]*"`).ReplaceAll(before, []byte(`"ends_at": "2020-01-01T00:00:00Z"`))
	if err := os.WriteFile(files[0], ended, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Hour)
	call(exitDone, "client", "list")
	if after, err := os.ReadFile(files[0]); err != nil || bytes.Equal(after, ended) || bytes.Contains(after, []byte("2020-01-01")) {
		t.Errorf("the new token was not kept: %v", err)
	}
	call(exitDone, "logout")
	call(exitFailed, "client", "list")
	if grants, err := s.Store.ListGrants(t.Context(), storage.GrantFilter{ClientID: "latchkey-cli", LiveAt: s.Clock.Now(), Limit: 9}); err != nil || len(grants) != 0 {
		t.Errorf("%d sessions are left, %v", len(grants), err)
	}
}
