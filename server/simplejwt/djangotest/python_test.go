package djangotest

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"latchkey/latchkeytest/debian"
)

// python is Debian's own, which the packages are for, or that of LATCHKEY_TEST_DJANGO_PYTHON, which has newer releases: the first one in
// PATH may be another.
var python = cmp.Or(os.Getenv("LATCHKEY_TEST_DJANGO_PYTHON"), "/usr/bin/python3")

// newer reports whether the releases are not Debian's.
func newer() bool { return os.Getenv("LATCHKEY_TEST_DJANGO_PYTHON") != "" }

// compat returns the setting of Latchkey for the releases that are here.
func compat() string {
	if newer() {
		return "5.5"
	}
	return "5.2"
}

// packages are Debian's.
var packages = []string{
	"python3-djangorestframework-simplejwt", "python3-django", "python3-djangorestframework", "python3-cryptography", "python3-psycopg2", "gunicorn",
}

const required = "LATCHKEY_TEST_DJANGO"

// versions prints the parts' versions, or fails when one is missing.
const versions = `
import cryptography, django, gunicorn, jwt, rest_framework, rest_framework_simplejwt, sys
try:
    import psycopg as driver
except ImportError: # Django before 4.2
    import psycopg2 as driver
print("Python", sys.version.split()[0], "Django", django.__version__, "DRF", rest_framework.VERSION,
      "simplejwt", rest_framework_simplejwt.__version__, "PyJWT", jwt.__version__, "gunicorn", gunicorn.__version__,
      driver.__name__, driver.__version__.split()[0])`

// needDjango skips the test where the packages are not installed, and gives the parts' versions.
func needDjango(t *testing.T) string {
	t.Helper()
	found, err := django()
	switch {
	case err == nil:
		t.Log(found)
		return found
	case os.Getenv(required) != "":
		t.Fatalf("no Django: %v", err)
	}
	t.Skipf("no Django (%v). `make test-django` installs it: %s", err, strings.Join(packages, " "))
	return ""
}

// django looks for the packages and installs them when they are required.
var django = sync.OnceValues(func() (string, error) {
	if os.Getenv(required) != "" {
		missing := func() error {
			_, err := look()
			return err
		}
		if err := debian.Install(missing, packages...); err != nil {
			return "", err
		}
	}
	return look()
})

func look() (string, error) {
	cmd := exec.Command(python, "-c", versions)
	cmd.Env = pythonEnvironment()
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		lines := strings.Split(text, "\n")
		return "", fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	return text, nil
}

// pythonEnvironment keeps what this machine's users have installed for themselves out of the tests.
func pythonEnvironment(more ...string) []string {
	return append([]string{
		"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1",
	}, more...)
}
