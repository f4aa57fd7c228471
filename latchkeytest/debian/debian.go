// Package debian installs Debian's packages that tests need, in one process of the machine at a time.
package debian

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Need ends the test unless check finds what the packages bring, which are installed if it does not.
func Need(t testing.TB, check func() error, packages ...string) {
	t.Helper()
	if err := Install(check, packages...); err != nil {
		t.Fatal(err)
	}
}

// Install installs packages unless check finds what they bring, without starting their services. check returns what is missing. Only root
// on Debian can install; elsewhere the error says what to install.
func Install(check func() error, packages ...string) error {
	missing := check()
	if missing == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return fmt.Errorf("%w\nInstall what is missing, which only root on Debian can: apt-get install %s", missing, strings.Join(packages, " "))
	}
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	if check() == nil { // another process has installed it
		return nil
	}
	allow, err := denyServices()
	if err != nil {
		return err
	}
	defer allow()
	for _, args := range [][]string{{"update"}, append([]string{"install", "-y", "--no-install-recommends"}, packages...)} {
		cmd := exec.Command("apt-get", append([]string{"-o", "DPkg::Lock::Timeout=600"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\napt-get %s: %w: %s", missing, args[0], err, out)
		}
	}
	return check()
}

// Programs is a check for programs in PATH.
func Programs(names ...string) func() error {
	return func() error {
		for _, name := range names {
			if _, err := exec.LookPath(name); err != nil {
				return fmt.Errorf("there is no program %s: %w", name, err)
			}
		}
		return nil
	}
}

// lock waits until no other process of the machine installs.
func lock() (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "latchkey-install.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil
}

// denyServices keeps packages from starting their services while they are installed.
func denyServices() (allow func(), err error) {
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Stat(policy); !errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		return nil, err
	}
	return func() { os.Remove(policy) }, nil
}
