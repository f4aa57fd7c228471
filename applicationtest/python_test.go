package applicationtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/latchkeytest/debian"
)

// python is Debian's own, which the packages are for: the first one in PATH may be another.
const python = "/usr/bin/python3"

// libraries says which library is missing.
func libraries() error {
	if out, err := exec.Command(python, "-c", "import authlib, flask_dance, jose, requests, social_django").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// startPyPI does what startPython does with the versions of python/requirements.txt.
func startPyPI(more ...string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		debian.Need(t, haveVenv, "python3-venv")
		folder, err := makeVenv()
		if err != nil {
			t.Fatal(err)
		}
		runPython(t, s, filepath.Join(folder, "bin", "python"), more...)
	}
}

// haveVenv says that virtual environments can't be made.
func haveVenv() error {
	if out, err := exec.Command(python, "-c", "import ensurepip, venv").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// makeVenv makes a virtual environment with what python/requirements.txt names, once, and returns its folder.
var makeVenv = sync.OnceValues(func() (string, error) {
	folder := filepath.Join(built.folder, "venv")
	for _, command := range [][]string{
		{python, "-m", "venv", folder},
		{filepath.Join(folder, "bin", "pip"), "install", "--quiet", "--no-deps", "--only-binary=:all:", "--retries=10", "-r", "python/requirements.txt"},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
		}
	}
	return folder, nil
})

// startPython runs a program of docs/examples/applications.
func startPython(t *testing.T, s *site) {
	t.Helper()
	debian.Need(t, libraries, "python3-authlib", "python3-django", "python3-flask-dance", "python3-jose", "python3-requests", "python3-social-django")
	runPython(t, s, python)
}

// runPython runs the application's example. The pairs of old and new text are what the test changes in it.
func runPython(t *testing.T, s *site, python string, more ...string) {
	t.Helper()
	program := filepath.Join(s.Folder, s.file)
	write(t, program, s.example(t, append(more, "COOKIE_SECRET", strings.Repeat("of this test ", 4))...))
	_, port, _ := strings.Cut(s.Address, ":")
	cmd := exec.Command(python, program)
	cmd.Dir = s.Folder
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "LC_ALL=C.UTF-8",
		"REQUESTS_CA_BUNDLE=" + caFile, "PORT=" + port,
		// oauthlib refuses an application without TLS, which this one is behind no proxy.
		"OAUTHLIB_INSECURE_TRANSPORT=1",
	}
	s.start(t, cmd)
}

var flaskDance = application{
	name: "Flask-Dance", example: "flask_dance_app.py", here: []string{"--no-require-pkce"},
	callback: "/latchkey/authorized", postLogout: "/goodbye",
	login: "/latchkey", whoami: "/", logout: "/logout",
	sees:      map[string]string{"name": fullName, "email": email, "preferred_username": username},
	refreshes: true, federated: true,
	wrongSecret: "invalid_client",
	start:       startPython,
}

func TestFlaskDance(t *testing.T) {
	t.Parallel()
	flaskDance.run(t)
}

func TestFlaskDanceWithPKCE(t *testing.T) {
	t.Parallel()
	a := flaskDance
	a.here, a.start = nil, startPyPI("    auto_refresh_url", "    use_pkce=True,\n    auto_refresh_url")
	a.run(t)
}

func TestAuthlibFlask(t *testing.T) {
	t.Parallel()
	application{
		name: "Authlib (Flask)", example: "authlib_flask_app.py",
		callback: "/callback", postLogout: "/goodbye",
		login: "/login", whoami: "/", logout: "/logout",
		sees:      map[string]string{"name": fullName, "email": email, "preferred_username": username},
		refreshes: true, federated: true,
		wrongSecret: "invalid_client",
		start:       startPython,
	}.run(t)
}

var socialAuth = application{
	name: "social-auth-app-django", example: "social_auth_app.py",
	callback: "/complete/oidc/", postLogout: "/goodbye",
	login: "/login", whoami: "/", logout: "/logout",
	sees:      map[string]string{"name": fullName, "email": email, "django": username},
	refreshes: true, federated: true,
	wrongSecret: "401 Client Error: Unauthorized for url", // it says no more; `latchkey client doctor` does
	start:       startPython,
}

func TestSocialAuthAppDjango(t *testing.T) {
	t.Parallel()
	socialAuth.run(t)
}

func TestSocialAuthAppDjango8(t *testing.T) {
	t.Parallel()
	a := socialAuth
	a.start = startPyPI()
	a.run(t)
}

// TestMozillaDjangoOIDC asks again with prompt=none, through the browser, instead of refreshing.
func TestMozillaDjangoOIDC(t *testing.T) {
	t.Parallel()
	a := application{
		name: "mozilla-django-oidc", example: "mozilla_django_oidc_app.py",
		callback: "/oidc/callback/",
		login:    "/oidc/authenticate/", whoami: "/",
		sees:        map[string]string{"email": email},
		wrongSecret: "invalid_client",
		start:       startPyPI("15 * 60", "1"),
	}
	a.checkDocs(t)
	s := a.begin(t)
	p := newPerson(t)
	p.visit(t, s.URL+a.login)
	for range 2 {
		time.Sleep(2 * time.Second) // more than a second, after which it asks again
		p.shown = nil
		end := p.visit(t, s.URL+a.whoami)
		a.checkUser(t, end, "after it asked again", end)
		if slices.Contains(p.shown, "/login") || slices.Contains(p.shown, "/consent") {
			t.Errorf("prompt=none showed %q", p.shown)
		}
	}
	a.breakSecret(t, s)
	a.breakRedirectURI(t, s)
}

func TestDjangoAllauth(t *testing.T) {
	t.Parallel()
	application{
		name: "django-allauth", example: "django_allauth_app.py",
		callback: "/accounts/oidc/latchkey/login/callback/",
		login:    "/accounts/oidc/latchkey/login/", whoami: "/", logout: "/accounts/logout/",
		sees:        map[string]string{"name": fullName, "email": email, "username": username},
		wrongSecret: "Third-Party Login Failure", // it says no more; `latchkey client doctor` does
		start:       startPyPI(),
	}.run(t)
}
