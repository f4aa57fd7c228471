package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

const djangoTables = `
	CREATE TABLE auth_user (id serial PRIMARY KEY, password varchar(128), last_login timestamptz, is_superuser boolean, username varchar(150) UNIQUE,
		first_name varchar(150), last_name varchar(150), email varchar(254), is_staff boolean, is_active boolean, date_joined timestamptz);
	CREATE TABLE auth_group (id serial PRIMARY KEY, name varchar(150));
	CREATE TABLE auth_user_groups (id serial PRIMARY KEY, user_id integer REFERENCES auth_user, group_id integer REFERENCES auth_group);
	CREATE INDEX ON auth_user_groups (user_id);
	INSERT INTO auth_user SELECT n, 'pbkdf2_sha256$1000$salt' || n || '$' || encode(sha256(n::text::bytea), 'base64'), now(), false, 'user' || n, 'Ada', 'L', 'u@x', false, true, now() - interval '1 year'
		FROM generate_series(1, 12000) n;
	INSERT INTO auth_group VALUES (1, 'editors'), (2, 'b c');
	INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1), (1, 2);
	UPDATE auth_user SET password = '' WHERE id = 2;
	UPDATE auth_user SET password = 'pbkdf2_sha256$1000000000$salt$' || encode(sha256('x'), 'base64') WHERE id = 3;
	UPDATE auth_user SET password = 'argon2$argon2i$m=512,t=2,p=2$c2FsdHNhbHQ$aGFzaA' WHERE id = 4;
	UPDATE auth_user SET password = 'own$x$y' WHERE id = 5;
	UPDATE auth_user SET password = 'crypt$$$6$x$y' WHERE id = 10;
	UPDATE auth_user SET password = 'crypt$$abSjO86SitLUc' WHERE id = 11;
	UPDATE auth_user SET password = 'argon2$argon2i$m=8,t=1,p=1$c29tZXNhbHQ$gwQOXSNhxiOxPOA0+PY10P9QFO4NAYysnqRt1GSQLE55m+2GYDt9FEjPMHhP2Cuf2nOEXXMocVrsJAtNSsKyfg' WHERE id = 12;
	UPDATE auth_user SET username = NULL WHERE id = 6;
	UPDATE auth_user SET is_active = NULL WHERE id = 7;
	UPDATE auth_user SET username = E'user8\u2000' WHERE id = 8;
	CREATE TABLE token_blacklist_outstandingtoken (id bigserial PRIMARY KEY, token text, jti varchar(255) UNIQUE, expires_at timestamptz);
	CREATE TABLE token_blacklist_blacklistedtoken (id bigserial PRIMARY KEY, token_id bigint UNIQUE);
	INSERT INTO token_blacklist_outstandingtoken SELECT n, 'secret', 'jti' || n, now() + interval '1 day' FROM generate_series(1, 6000) n;
	INSERT INTO token_blacklist_blacklistedtoken SELECT n, n FROM generate_series(1, 5500) n;`

// Users of Django's come over with all that they have, or with what fits and a reason, as often as it is run.
func TestDjangoImport(t *testing.T) {
	t.Parallel()
	source, target := postgrestest.EmptyURL(t), postgrestest.URL(t)
	conn, err := pgx.Connect(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), djangoTables); err != nil {
		t.Fatal(err)
	}
	store, err := postgres.Open(t.Context(), postgres.Config{URL: target, StatementTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var environ []string
	do := func(want int, command ...string) string {
		t.Helper()
		began := time.Now()
		out, code := func() (string, int) {
			var stdout, stderr strings.Builder
			args := append(append([]string{"django", "import"}, command...), "--json", "--django-database-url", source, "--database-url", target)
			code := run(t.Context(), args, environ, strings.NewReader(""), &stdout, &stderr)
			return stdout.String() + stderr.String(), code
		}()
		t.Logf("%v: %s\n%s", command, time.Since(began), out)
		if code != want {
			t.Fatalf("exit status %d", code)
		}
		return out
	}
	last := func(out string) (n imported) {
		t.Helper()
		for _, line := range strings.Split(out, "\n") {
			json.Unmarshal([]byte(line), &n)
		}
		return n
	}
	dry := do(1, "users", "--dry-run")
	if n := last(dry); n.Created != 11999 || n.Refused != 1 {
		t.Errorf("dry run: %+v", n)
	}
	for _, reason := range []string{"it is empty", "pbkdf2_sha256: more expensive than", "argon2i: malformed", "unknown format", "only its traditional form", "username is empty", "is_active is NULL", "not in NFKC"} {
		if strings.Count(dry, reason) != 1 {
			t.Errorf("no row is reported with %q", reason)
		}
	}
	if n := last(do(1, "users")); n.Created != 11999 || n.Refused != 1 {
		t.Errorf("%+v", n)
	}
	one, err := store.User(t.Context(), 1)
	if err != nil || one.Username != "user1" || len(one.Groups) != 2 || one.GivenName != "Ada" || one.LastLogin.IsZero() || time.Since(one.CreatedAt) < 300*24*time.Hour {
		t.Errorf("%+v, %v", one, err)
	}
	for id := int64(11); id <= 12; id++ { // crypt, and Argon2 of version 0x10
		if u, err := store.User(t.Context(), id); err != nil || u.PasswordHash == "" {
			t.Errorf("user %d has no password: %v", id, err)
		}
	}
	for _, id := range []int64{2, 3, 4, 5, 10} {
		if u, err := store.User(t.Context(), id); err != nil || u.PasswordHash != "" {
			t.Errorf("user %d: %v", id, err)
		}
	}
	if u, err := store.User(t.Context(), 7); err != nil || u.Active {
		t.Errorf("a user whose is_active is NULL: %v", err)
	}
	if n := last(do(1, "users")); n.Unchanged != 11999 || n.Changed != 0 {
		t.Errorf("again: %+v", n)
	}
	if _, err := conn.Exec(t.Context(), `ALTER TABLE auth_user ADD confirmed boolean; UPDATE auth_user SET confirmed = id = 9`); err != nil {
		t.Fatal(err)
	}
	if n := last(do(1, "users", "--columns", "email_verified=confirmed")); n.Unchanged != 11998 || n.Changed != 1 {
		t.Errorf("with a column of verified addresses: %+v", n)
	}
	if u, err := store.User(t.Context(), 9); err != nil || !u.EmailVerified {
		t.Errorf("user 9: %v %v", u.EmailVerified, err)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO auth_user (id, username, password, is_active) VALUES (13000, 'USER9', '', true)`); err != nil {
		t.Fatal(err)
	}
	for _, login := range []string{"exact", "fold"} {
		environ = []string{"LATCHKEY_LOGIN_CASE=" + login}
		if out := do(1, "users", "--dry-run"); strings.Contains(out, "typed alike") != (login == "fold") {
			t.Errorf("USER9 beside user9, where logins are %s: %s", login, out)
		}
	}
	environ = nil
	for range 2 {
		do(0, "blacklist")
	}
	for jti, want := range map[string]bool{"jti1": true, "jti5500": true, "jti5501": false} {
		if state, err := store.TokenState(t.Context(), jti, "app"); err != nil || state.Revoked != want {
			t.Errorf("%s: %v", jti, err)
		}
	}
	if _, err := store.UserByUsername(t.Context(), "user12000"); err != nil {
		t.Error(err)
	}
}
