package clienttest

import (
	"fmt"
	"os/exec"
	"testing"

	"latchkey/latchkeytest/debian"
)

// python is Debian's own, which the packages are for: the first one in PATH may be another.
const python = "/usr/bin/python3"

var pythonPackages = []string{"python3-authlib", "python3-requests-oauthlib"}

func TestPython(t *testing.T) {
	t.Parallel()
	debian.Need(t, libraries, pythonPackages...)
	for _, module := range []string{"test_authlib", "test_requests_oauthlib"} {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			serve(t).test(t, "python", "env", "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1",
				// Both refuse http, which this test is over.
				"AUTHLIB_INSECURE_TRANSPORT=1", "OAUTHLIB_INSECURE_TRANSPORT=1",
				python, "-W", "ignore::ResourceWarning", "-m", "unittest", "-v", module)
		})
	}
}

// libraries says which library is missing.
func libraries() error {
	if out, err := exec.Command(python, "-c", "import authlib, requests_oauthlib").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
