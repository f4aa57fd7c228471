package djangotest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage/postgres/postgrestest"
)

// TestWhatEndedHereIsDeadOnTheWayBack: Django refuses the tokens of sessions that ended at Latchkey, and goes on with the others. Its
// tables are those of the real package.
func TestWhatEndedHereIsDeadOnTheWayBack(t *testing.T) {
	t.Parallel()
	need52(t)
	database := postgrestest.EmptyURL(t)
	s := newSiteIn(t, database, []account{alice})
	django := s.serve(t, "rotate_blacklist", "")
	d := newDeployment(t).withUsers(t, []account{alice}, s.hashes)
	latchkey := d.serve("--simplejwt-signing-key="+secretKey, "--django-database-url="+database, "--simplejwt-blacklist-writeback=on")
	if out := d.Run("", "doctor", "--simplejwt-signing-key="+secretKey, "--django-database-url="+database, "--simplejwt-blacklist-writeback=on"); !strings.Contains(string(out), "can be ended in Django") {
		t.Errorf("doctor: %s", out)
	}

	end := func(refresh string) {
		t.Helper()
		if answer, err := send(latchkey, post(blacklistPath, fmt.Sprintf(`{"refresh":%q}`, refresh))); err != nil || answer.status != 200 {
			t.Fatalf("logout: %v %+v", err, answer)
		}
	}
	next := func(address, refresh string) string {
		t.Helper()
		status, following, _ := refreshWith(t, address, refresh)
		if status != 200 {
			t.Fatalf("refresh at %s: %d", address, status)
		}
		return following
	}
	dead := map[string]string{}
	login := func() string { refresh, _ := loginAt(t, latchkey, alice); return refresh }

	dead["logged out after its login"] = login()
	end(dead["logged out after its login"])
	dead["earlier token"] = login()
	dead["current token"] = next(latchkey, dead["earlier token"])
	end(dead["current token"])
	began, _ := loginAt(t, django, alice)
	dead["begun in Django, refreshed here"] = next(latchkey, began)
	end(dead["begun in Django, refreshed here"])
	dead["begun in Django"] = began
	dead["begun in Django, only logged out here"], _ = loginAt(t, django, alice)
	end(dead["begun in Django, only logged out here"])
	inFlight := next(django, next(latchkey, login()))
	dead["written anew by Django"] = next(latchkey, inFlight)
	end(dead["written anew by Django"])

	alive := map[string]string{"login": login(), "refreshed": next(latchkey, login())}
	own, _ := loginAt(t, django, alice)
	alive["begun in Django, refreshed here"] = next(latchkey, own)

	written := func(refresh string) bool {
		parsed, _ := parseToken(refresh)
		jti, _ := parsed.claim("jti")
		return inBlacklist(t, database, strings.Trim(jti, `"`))
	}
	for name, refresh := range dead {
		for deadline := time.Now().Add(patience); !written(refresh); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not in Django's blacklist after %s", name, patience)
			}
		}
		if status, _, _ := refreshWith(t, django, refresh); status != 401 {
			t.Errorf("%s: Django answers %d", name, status)
		}
	}
	for name, refresh := range alive {
		if status, _, _ := refreshWith(t, django, refresh); status != 200 {
			t.Errorf("%s: Django answers %d", name, status)
		}
	}
}

// inBlacklist reports whether a token is in Django's blacklist.
func inBlacklist(t *testing.T, url, jti string) (found bool) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), `
		SELECT EXISTS (SELECT FROM token_blacklist_blacklistedtoken b JOIN token_blacklist_outstandingtoken o ON o.id = b.token_id WHERE o.jti = $1)`,
		jti).Scan(&found); err != nil {
		t.Fatal(err)
	}
	return found
}
