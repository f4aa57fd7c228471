package djangotest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"latchkey/latchkeytest"
	"latchkey/latchkeytest/debian"
	"latchkey/latchkeytest/port"
	"latchkey/storage/postgres/postgrestest"
)

// drillPackages are what the drill needs besides the others.
var drillPackages = []string{"nginx-light", "python3-psycopg2"}

const nginx = "/usr/sbin/nginx"

// needDrill skips the test where the packages are not installed, or installs them where they are required.
func needDrill(t *testing.T) {
	t.Helper()
	needDjango(t)
	look := func() error {
		_, missing := os.Stat(nginx)
		out, err := exec.Command(python, "-c", "import django.db.backends.postgresql.base").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return errors.Join(missing, err)
	}
	if os.Getenv(required) != "" {
		debian.Need(t, look, drillPackages...)
	}
	if err := look(); err != nil {
		t.Skipf("the drill needs nginx and psycopg2 (%v). `make test-django` installs them.", err)
	}
}

// drillSite is everything that runs: Django under gunicorn, Latchkey, a shadow with and one without a share, and nginx before them.
type drillSite struct {
	t        *testing.T
	model    string
	database string
	// django is the address of gunicorn, address that of nginx.
	django, address string
	// serve, shadow and tenth are Latchkey's servers.
	serve, shadow, tenth *latchkeytest.Server
	conf                 string
	nginx                *latchkeytest.Process
	// state is the file of the shadow's counts, inspected the description of the site.
	state, inspected string
}

// siteClaims are those that the site's own serializer puts into tokens.
const siteClaims = `SELECT tenant, (SELECT coalesce(json_agg(g.name ORDER BY g.name), '[]') FROM accounts_account_groups ag ` +
	`JOIN auth_group g ON g.id = ag.group_id WHERE ag.account_id = a.id) AS groups FROM accounts_account a WHERE a.id = $1`

const drillPassword = "wonderland-7"

// newDrillSite makes the tables and the users and starts everything. nginx leads to Django.
func newDrillSite(t *testing.T, model string, users int) *drillSite {
	t.Helper()
	s := &drillSite{t: t, model: model, database: postgrestest.URL(t)}
	s.python("prepare.py", strconv.Itoa(users), drillPassword)
	s.django = startProcess(t, s.command(python, "-m", "gunicorn", "--bind=127.0.0.1:0", "--workers=2", "--timeout=120",
		"--graceful-timeout=3", "--backlog=2048", "wsgi:application"), gunicornReady)

	folder := t.TempDir()
	inspected := filepath.Join(folder, "site.json")
	script, err := s.run(folder, nil, nil, "django", "inspect")
	if err != nil {
		t.Fatal(err)
	}
	shell := s.command(python, "-m", "django", "shell")
	shell.Stdin = bytes.NewReader(script)
	description, err := shell.Output()
	if err != nil {
		t.Fatalf("django shell: %v", err)
	}
	if err := os.WriteFile(inspected, description, 0o600); err != nil {
		t.Fatal(err)
	}
	s.state = filepath.Join(folder, "shadow.json")
	env := []string{
		"LATCHKEY_SECRET=the root secret of the drill, 32 bytes and more", "LATCHKEY_SIMPLEJWT_SIGNING_KEY=" + secretKey,
		"LATCHKEY_LOGIN_THROTTLE=off", "LATCHKEY_SIMPLEJWT_ROTATION_OVERLAP=60s", "LATCHKEY_LOG_LEVEL=warn", "LATCHKEY_SIMPLEJWT_BLACKLIST_WRITEBACK=on",
		"LATCHKEY_SIMPLEJWT_COMPAT=" + compat(),
		"DJANGO_DATABASE_URL=" + s.database,
	}
	if model == "custom" {
		env = append(env, "LATCHKEY_SIMPLEJWT_USERNAME_FIELD=email", "LATCHKEY_SIMPLEJWT_CLAIMS_QUERY="+siteClaims)
	}
	env = append(env, s.usersFromDjango(inspected)...)
	newServer := func() *latchkeytest.Server {
		return latchkeytest.New(t, latchkeytest.Config{Database: s.database, Env: env})
	}
	s.serve, s.shadow, s.tenth = newServer(), newServer(), newServer()
	s.inspected = inspected
	s.bringNew()
	s.followBlacklist()
	s.serve.Start("serve")
	s.shadow.Start("django", "shadow", "--upstream=http://"+s.django, "--state="+s.state)
	s.tenth.Start("django", "shadow", "--upstream=http://"+s.django, "--state="+s.state+".tenth", "--share=10%")
	s.startNginx()
	return s
}

