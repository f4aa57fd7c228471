package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneRootSecretForManyProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db.secret")
	const n = 20
	secrets := make(chan string, n)
	for range n {
		go func() {
			s, err := rootSecretFile(path, func() (Missing, error) { return Draw, nil })
			if err != nil {
				t.Error(err)
			}
			secrets <- s.Reveal()
		}()
	}
	first := <-secrets
	for range n - 1 {
		if s := <-secrets; s != first || len(s) < 32 {
			t.Error("two processes have different secrets, or short ones")
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("files left behind: %v, %v", entries, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A file that was cut off must not become a guessable key.
func TestShortRootSecretFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db.secret")
	if err := os.WriteFile(path, []byte("short-canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := rootSecretFile(path, nil)
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

func TestMissingRootSecretFile(t *testing.T) {
	t.Parallel()
	for what, want := range map[Missing]struct{ secret, file bool }{Refuse: {false, false}, Pretend: {true, false}, Draw: {true, true}} {
		path := filepath.Join(t.TempDir(), "db.secret")
		secret, err := rootSecretFile(path, func() (Missing, error) { return what, nil })
		if _, lost := errors.AsType[*MissingSecret](err); (secret != "") != want.secret || lost == want.secret {
			t.Errorf("%d: %v", what, err)
		}
		if _, err := os.Stat(path); (err == nil) != want.file {
			t.Errorf("%d: %v", what, err)
		}
	}
	// A process that was faster has created the file and used it.
	path := filepath.Join(t.TempDir(), "db.secret")
	secret, err := rootSecretFile(path, func() (Missing, error) { return Refuse, createRootSecret(path) })
	if err != nil || secret == "" {
		t.Error(err)
	}
}
