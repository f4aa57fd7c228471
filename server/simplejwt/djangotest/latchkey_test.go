package djangotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if built.folder != "" {
		os.RemoveAll(built.folder)
	}
	os.Exit(code)
}

// built is the real binary, made once for all tests of the run.
var built struct {
	once         sync.Once
	folder, path string
	err          error
}

func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.folder, built.err = os.MkdirTemp("", "latchkey-djangotest-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.folder, "latchkey")
		cmd := exec.Command("go", "build", "-o", built.path, "latchkey/cmd/latchkey")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build: %w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// deployment is a Latchkey with an SQLite database of its own.
type deployment struct {
	binary, folder string
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{binary(t), t.TempDir()}
	d.run(t, "", "migrate", "up")
	return d
}

// withUsers adds Django's users with their ids and their passwords' hashes.
func (d *deployment) withUsers(t *testing.T, users []account, hashes map[int64]string) *deployment {
	t.Helper()
	for _, u := range users {
		d.addUser(t, u, hashes[u.ID])
	}
	return d
}

func (d *deployment) addUser(t *testing.T, u account, hash string) {
	t.Helper()
	args := []string{"user", "add", "--id", itoa(u.ID)}
	if !u.Active {
		args = append(args, "--inactive")
	}
	if strings.HasPrefix(hash, "!") {
		args, hash = append(args, "--no-password"), ""
	} else {
		args = append(args, "--password-hash-stdin")
	}
	d.run(t, hash+"\n", append(args, "--", u.Username)...)
}

// copyOf is another deployment with the same content; neither may be running.
func (d *deployment) copyOf(t *testing.T) *deployment {
	t.Helper()
	other := &deployment{d.binary, t.TempDir()}
	files, err := os.ReadDir(d.folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		copyFile(t, filepath.Join(d.folder, f.Name()), filepath.Join(other.folder, f.Name()))
	}
	return other
}

// run runs a command and gives what it prints.
func (d *deployment) run(t *testing.T, stdin string, args ...string) []byte {
	t.Helper()
	cmd := d.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("latchkey %s: %v: %s", strings.Join(args, " "), err, problem.Bytes())
	}
	return out
}

func (d *deployment) command(args ...string) *exec.Cmd {
	cmd := exec.Command(d.binary, args...)
	cmd.Dir = d.folder
	cmd.Env = []string{
		"HOME=" + d.folder, "PATH=/usr/bin:/bin", "TZ=UTC",
		"LATCHKEY_DATABASE_URL=sqlite:" + filepath.Join(d.folder, "latchkey.db"), "LATCHKEY_ARGON2=m=64,t=1,p=1",
	}
	return cmd
}

// client registers a client and gives its id and secret.
func (d *deployment) client(t *testing.T, flags ...string) (id, secret string) {
	t.Helper()
	var added struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	out := d.run(t, "", slices.Concat([]string{"client", "add"}, flags)...)
	if err := json.Unmarshal(out, &added); err != nil {
		t.Fatalf("client add: %v: %s", err, out)
	}
	return added.ID, added.Secret
}

var latchkeyReady = regexp.MustCompile(`"msg":"serving"[^\n]*"listen":"([^"]+)"`)

// serve runs the server and gives its address.
func (d *deployment) serve(t *testing.T, flags ...string) string {
	t.Helper()
	cmd := d.command(slices.Concat([]string{
		"serve", "--listen=127.0.0.1:0", "--admin-listen=", "--log-format=json", "--login-throttle=off",
	}, flags)...)
	address, _ := startProcess(t, cmd, latchkeyReady)
	return address
}
