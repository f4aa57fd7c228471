package djangotest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// shadowReport is what the tests read of `latchkey django report --json`.
type shadowReport struct {
	Go          bool     `json:"go"`
	Against     []string `json:"against"`
	Differences []struct {
		Route, Kind, Detail string
		Breaks              bool
		Count               int
	} `json:"differences"`
	Routes map[string]struct {
		Requests, Compared, Differ, Dropped, Failed, Own int
		FellBack                                         int `json:"fell_back"`
	} `json:"routes"`
	Reuse struct{ Confirmed, Strict struct{ Requests int } } `json:"reuse"`
}

// report waits until so many requests were compared or answered here, and returns the report.
func (d *deployment) report(t *testing.T, state string, requests int) (r shadowReport, code int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		cmd := exec.Command(d.Binary, "django", "report", "--json", state)
		cmd.Env = d.Environment()
		out, err := cmd.Output()
		if len(out) > 0 {
			r = shadowReport{}
			if err := json.Unmarshal(out, &r); err != nil {
				t.Fatal(err)
			}
			done := 0
			for _, n := range r.Routes {
				done += n.Compared + n.Own + n.Dropped + n.Failed
			}
			if done >= requests {
				return r, cmd.ProcessState.ExitCode()
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the shadow has not compared %d requests after %s: %v %s", requests, patience, err, out)
		}
	}
}

// TestShadow: Django answers, nothing changes here, and the report says what would have been different: a user who is missing here,
// and a client that presents a refresh token after its successor.
func TestShadow(t *testing.T) {
	t.Parallel()
	needDjango(t)
	bob := account{ID: 2, Username: "bob", Password: "builder-22", Active: true, Hasher: "pbkdf2_sha256"}
	s := newSite(t, []account{alice, bob})
	django := s.serve(t, "rotate_blacklist", "")
	d := newDeployment(t).withUsers(t, []account{alice}, s.hashes)
	state := filepath.Join(d.Folder, "shadow.json")
	d.Start("django", "shadow", "--upstream=http://"+django, "--state="+state, "--simplejwt-signing-key="+secretKey, "--simplejwt-compat="+compat())
	b := &backend{deployment: d, latchkey: d.Listen}

	refresh, access := b.login(t, alice)
	first := refresh
	for range 3 {
		refresh, access = b.tokens(t, post(refreshPath, fmt.Sprintf(`{"refresh":%q}`, refresh)))
	}
	say := func(path, body string, status int) {
		t.Helper()
		answer, err := send(d.Listen, post(path, body))
		if err != nil || answer.status != status {
			t.Fatalf("%s: %v %+v", path, err, answer)
		}
	}
	say(verifyPath, fmt.Sprintf(`{"token":%q}`, access), 200)
	say(verifyPath, `{"token":"x"}`, 401)
	say(obtainPath, `{"username":"alice","password":"wrong"}`, 401)
	say(obtainPath, `{"username":"alice"}`, 400)
	say(refreshPath, `{"refresh":"x"}`, 401)
	say(blacklistPath, fmt.Sprintf(`{"refresh":%q}`, refresh), 200)

	r, code := d.report(t, state, 10)
	if !r.Go || code != 0 {
		t.Errorf("the same users, the same answers: no-go %q", r.Against)
	}
	for _, diff := range r.Differences {
		if diff.Breaks {
			t.Errorf("%+v", diff)
		}
	}

	b.login(t, bob) // whom Latchkey does not know
	r, code = d.report(t, state, 11)
	if r.Go || code != 1 || !slices.ContainsFunc(r.Against, func(s string) bool { return strings.Contains(s, "route token") }) {
		t.Errorf("a user who is missing here: go, %d, %q", code, r.Against)
	}
	if n := r.Routes["token"].Failed + r.Routes["refresh"].Failed + r.Routes["token"].Dropped; n != 0 {
		t.Errorf("%d requests were not compared", n)
	}
	if sessions := string(d.Run("", "session", "list", "--json")); strings.Contains(sessions, "client_id") {
		t.Errorf("the shadow has made sessions: %s", sessions)
	}
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{alice.Password, bob.Password, first, refresh, access, strings.Split(first, ".")[2]} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the file of counts has a secret")
		}
	}
}
