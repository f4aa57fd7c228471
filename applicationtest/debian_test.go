package applicationtest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

var apt sync.Mutex

// need installs Debian packages unless the check finds what they bring. The check says what is missing.
func need(t *testing.T, check func() error, packages ...string) {
	t.Helper()
	apt.Lock()
	defer apt.Unlock()
	missing := check()
	if missing == nil {
		return
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		t.Fatalf("%v\nInstall what is missing, which only root on Debian can: apt-get install %s", missing, strings.Join(packages, " "))
	}
	for _, args := range [][]string{{"update"}, append([]string{"install", "-y", "--no-install-recommends"}, packages...)} {
		cmd := exec.Command("apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\napt-get %s: %v: %s", missing, args[0], err, out)
		}
	}
	if missing := check(); missing != nil {
		t.Fatal(missing)
	}
}

// programs is a check for programs in PATH.
func programs(names ...string) func() error {
	return func() error {
		for _, name := range names {
			if _, err := exec.LookPath(name); err != nil {
				return fmt.Errorf("there is no program %s: %w", name, err)
			}
		}
		return nil
	}
}