func (s *drillSite) command(name string, args ...string) *exec.Cmd {
	folder, err := filepath.Abs("testdata/drill")
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	cmd.Env = pythonEnvironment("PYTHONPATH="+folder, "DRILL_MODEL="+s.model, "DRILL_DATABASE="+s.database,
		"DJANGOTEST_SECRET_KEY="+secretKey, "DJANGO_SETTINGS_MODULE=settings")
	return cmd
}

func (s *drillSite) python(args ...string) {
	s.t.Helper()
	if out, err := s.command(python, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %v: %s", args, err, tail(out, 3000))
	}
}

// run runs a command of Latchkey's.
func (s *drillSite) run(folder string, env []string, stdin []byte, args ...string) ([]byte, error) {
	binary, err := latchkeytest.Binary()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(s.t.Context(), binary, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = folder, append([]string{"PATH=/usr/bin:/bin", "HOME=" + folder}, env...), bytes.NewReader(stdin)
	return cmd.Output()
}

// usersStay is set if the users stay in Django's tables.
const usersStay = true

// usersFromDjango are the settings for that.
func (s *drillSite) usersFromDjango(inspected string) []string {
	if !usersStay {
		return nil
	}
	return []string{"LATCHKEY_USERS_FROM=django", "LATCHKEY_DJANGO_USERS=" + inspected, "LATCHKEY_DJANGO_DATABASE_URL=" + s.otherDatabase()}
}

// otherDatabase is empty for the stock model, whose tables are in Latchkey's database: then one statement reads both.
func (s *drillSite) otherDatabase() string {
	if s.model == "custom" {
		return s.database
	}
	return ""
}

// bringNew imports the users who are new or changed, where they don't stay in Django's tables.
func (s *drillSite) bringNew() {
	s.t.Helper()
	if !usersStay {
		s.serve.Run("", "django", "import", "users", "--inspected="+s.inspected)
	}
}

// followBlacklist copies what Django ends, from now on.
func (s *drillSite) followBlacklist() {
	s.t.Helper()
	binary, err := latchkeytest.Binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(binary, "django", "import", "blacklist", "--follow")
	cmd.Dir, cmd.Env = s.serve.Folder, s.serve.Environment()
	p, err := latchkeytest.StartProcess(cmd, filepath.Join(s.t.TempDir(), "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			s.t.Errorf("%v: %s", err, p.Log())
		}
	})
}

const nginxConf = `
daemon off;
%[5]s
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log warn;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	proxy_read_timeout 120s;
	proxy_set_header Host $http_host;
	proxy_set_header X-Forwarded-For $remote_addr;
	proxy_set_header X-Forwarded-Proto $scheme;
	server {
		listen %[2]s;
		location / { proxy_pass http://%[3]s; }
		location /api/token/ { proxy_pass http://%[4]s; }
	}
}
`

// configure writes nginx's configuration with the address that answers for the tokens.
func (s *drillSite) configure(to string) {
	s.t.Helper()
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the folder is the test's own
	}
	text := fmt.Sprintf(nginxConf, filepath.Dir(s.conf), s.address, s.django, to, user)
	if err := os.WriteFile(s.conf, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *drillSite) startNginx() {
	s.t.Helper()
	free, err := port.Free()
	if err != nil {
		s.t.Fatal(err)
	}
	s.address, s.conf = port.Address(free), filepath.Join(s.t.TempDir(), "nginx.conf")
	s.configure(s.django)
	log := filepath.Join(filepath.Dir(s.conf), "error.log")
	if s.nginx, err = latchkeytest.StartProcess(exec.Command(nginx, "-c", s.conf, "-e", log), filepath.Join(s.t.TempDir(), "log")); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.nginx.Kill() })
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("nginx does not serve: %v\n%s", err, s.nginx.Log())
		}
	}
}

// turn leads the token routes elsewhere, under way: requests that have begun are answered by the old side.
func (s *drillSite) turn(to string) {
	s.t.Helper()
	s.configure(to)
	if err := syscall.Kill(s.nginx.PID(), syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
}
