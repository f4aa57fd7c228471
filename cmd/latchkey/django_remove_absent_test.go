package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/users/external"
	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// An operator sees whose accounts are missing in Django's table, and removes what is kept of them, also when many are missing.
func TestDjangoRemoveAbsent(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), djangoTables+`DELETE FROM auth_user WHERE id > 1 AND id <= 4`); err != nil {
		t.Fatal(err)
	}
	store, err := postgres.Open(t.Context(), postgres.Config{URL: url, StatementTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for id := int64(1); id <= 4; id++ {
		if _, err := store.EnterUser(t.Context(), storage.UserEntry{ID: id, PasswordHash: "x", Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	const client = "told"
	reg := registry.New(registry.Config{Store: store, Now: time.Now})
	if _, _, err := reg.Add(t.Context(), clients.Registration{ID: client, Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{"https://rp.example/cb"}, TokenEndpointAuthMethod: "none", BackchannelLogoutURI: "https://rp.example/logout",
	}}); err != nil {
		t.Fatal(err)
	}
	session := storage.NewID(time.Now())
	if err := store.CreateGrant(t.Context(), &storage.Grant{
		ID: storage.NewID(time.Now()), ClientID: client, UserID: 4, SessionID: session, AuthTime: time.Now(), CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}, nil); err != nil {
		t.Fatal(err)
	}
	do := func(want int, command ...string) string {
		t.Helper()
		var stdout, stderr strings.Builder
		args := append(command, "--json", "--users-from", "django", "--database-url", url)
		if code := run(t.Context(), args, nil, strings.NewReader(""), &stdout, &stderr); code != want {
			t.Fatalf("%v: exit status %d: %s%s", command, code, stdout.String(), stderr.String())
		}
		return stdout.String() + stderr.String()
	}
	sweep := func(want int, flags ...string) (r external.Swept, out string) {
		t.Helper()
		out = do(want, append([]string{"django", "remove-absent"}, flags...)...)
		if err := json.Unmarshal([]byte(strings.SplitN(out, "\n", 2)[0]), &r); err != nil {
			t.Fatal(err, out)
		}
		return r, out
	}
	expect := func(got external.Swept, want string) {
		t.Helper()
		if text := fmt.Sprintf("%+v", got); text != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
	r, _ := sweep(0, "--after", "0s", "--dry-run")
	expect(r, "{Seen:4 Absent:3 Due:3 Removed:0}")
	if absent, seen, err := store.CountAbsent(t.Context()); err != nil || absent != 0 || seen != 4 {
		t.Errorf("a dry run notes %d of %d users: %v", absent, seen, err)
	}
	r, _ = sweep(0)
	expect(r, "{Seen:4 Absent:3 Due:0 Removed:0}")
	r, out := sweep(1, "--after", "0s")
	if expect(r, "{Seen:4 Absent:3 Due:3 Removed:0}"); !strings.Contains(out, "--any-number") {
		t.Errorf("no word of --any-number: %s", out)
	}
	doctor := func(finding string) {
		t.Helper()
		var stdout, stderr strings.Builder
		run(t.Context(), []string{"doctor", "--users-from", "django", "--database-url", url}, nil, strings.NewReader(""), &stdout, &stderr)
		if !strings.Contains(stdout.String(), finding) {
			t.Errorf("doctor does not say %q: %s", finding, stdout.String())
		}
	}
	doctor("the accounts of 3 of 4 users are missing in Django's table: so many")
	if _, err := conn.Exec(t.Context(), `INSERT INTO auth_user (id, username, password) VALUES (2, 'back2', 'x'), (3, 'back3', 'x')`); err != nil {
		t.Fatal(err)
	}
	r, _ = sweep(0, "--after", "1h")
	expect(r, "{Seen:4 Absent:1 Due:0 Removed:0}")
	doctor("the accounts of 1 of 4 users are missing in Django's table; what is kept of them is removed when that was so for 30d")
	r, _ = sweep(0, "--after", "0s", "--any-number")
	expect(r, "{Seen:4 Absent:1 Due:1 Removed:1}")
	if _, err := store.User(t.Context(), 4); err == nil {
		t.Error("user 4 is kept")
	}
	notices, err := store.ClaimLogoutNotices(t.Context(), time.Now(), time.Minute, 10)
	if err != nil || len(notices) != 1 || notices[0].SessionID != session || notices[0].Sub() != "4" {
		t.Errorf("the notices are %v: %v", notices, err)
	}
}
