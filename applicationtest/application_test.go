package applicationtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/latchkeytest"
	"latchkey/latchkeytest/form"
)

// application is a web application, and what is expected of it.
type application struct {
	// name is what docs/applications.md calls it.
	name string
	// example is its file in docs/examples/applications.
	example string
	// here are the flags of `latchkey client add` besides those that every application has, as the page says in its last column.
	here []string
	// callback and postLogout are paths: of its redirect URI, and of where a logout ends (origin is the address without a slash).
	callback, postLogout string
	// start runs it, until the test ends.
	start func(t *testing.T, s *site)
	// login is where a login begins, whoami answers with what the application knows about the user, and only to a user who is
	// signed in. logout ends the session.
	login, whoami, logout string
	// sees are the fields of whoami's answer.
	sees map[string]string
	// refreshes says that the application refreshes expired tokens by itself.
	refreshes bool
	// federated says that its logout ends the session at Latchkey too.
	federated bool
	// wrongSecret is what it shows or logs when its secret is wrong.
	wrongSecret string
}

// origin as a path is none at all: a URI that ends with the port.
const origin = "(origin)"

// site is one running application.
type site struct {
	*latchkey
	client latchkeytest.Client
	// Address is host:port, URL the origin, Folder its own.
	Address, URL, Folder string
	file                 string                // the application's example
	process              *latchkeytest.Process // nil if it runs in the test itself
}

// run takes an application through its life.
func (a application) run(t *testing.T) {
	t.Helper()
	a.checkDocs(t)
	s := a.begin(t)
	p := newPerson(t)
	a.logIn(t, s, p)
	if a.refreshes {
		a.refresh(t, s, p)
		a.eightAtOnce(t, s, p)
		a.refresh(t, s, p) // whichever of the eight answers the browser kept
	}
	a.logOut(t, s, p)
	a.breakSecret(t, s)
	a.breakRedirectURI(t, s)
}

// begin registers the application as docs/applications.md says, and starts it.
func (a application) begin(t *testing.T) *site {
	t.Helper()
	s := &site{latchkey: serve(t), Address: freeAddress(t), Folder: t.TempDir(), file: a.example}
	s.URL = "http://" + s.Address
	flags := []string{
		"--client-name=" + a.name, "--redirect-uri=" + s.URL + a.callback,
		"--grant-type=authorization_code", "--grant-type=refresh_token", "--scope=openid profile email offline_access",
	}
	if a.postLogout != "" {
		flags = append(flags, "--post-logout-redirect-uri="+s.URL+strings.TrimPrefix(a.postLogout, origin))
	}
	s.client = s.AddClient(append(flags, a.here...)...)
	a.start(t, s)
	return s
}

// logIn signs a person in, and checks what the application knows then.
func (a application) logIn(t *testing.T, s *site, p *person) {
	t.Helper()
	end := p.visit(t, s.URL+a.login)
	if !slices.Contains(p.shown, "/login") {
		t.Fatalf("%s: the login page was not shown, but %q; in the end %s", a.name, p.shown, end)
	}
	a.checkUser(t, p.get(t, s.URL+a.whoami), "after the login", end)
}

func (a application) checkUser(t *testing.T, answer *page, when string, before fmt.Stringer) {
	t.Helper()
	if err := a.user(answer); err != nil {
		t.Fatalf("%s, %s: %v\nbefore: %v", a.name, when, err, before)
	}
}

// user is nil if the application knows the user.
func (a application) user(answer *page) error {
	var seen map[string]any
	if err := json.Unmarshal([]byte(answer.body), &seen); err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it does not know the user: %s, location %q", answer, answer.Header.Get("Location"))
	}
	for name, want := range a.sees {
		if got := fmt.Sprint(seen[name]); got != want {
			return fmt.Errorf("%s = %q, want %q; all: %s", name, got, want, answer.body)
		}
	}
	return nil
}

// refresh has the access token expire, and expects a refresh and a user who notices nothing.
func (a application) refresh(t *testing.T, s *site, p *person) {
	t.Helper()
	before, _ := s.refreshes()
	expire()
	answer := p.get(t, s.URL+a.whoami)
	a.checkUser(t, answer, "after a refresh", answer)
	after, errors := s.refreshes()
	if after == before || errors != nil {
		t.Errorf("%s: %d refreshes, the errors: %q", a.name, after-before, errors)
	}
}

// eightAtOnce has the access token expire before eight requests of one browser.
func (a application) eightAtOnce(t *testing.T, s *site, p *person) {
	t.Helper()
	before, _ := s.refreshes()
	expire()
	var answers [8]*page
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() {
			request := form.Request(t, http.MethodGet, s.URL+a.whoami, nil)
			answers[i] = p.send(t, request)
		})
	}
	wait.Wait()
	for _, answer := range answers {
		if answer == nil {
			t.Fatal("a request failed")
		}
		a.checkUser(t, answer, "one of eight requests at once", answer)
	}
	after, errors := s.refreshes()
	if after == before || errors != nil {
		t.Errorf("%s: eight requests at once made %d refreshes, the errors: %q", a.name, after-before, errors)
	}
	t.Logf("%s: eight requests at once made %d refreshes", a.name, after-before)
}

