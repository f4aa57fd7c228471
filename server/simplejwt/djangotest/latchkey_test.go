package djangotest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latchkey/latchkeytest"
)

// patience is the time limit of every wait for a process.
const patience = latchkeytest.Patience

func TestMain(m *testing.M) { latchkeytest.Main(m) }

// deployment is a Latchkey with an SQLite database of its own.
type deployment struct{ *latchkeytest.Server }

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{latchkeytest.New(t, latchkeytest.Config{})}
	d.Run("", "migrate", "up")
	return d
}

// withUsers adds Django's users with their ids and their passwords' hashes.
func (d *deployment) withUsers(t *testing.T, users []account, hashes map[int64]string) *deployment {
	t.Helper()
	for _, u := range users {
		d.addUser(u, hashes[u.ID])
	}
	return d
}

func (d *deployment) addUser(u account, hash string) {
	args := []string{"user", "add", "--id", itoa(u.ID)}
	if !u.Active {
		args = append(args, "--inactive")
	}
	if strings.HasPrefix(hash, "!") {
		args, hash = append(args, "--no-password"), ""
	} else {
		args = append(args, "--password-hash-stdin")
	}
	d.Run(hash+"\n", append(args, "--", u.Username)...)
}

// copyOf returns another deployment with the same content; neither may be running.
func (d *deployment) copyOf(t *testing.T) *deployment {
	t.Helper()
	other := &deployment{latchkeytest.New(t, latchkeytest.Config{})}
	files, err := os.ReadDir(d.Folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		copyFile(t, filepath.Join(d.Folder, f.Name()), filepath.Join(other.Folder, f.Name()))
	}
	return other
}

// client registers a client and returns its id and secret.
func (d *deployment) client(flags ...string) (id, secret string) {
	c := d.AddClient(flags...)
	return c.ID, c.Secret
}

// serve runs the server and returns its address.
func (d *deployment) serve(flags ...string) string {
	d.Start(slices.Concat([]string{"serve", "--login-throttle=off"}, flags)...)
	return d.Listen
}
