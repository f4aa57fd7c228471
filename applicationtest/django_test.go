package applicationtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// TestDjangoAdmin signs a member of a site's staff in to Django's admin. The user is the site's own, found by its key, which is the sub of the
// token; a user whom the site does not have, or has as inactive, gets nowhere, and one without is_staff does not get into the admin.
func TestDjangoAdmin(t *testing.T) {
	t.Parallel()
	a := application{
		name: "Django admin", example: "django_admin_app.py",
		callback: "/complete/oidc/", postLogout: "/goodbye", login: "/admin/", whoami: "/whoami", logout: "/admin/logout/",
		start: startPython,
	}
	a.checkDocs(t)
	s := a.begin(t)
	var user struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal(s.Run("", "user", "show", "--json", username), &user); err != nil || user.ID == 0 {
		t.Fatalf("%+v, %v", user, err)
	}
	sql := func(statement string) {
		t.Helper()
		cmd := exec.Command(python, "-c", "import sqlite3, sys; c = sqlite3.connect('app.db', timeout=60); c.execute(sys.argv[1]); c.commit()", statement)
		cmd.Dir = s.Folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}

	stranger := newPerson(t)
	if end := stranger.visit(t, s.URL+a.login); end.StatusCode != http.StatusForbidden || !strings.Contains(end.body, "may not sign in") {
		t.Errorf("a user whom the site does not have: %s", end)
	}
	sql(fmt.Sprintf(`INSERT INTO auth_user (id, username, password, email, first_name, last_name, is_staff, is_active, is_superuser, date_joined)
		VALUES (%d, 'the name in Django', '!', '', '', '', 1, 1, 1, '2026-01-01')`, user.ID))
	p := newPerson(t)
	if end := p.visit(t, s.URL+a.login); end.StatusCode != http.StatusOK || !strings.Contains(end.body, "Site administration") {
		t.Fatalf("the admin: %s", end)
	}
	a.sees = map[string]string{"pk": fmt.Sprint(user.ID), "staff": "true", "django": "the name in Django"}
	if got := p.get(t, s.URL+a.whoami); !strings.Contains(got.body, fmt.Sprintf(`"pk": %d, "staff": true, "django": "the name in Django"`, user.ID)) {
		t.Errorf("%s", got)
	}
	p.visit(t, s.URL+a.logout)
	if got := p.get(t, s.URL+a.whoami); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the logout: %s", got)
	}
	sql(`UPDATE auth_user SET is_staff = 0`)
	if end := newPerson(t).visit(t, s.URL+a.login); end.StatusCode != http.StatusForbidden {
		t.Errorf("without is_staff: %s", end)
	}
	sql(`UPDATE auth_user SET is_active = 0`)
	if end := newPerson(t).visit(t, s.URL+a.login); end.StatusCode != http.StatusForbidden {
		t.Errorf("inactive: %s", end)
	}
}
