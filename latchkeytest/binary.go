package latchkeytest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// BinaryVariable is the environment variable that names an existing binary, which is then used instead of a new one.
const BinaryVariable = "LATCHKEY_TEST_BINARY"

var built struct {
	once         sync.Once
	folder, path string
	err          error
}

// Binary returns the path of the binary: that of LATCHKEY_TEST_BINARY, else one that the first call builds as `make build` does. The
// process must call Remove before it ends.
func Binary() (string, error) {
	built.once.Do(func() { built.path, built.err = build() })
	return built.path, built.err
}

func build() (string, error) {
	if given := os.Getenv(BinaryVariable); given != "" {
		return filepath.Abs(given)
	}
	// The main module may be clienttest, whose versions of the dependencies are others.
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "latchkey").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	if built.folder, err = os.MkdirTemp("", "latchkeytest-"); err != nil {
		return "", err
	}
	path := filepath.Join(built.folder, "latchkey")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/latchkey")
	cmd.Dir, cmd.Env = strings.TrimSpace(string(root)), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
}

// Remove deletes the binary that Binary built.
func Remove() {
	if built.folder != "" {
		os.RemoveAll(built.folder)
	}
}

// Main runs the tests of a package and removes the binary. It is what TestMain calls.
func Main(m *testing.M) {
	code := m.Run()
	Remove()
	os.Exit(code)
}
