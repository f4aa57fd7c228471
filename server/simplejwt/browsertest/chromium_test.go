package browsertest

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

const required = "LATCHKEY_TEST_BROWSER"

// browse opens an address in a browser of its own, which ends with the test.
func browse(t *testing.T, address string) {
	t.Helper()
	var problem bytes.Buffer
	scratch := t.TempDir()
	cmd := exec.Command(chromium(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir="+scratch, address)
	cmd.Env = append(os.Environ(), "HOME="+scratch, "TMPDIR="+scratch) // leaves nothing elsewhere
	cmd.Stderr = &problem
	// A group of its own, so that its helpers end with it, and a deadline for a helper that keeps the pipe.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("the browser said: %s", problem.Bytes())
		}
	})
}

// chromium finds the browser, or skips the test where there is none and none is required.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv(required) != "" {
		t.Fatal("no chromium in PATH; on Debian: apt-get install chromium")
	}
	t.Skip("no chromium in PATH; `make test-browser` installs it")
	return ""
}
