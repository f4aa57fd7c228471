package djangotest

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"latchkey/latchkeytest"
)

// startProcess runs a server until the test ends, and waits until its log says that it serves. It returns the address, which is the
// first group of the pattern ready.
func startProcess(t *testing.T, cmd *exec.Cmd, ready *regexp.Regexp) (address string) {
	t.Helper()
	p, err := latchkeytest.StartProcess(cmd, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			text := p.Log()
			t.Logf("the end of the log of %s:\n%s", filepath.Base(cmd.Path), text[max(0, len(text)-6000):])
		}
	})
	for deadline := time.After(patience); ; {
		if m := ready.FindStringSubmatch(p.Log()); m != nil {
			return m[1]
		}
		select {
		case <-p.Ended():
			t.Fatalf("%s ended at its start", cmd.Path)
		case <-deadline:
			t.Fatalf("%s does not serve after %s", cmd.Path, patience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }
