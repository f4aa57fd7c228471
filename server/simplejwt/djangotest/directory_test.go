package djangotest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest"
	"latchkey/server/password"
	"latchkey/storage"
	"latchkey/storage/postgres/postgrestest"
)

// do runs Python in the project, and returns what it prints.
func (s *site) do(t *testing.T, code string) string {
	t.Helper()
	cmd := exec.Command(python, "-c", "import os, sys, django\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\ndjango.setup()\n"+
		"from django.contrib.auth.models import User, Group\nfrom django.contrib.auth.hashers import check_password, make_password\n"+code)
	cmd.Dir, cmd.Env = project(t), s.environment(t, "norotate")
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", code, err, problem.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// ask posts JSON and returns the answer, which has the status.
func ask(t *testing.T, status int, url string, body map[string]string) map[string]any {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	got, answer := postJSON(t, url, text)
	// A machine that runs all tests at once may take longer for a password than the server lets another one wait.
	for tries := 0; tries < 30 && got == http.StatusServiceUnavailable && status != got; tries++ {
		time.Sleep(time.Second)
		got, answer = postJSON(t, url, text)
	}
	if got != status {
		t.Fatalf("%s %v: status %d, want %d: %s", url, body, got, status, answer)
	}
	var fields map[string]any
	if err := json.Unmarshal(answer, &fields); err != nil {
		t.Fatalf("%s: %s", url, answer)
	}
	return fields
}

func postJSON(t *testing.T, url string, body []byte) (status int, answer []byte) {
	t.Helper()
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func claimsOf(t *testing.T, token any) map[string]any {
	t.Helper()
	parts := strings.Split(token.(string), ".")
	var claims map[string]any
	if err := json.Unmarshal(segmentOf(t, parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// A real Django and Latchkey beside each other in one database, with the tables that Django's migrate has made: whatever happens to a user in Django
// holds here, tokens of both work at both, and nobody is logged out whose account has not changed.
func TestUsersStayInDjango(t *testing.T) {
	needDjango(t)
	t.Parallel()
	everybody := accounts(t)
	s := newSiteIn(t, postgrestest.URL(t), everybody)
	s.do(t, `User.objects.filter(username='alice').update(first_name='Alice', last_name='Liddell'); User.objects.get(username='alice').groups.add(Group.objects.create(name='editors'))`)
	example, err := filepath.Abs("../../../docs/examples/django-hook")
	if err != nil {
		t.Fatal(err)
	}
	django := "http://" + s.serveWith(t, "hook", example)
	d := &deployment{latchkeytest.New(t, latchkeytest.Config{Database: s.database, Env: []string{
		"LATCHKEY_SECRET=" + secretKey, "LATCHKEY_SIMPLEJWT_SIGNING_KEY=" + secretKey, "LATCHKEY_DJANGO_HOOK_KEY=" + secretKey + " of the hook",
	}})}
	here := "http://" + d.serve("--users-from=django", "--django-hook="+django+"/latchkey/login/",
		"--simplejwt-claims-query=SELECT first_name, is_superuser FROM auth_user WHERE id = $1", "--simplejwt-answer-claims=first_name")
	login := func(status int, at, name, password string) map[string]any {
		t.Helper()
		return ask(t, status, at+"/api/token/", map[string]string{"username": name, "password": password})
	}
	refresh := func(status int, at string, token any) map[string]any {
		t.Helper()
		return ask(t, status, at+"/api/token/refresh/", map[string]string{"refresh": token.(string)})
	}

	// Everybody logs in here as there.
	for _, u := range everybody {
		status := 200
		switch { // as in Django, whose serializers strip passwords
		case u.Hasher == "unusable":
			status = 400
		case !u.Active || strings.TrimSpace(u.Password) != u.Password:
			status = 401
		}
		login(status, here, u.Username, u.Password)
	}
	// The hook calls the site's own serializer; the query is asked at the refresh too.
	mine, theirs := login(200, here, "alice", passwordOf(everybody, "alice")), login(200, django, "alice", passwordOf(everybody, "alice"))
	for _, name := range []string{"tenant", "groups", "user_id"} {
		if a, b := encode(claimsOf(t, mine["access"])[name]), encode(claimsOf(t, theirs["access"])[name]); a != b {
			t.Errorf("%s is %s here and %s in Django", name, a, b)
		}
	}
	if encode(mine["user"]) != encode(theirs["user"]) || mine["first_name"] != "Alice" {
		t.Errorf("the answers are %v and %v", mine, theirs)
	}
	s.do(t, `User.objects.filter(username='alice').update(first_name='Alicia')`)
	mine = refresh(200, here, mine["refresh"])
	if got := claimsOf(t, mine["access"]); got["first_name"] != "Alicia" || got["tenant"] != "tenant of alice" {
		t.Errorf("after a refresh the claims are %v", got)
	}
	// Tokens of each work at the other.
	ask(t, 200, django+"/api/token/verify/", map[string]string{"token": mine["access"].(string)})
	refresh(200, django, mine["refresh"])
	adopted := refresh(200, here, theirs["refresh"])

	// Who signs up in Django logs in at once, and a hash that Django makes anew ends nothing.
	s.do(t, `User.objects.create_user('later', password='their password', id=500); User.objects.create(id=501, username='weak', password=make_password('their password', hasher='md5'))`)
	login(200, here, "later", "their password")
	weak := login(200, here, "weak", "their password")
	before := s.do(t, `print(User.objects.get(username='weak').password)`)
	login(200, django, "weak", "their password")
	if after := s.do(t, `print(User.objects.get(username='weak').password)`); after == before {
		t.Error("Django has not hashed the password anew")
	}
	login(200, here, "weak", "their password")
	refresh(200, here, weak["refresh"])

	// A new password, an inactive account, a deleted one.
	s.do(t, `u = User.objects.get(username='alice'); u.set_password('another password'); u.save()`)
	refresh(401, here, adopted["refresh"])
	refresh(401, here, mine["refresh"])
	again := login(200, here, "alice", "another password")
	s.do(t, `User.objects.filter(username='alice').update(is_active=False)`)
	refresh(401, here, again["refresh"])
	s.do(t, `User.objects.filter(username='alice').update(is_active=True)`)
	refresh(401, here, again["refresh"])
	gone := login(200, here, "later", "their password")
	s.do(t, `User.objects.get(username='later').delete()`)
	refresh(401, here, gone["refresh"])
}

// What an account page writes is what Django verifies, and does not replace at the next login.
func TestDjangoVerifiesHashesMadeAlike(t *testing.T) {
	needDjango(t)
	t.Parallel()
	s := newSite(t, []account{})
	hasher := password.NewHasher(password.Config{})
	for name, like := range map[string]string{
		"pbkdf2_sha256": s.do(t, `print(make_password('old'))`), "md5": s.do(t, `print(make_password('old', hasher='md5'))`), "unusable": "!abc", "empty": "",
	} {
		encoded, err := hasher.HashLike(t.Context(), storage.Secret("new pässword"), like)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.do(t, `from django.contrib.auth.hashers import identify_hasher
h = `+"'''"+encoded+"'''"+`
print(check_password('new pässword', h), check_password('old', h), identify_hasher(h).must_update(h))`); got != "True False False" && !(name != "pbkdf2_sha256" && strings.HasPrefix(got, "True False")) {
			t.Errorf("%s: %s: %s", name, encoded, got)
		}
	}
}

func segmentOf(t *testing.T, segment string) []byte {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func encode(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func passwordOf(all []account, name string) string {
	for _, u := range all {
		if u.Username == name {
			return u.Password
		}
	}
	return ""
}