// expire waits until every access token issued so far has expired. Applications count in whole seconds.
func expire() { time.Sleep(lifetime + 1100*time.Millisecond) }

// logOut logs out, and expects the application, and Latchkey if the logout goes there, to have forgotten the user.
func (a application) logOut(t *testing.T, s *site, p *person) {
	t.Helper()
	if a.logout == "" {
		return
	}
	end := p.visit(t, s.URL+strings.ReplaceAll(a.logout, "{app}", url.QueryEscape(s.URL)))
	if want := s.URL + strings.TrimPrefix(a.postLogout, origin); a.postLogout != "" && !strings.HasPrefix(end.Request.URL.String(), want) {
		t.Errorf("%s: the logout ends at %s, want %s", a.name, end, want)
	}
	if a.user(p.get(t, s.URL+a.whoami)) == nil {
		t.Errorf("%s: still signed in after the logout, which ended at %s", a.name, end)
	}
	if a.federated {
		p.shown = nil
		p.visit(t, s.URL+a.login)
		if !slices.Contains(p.shown, "/login") {
			t.Errorf("%s: after the logout the next login was not asked for a password, the pages: %q", a.name, p.shown)
		}
	}
}

// breakSecret changes the client's secret, and looks for what the application and the operator are told.
func (a application) breakSecret(t *testing.T, s *site) {
	t.Helper()
	s.Run("", "client", "rotate-secret", s.client.ID)
	var end *page
	await(t, a.name+" with a wrong secret", func() (bool, string) {
		p := newPerson(t)
		end = p.visit(t, s.URL+a.login) // until the server has noticed
		return s.refused("authorization_code") && a.user(p.get(t, s.URL+a.whoami)) != nil, end.String()
	})
	s.says(t, end, a.wrongSecret)
	t.Logf("%s with a wrong secret: %s", a.name, end)
	s.doctorSays(t, "The secret is missing or wrong")
}

// breakRedirectURI registers another redirect URI, and expects Latchkey's page to name the one that arrived.
func (a application) breakRedirectURI(t *testing.T, s *site) {
	t.Helper()
	other := s.URL + "/another"
	s.Run("", "client", "update", s.client.ID, "--redirect-uri="+other)
	var end *page
	await(t, a.name+" with a wrong redirect URI", func() (bool, string) {
		end = newPerson(t).visit(t, s.URL+a.login)
		return strings.HasPrefix(end.Request.URL.String(), s.Issuer+"/oauth2/authorize?"), end.String() // until the server has noticed
	})
	if said := text(end.body); !strings.Contains(said, s.URL+a.callback) {
		t.Errorf("%s: the error page does not name the redirect URI that arrived: %s", a.name, end)
	}
	t.Logf("%s with a wrong redirect URI: %s", a.name, end)
	s.doctorSays(t, s.URL+a.callback)
	s.doctorSays(t, other)
}

// says expects words on a page of the application, or soon in its log.
func (s *site) says(t *testing.T, end *page, words string) {
	t.Helper()
	await(t, "a page or the log with "+words, func() (bool, string) {
		said := text(end.body) + s.log()
		return strings.Contains(said, words), end.String()
	})
}

func (s *site) doctorSays(t *testing.T, words string) {
	t.Helper()
	await(t, "`latchkey client doctor` with "+words, func() (bool, string) {
		said := string(s.Run("", "client", "doctor", s.client.ID))
		return strings.Contains(said, words), said
	})
}

// log is what the application has written, if it is a process.
func (s *site) log() string {
	if s.process == nil {
		return ""
	}
	return s.process.Log()
}

// start runs the application's process until the test ends, and waits until it answers.
func (s *site) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var err error
	if s.process, err = latchkeytest.StartProcess(cmd, filepath.Join(s.Folder, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.process.Kill()
		if t.Failed() {
			t.Logf("the application's log:\n%s", s.log())
		}
	})
	await(t, filepath.Base(cmd.Path)+" at "+s.URL, func() (bool, string) {
		select {
		case <-s.process.Ended():
			t.Fatalf("%s ended: %s", cmd.Path, s.log())
		default:
		}
		answer, err := http.Get(s.URL + "/")
		if err != nil {
			return false, err.Error()
		}
		answer.Body.Close()
		return true, ""
	})
}

// example returns the application's file with the values of this site in it.
func (s *site) example(t *testing.T, more ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(examplesFolder, s.file))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(append(more, "https://id.example.com", s.Issuer, "https://app.example.com", s.URL)...).Replace(string(content))
	text = clientID.ReplaceAllLiteralString(text, s.client.ID)
	return clientSecret.ReplaceAllLiteralString(text, s.client.Secret)
}

// What stands for the credentials in the examples; OIDC_RP_CLIENT_ID does not.
var clientID, clientSecret = regexp.MustCompile(`\bCLIENT_ID\b`), regexp.MustCompile(`\bCLIENT_SECRET\b`)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
