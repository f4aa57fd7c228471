package clienttest

import (
	"os"
	"testing"

	"latchkey/latchkeytest"
)

// patience is the time limit of every wait for a process.
const patience = latchkeytest.Patience

func TestMain(m *testing.M) { latchkeytest.Main(m) }

// The user that every server has.
const (
	username = "demo"
	password = "demo-password"
	email    = "demo@example.com"
)

// latchkey is a running server with an SQLite database of its own.
type latchkey struct{ *latchkeytest.Server }

// serve runs `latchkey serve` with the user until the test ends.
func serve(t *testing.T, flags ...string) *latchkey {
	t.Helper()
	return serveIn(t, nil, flags...)
}

// serveIn does the same with additional environment variables.
func serveIn(t *testing.T, env []string, flags ...string) *latchkey {
	t.Helper()
	l := &latchkey{latchkeytest.New(t, latchkeytest.Config{Env: env})}
	l.Run(password+"\n", "user", "add", "--email", email, "--password-stdin", username)
	l.Start(append([]string{"serve"}, flags...)...)
	return l
}

// demo runs `latchkey demo` until the test ends; it makes the same user itself.
func demo(t *testing.T) *latchkey {
	t.Helper()
	return demoIn(t, latchkeytest.Config{})
}

// demoAtPath runs a demo whose issuer has a path, as behind a proxy that serves other things too.
func demoAtPath(t *testing.T) *latchkey {
	t.Helper()
	return demoIn(t, latchkeytest.Config{IssuerPath: "/auth"})
}

func demoIn(t *testing.T, cfg latchkeytest.Config) *latchkey {
	t.Helper()
	cfg.Folder = t.TempDir()
	cfg.Database = "sqlite:" + cfg.Folder + "/.latchkey-demo/latchkey.db" // for commands: the demo decides itself
	l := &latchkey{latchkeytest.New(t, cfg)}
	l.Start("demo")
	return l
}

// registered is a client with its secret.
type registered = latchkeytest.Client

// addClient registers a client of the code flow with these additional flags.
func (l *latchkey) addClient(t *testing.T, flags ...string) registered {
	t.Helper()
	return l.AddClient(append([]string{
		"--client-name=" + t.Name(), "--redirect-uri=" + callback, "--grant-type=authorization_code,refresh_token",
		"--scope=openid profile email offline_access",
	}, flags...)...)
}

// callback is a redirect URI at which nothing listens: the driver never goes there.
const callback = "http://127.0.0.1/callback"

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
