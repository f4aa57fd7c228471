package applicationtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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

// startPython runs a program of docs/examples/applications.
func startPython(t *testing.T, s *site) {
	t.Helper()
	need(t, libraries, "python3-authlib", "python3-flask-dance", "python3-jose", "python3-requests", "python3-social-django")
	program := filepath.Join(s.Folder, s.file)
	write(t, program, s.example(t, "COOKIE_SECRET", strings.Repeat("of this test ", 4)))
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

func TestFlaskDance(t *testing.T) {
	t.Parallel()
	application{
		name: "Flask-Dance", example: "flask_dance_app.py", here: []string{"--no-require-pkce"},
		callback: "/latchkey/authorized", postLogout: "/goodbye",
		login: "/latchkey", whoami: "/", logout: "/logout",
		sees:      map[string]string{"name": fullName, "email": email, "preferred_username": username},
		refreshes: true, federated: true,
		wrongSecret: "invalid_client",
		start:       startPython,
	}.run(t)
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

func TestSocialAuthAppDjango(t *testing.T) {
	t.Parallel()
	application{
		name: "social-auth-app-django", example: "social_auth_app.py",
		callback: "/complete/oidc/", postLogout: "/goodbye",
		login: "/login/oidc/", whoami: "/", logout: "/logout",
		sees:      map[string]string{"name": fullName, "email": email, "django": username},
		refreshes: true, federated: true,
		wrongSecret: "401 Client Error: Unauthorized for url", // it says no more; `latchkey client doctor` does
		start:       startPython,
	}.run(t)
}
