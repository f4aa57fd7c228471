package clienttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// python is Debian's own, which the packages are for: the first one in PATH may be another.
const python = "/usr/bin/python3"

// debianPackages are the libraries under test.
var debianPackages = []string{"python3-authlib", "python3-requests-oauthlib"}

func TestPython(t *testing.T) {
	t.Parallel()
	if err := installDebianPackages(); err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"test_authlib", "test_requests_oauthlib"} {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			serve(t).test(t, "python", "env", "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1",
				// Both refuse http, which this test is over.
				"AUTHLIB_INSECURE_TRANSPORT=1", "OAUTHLIB_INSECURE_TRANSPORT=1", python, "-W", "ignore::ResourceWarning", "-m", "unittest", "-v", module)
		})
	}
}

// installDebianPackages installs what is missing.
var installDebianPackages = sync.OnceValue(func() error {
	missing := func() error {
		out, err := exec.Command(python, "-c", "import authlib, requests_oauthlib").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	why := missing()
	if why == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return fmt.Errorf("%w\nInstall them, which only root on Debian can: apt-get install %s", why, strings.Join(debianPackages, " "))
	}
	for _, args := range [][]string{{"update"}, append([]string{"install", "-y", "--no-install-recommends"}, debianPackages...)} {
		cmd := exec.Command("apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return errors.Join(why, fmt.Errorf("apt-get %s: %w: %s", args[0], err, out))
		}
	}
	return missing()
})
