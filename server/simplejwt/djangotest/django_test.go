package djangotest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// secretKey is Django's, and Latchkey's --simplejwt-signing-key.
const secretKey = "django-insecure-a-secret-key-that-both-have-0123456789"

// account is a user of testdata/users.json.
type account struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
	Password string `json:"password"`
	Active   bool   `json:"active"`
	// Hasher is the name of one of Django's, "django" for its own cost, or "unusable".
	Hasher string `json:"hasher"`
}

func accounts(t *testing.T) (all []account) {
	t.Helper()
	text, err := os.ReadFile("testdata/users.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// site is a Django project with a database of its own.
type site struct {
	database string
	// hashes are the users' passwords as Django keeps them.
	hashes map[int64]string
}

// newSite makes the database with the users.
func newSite(t *testing.T, users []account) *site {
	t.Helper()
	return newSiteIn(t, filepath.Join(t.TempDir(), "django.sqlite3"), users)
}

// newSiteIn makes it in an SQLite file or in an empty Postgres database.
func newSiteIn(t *testing.T, database string, users []account) *site {
	t.Helper()
	s := &site{database: database}
	input, err := json.Marshal(users)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "prepare.py")
	cmd.Dir, cmd.Env, cmd.Stdin = project(t), s.environment(t, "norotate"), bytes.NewReader(input)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("prepare Django: %v: %s", err, problem.Bytes())
	}
	if err := json.Unmarshal(out, &s.hashes); err != nil {
		t.Fatalf("prepare Django: %v: %s", err, out)
	}
	return s
}

// copyOf is another site with the same users.
func (s *site) copyOf(t *testing.T) *site {
	t.Helper()
	other := &site{database: filepath.Join(t.TempDir(), "django.sqlite3"), hashes: s.hashes}
	copyFile(t, s.database, other.database)
	return other
}

var gunicornReady = regexp.MustCompile(`Listening at: http://(\S+)`)

// serve runs the project under gunicorn and gives its address. The profile is that of testdata/project/settings.py; an API's
// settings are pasted, and SIMPLE_JWT of the pasted settings is added to that of the other profiles.
func (s *site) serve(t *testing.T, profile, pasted string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "pasted.py"), []byte(pasted), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-m", "gunicorn", "--bind=127.0.0.1:0", "--workers=1", "--timeout=120", "--graceful-timeout=3", "wsgi:application")
	cmd.Dir = folder
	cmd.Env = append(s.environment(t, profile), "PYTHONPATH="+project(t)+":"+folder)
	return startProcess(t, cmd, gunicornReady)
}

// serveWith is serve for a profile of the real package, with one more folder of modules.
func (s *site) serveWith(t *testing.T, profile, modules string) string {
	t.Helper()
	cmd := exec.Command(python, "-m", "gunicorn", "--bind=127.0.0.1:0", "--workers=1", "--timeout=120", "--graceful-timeout=3", "wsgi:application")
	cmd.Dir = t.TempDir()
	cmd.Env = append(s.environment(t, profile), "PYTHONPATH="+project(t)+":"+modules)
	return startProcess(t, cmd, gunicornReady)
}

func (s *site) environment(t *testing.T, profile string) []string {
	return pythonEnvironment("PYTHONPATH="+project(t), "DJANGOTEST_PROFILE="+profile, "DJANGOTEST_DATABASE="+s.database,
		"DJANGOTEST_SECRET_KEY="+secretKey, "LATCHKEY_SIMPLEJWT_SIGNING_KEY="+secretKey)
}

func project(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("testdata/project")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func itoa[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }
