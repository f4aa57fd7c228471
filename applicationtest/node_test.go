package applicationtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"latchkey/latchkeytest/debian"
)

// node is a start of an application in docs/examples/applications. The pairs of old and new text are what the test changes in it,
// such as time limits that a busy machine misses.
func node(more ...string) func(*testing.T, *site) {
	return nodeProgram("program.js", more...)
}

// nodeProgram has a file of node/ run the application instead.
func nodeProgram(main string, more ...string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		packages := nodePackages(t)
		if err := os.Symlink(packages, filepath.Join(s.Folder, "node_modules")); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(s.Folder, "package.json"), `{"type": "module"}`)
		write(t, filepath.Join(s.Folder, "program.js"), s.example(t, append(more, "COOKIE_SECRET", strings.Repeat("of this test ", 4))...))
		if main != "program.js" {
			content, err := os.ReadFile(filepath.Join("node", main))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(s.Folder, main), string(content))
		}
		_, port, _ := strings.Cut(s.Address, ":")
		cmd := exec.Command("node", filepath.Join(s.Folder, main))
		cmd.Dir = s.Folder
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "NODE_EXTRA_CA_CERTS=" + caFile, "PORT=" + port, "NEXTAUTH_URL=" + s.URL,
			"BETTER_AUTH_TELEMETRY=0", "NO_COLOR=1",
		}
		s.start(t, cmd)
	}
}

// nodePackages installs what node/package-lock.json names, and nothing when that was done before. It returns their folder.
func nodePackages(t *testing.T) string {
	t.Helper()
	debian.Need(t, debian.Programs("node", "npm"), "nodejs", "npm")
	// What the applications are made for.
	if out, err := exec.Command("node", "-p", "parseInt(process.versions.node) >= 20 || process.version").Output(); err != nil || string(out) != "true\n" {
		t.Fatalf("Node 20 or later is needed, this is %s%v", out, err)
	}
	if err := installPackages(); err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.Abs("node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

var installPackages = sync.OnceValue(func() error {
	lock, err := os.ReadFile("node/package-lock.json")
	if err != nil {
		return err
	}
	// Any registry, or a mirror of one, serves the packages by their hash.
	if bytes.Contains(lock, []byte(`"resolved"`)) {
		return errors.New(`node/package-lock.json has "resolved" addresses: remove those lines`)
	}
	sum := sha256.Sum256(lock)
	mark, want := "node/node_modules/.latchkey-lock", []byte(hex.EncodeToString(sum[:]))
	if done, err := os.ReadFile(mark); err == nil && slices.Equal(done, want) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--omit=optional")
	cmd.Dir = "node"
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New("npm ci: " + err.Error() + ": " + string(out))
	}
	return os.WriteFile(mark, want, 0o600)
})

var expressOpenIDConnect = application{
	name: "express-openid-connect", example: "express-openid-connect.js",
	callback: "/callback", postLogout: origin,
	login: "/login", whoami: "/", logout: "/logout",
	sees:      map[string]string{"name": fullName, "email": email, "preferred_username": username},
	refreshes: true, federated: true,
	wrongSecret: "challenge in the WWW-Authenticate HTTP Header", // it says no more; `latchkey client doctor` does
	start:       node("idpLogout: true", "idpLogout: true, httpTimeout: 60_000"),
}

func TestExpressOpenIDConnect(t *testing.T) {
	t.Parallel()
	expressOpenIDConnect.run(t)
}

var nextAuth = application{
	name: "next-auth 4", example: "next-auth.js",
	callback: "/api/auth/callback/latchkey",
	login:    "/api/auth/signin", whoami: "/api/auth/session", logout: "/api/auth/signout",
	sees:        map[string]string{"user": "map[email:" + email + " name:" + fullName + "]", "error": "<nil>"},
	refreshes:   true,
	wrongSecret: "invalid_client",
	start:       nodeProgram("next-auth-server.js", "idToken: true", "idToken: true, httpOptions: { timeout: 60_000 }"),
}

func TestNextAuth(t *testing.T) {
	t.Parallel()
	nextAuth.run(t)
}

func TestAuthJS(t *testing.T) {
	t.Parallel()
	application{
		name: "Auth.js", example: "auth-js.js",
		callback: "/auth/callback/latchkey",
		login:    "/auth/signin", whoami: "/auth/session", logout: "/auth/signout",
		sees:        map[string]string{"user": "map[email:" + email + " name:" + fullName + "]", "error": "<nil>"},
		refreshes:   true,
		wrongSecret: "invalid_client",
		start:       node(),
	}.run(t)
}

func TestBetterAuth(t *testing.T) {
	t.Parallel()
	application{
		name: "better-auth", example: "better-auth.js",
		callback: "/api/auth/callback/latchkey", postLogout: "/goodbye",
		login: "/login", whoami: "/", logout: "/logout",
		sees:      map[string]string{"name": fullName, "email": email, "preferred_username": username},
		refreshes: true, federated: true,
		wrongSecret: "invalid_client",
		start:       node(),
	}.run(t)
}

var passport = application{
	name: "passport-openidconnect", example: "passport-openidconnect.js",
	callback: "/callback", postLogout: "/goodbye",
	login: "/login", whoami: "/", logout: "/logout",
	sees:        map[string]string{"name": fullName, "email": email},
	federated:   true,
	wrongSecret: "Client authentication failed",
	start:       node(),
}

func TestPassportOpenIDConnect(t *testing.T) {
	t.Parallel()
	passport.run(t)
}
