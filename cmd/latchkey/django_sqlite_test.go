package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/storage"
	djangoblacklist "latchkey/storage/blacklist"
	"latchkey/storage/directory"
)

// djangoSQLiteTables are those of a model with an e-mail address in place of a username and a UUID as its key, as Django makes them.
const djangoSQLiteTables = `
	CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(150) NOT NULL UNIQUE);
	CREATE TABLE "people_person" ("password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL, "id" char(32) NOT NULL PRIMARY KEY,
		"email" varchar(254) NOT NULL UNIQUE, "is_staff" bool NOT NULL, "is_active" bool NOT NULL, "date_joined" datetime NOT NULL);
	CREATE TABLE "people_person_groups" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "person_id" char(32) NOT NULL REFERENCES "people_person" ("id")
		DEFERRABLE INITIALLY DEFERRED, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED);
	CREATE TABLE "token_blacklist_outstandingtoken" ("token" text NOT NULL, "created_at" datetime NULL, "expires_at" datetime NOT NULL, "user_id" char(32) NULL
		REFERENCES "people_person" ("id") DEFERRABLE INITIALLY DEFERRED, "jti" varchar(255) NOT NULL UNIQUE, "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT);
	CREATE TABLE "token_blacklist_blacklistedtoken" ("blacklisted_at" datetime NOT NULL, "token_id" bigint NOT NULL UNIQUE
		REFERENCES "token_blacklist_outstandingtoken" ("id") DEFERRABLE INITIALLY DEFERRED, "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT);
	CREATE TABLE numbers (n integer);
	INSERT INTO numbers WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5200) SELECT n FROM numbers;
	INSERT INTO people_person SELECT 'md5$salt$0123456789abcdef0123456789abcdef', '2026-05-06 07:08:09.123456', 0, printf('%032x', n * 1000003),
		'u' || n || '@example.com', 0, 1, '2020-01-02 03:04:05' FROM numbers WHERE n <= 5100;
	INSERT INTO auth_group (name) VALUES ('editors'), ('b c');
	INSERT INTO people_person_groups (person_id, group_id) SELECT printf('%032x', n * 1000003), 1 FROM numbers WHERE n BETWEEN 4999 AND 5002;
	INSERT INTO people_person_groups (person_id, group_id) VALUES (printf('%032x', 5001 * 1000003), 2);
	INSERT INTO token_blacklist_outstandingtoken SELECT 'secret', '2026-01-01 00:00:00', '2100-01-01 00:00:00.000001', NULL, 'jti' || n, n FROM numbers;
	INSERT INTO token_blacklist_blacklistedtoken SELECT '2026-01-01 00:00:00', n, n FROM numbers WHERE n <= 5100;
	UPDATE token_blacklist_outstandingtoken SET expires_at = datetime('now', '-1 minute') WHERE id = 7;
	DROP TABLE numbers`

// A site on SQLite leaves Django as one on Postgres does: users and ended tokens come over, and what ends here is ended there.
func TestDjangoOnSQLite(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "db.sqlite3")
	source, target := "sqlite:"+path, "sqlite:"+filepath.Join(folder, "latchkey.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := directory.Open(source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), djangoSQLiteTables); err != nil {
		t.Fatal(err)
	}
	inspected := filepath.Join(folder, "site.json")
	if err := os.WriteFile(inspected, []byte(djangoMySQLInspected), 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(want int, args ...string) string {
		t.Helper()
		var out strings.Builder
		args = append(args, "--database-url", target, "--django-database-url", source)
		if code := run(t.Context(), args, nil, strings.NewReader(""), &out, &out); code != want {
			t.Fatalf("%v: exit status %d: %s", args, code, out.String())
		}
		return out.String()
	}
	people := func(args ...string) (n imported) {
		t.Helper()
		out := do(0, append([]string{"django", "import", "users", "--json", "--inspected", inspected}, args...)...)
		if err := json.Unmarshal([]byte(out), &n); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		return n
	}
	if n := people("--after", key(100)); n.Created != 5000 {
		t.Errorf("after a key: %+v", n)
	}
	if n := people(); n.Created != 100 || n.Unchanged != 5000 {
		t.Errorf("the rest: %+v", n)
	}
	shown := do(0, "user", "show", "--json", "u5001@example.com")
	for _, part := range []string{key(5001), `"b c"`, `"editors"`, "2026-05-06T07:08:09.123456Z", "2020-01-02T03:04:05Z"} {
		if !strings.Contains(shown, part) {
			t.Errorf("%s is not in %s", part, shown)
		}
	}
	if out := do(0, "django", "import", "blacklist", "--json"); !strings.Contains(out, `"ended": 5099`) {
		t.Errorf("the blacklist: %s", out)
	}
	if out := do(0, "django", "import", "blacklist", "--json"); !strings.Contains(out, `"ended": 0`) || !strings.Contains(out, `"read": 5099`) {
		t.Errorf("the blacklist again: %s", out)
	}

	writer, err := djangoblacklist.Open(source)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	ends := time.Date(2100, 1, 2, 3, 4, 5, 678901000, time.UTC)
	for range 2 { // the second time nothing is new; a token of Django's was there before
		if err := writer.Add(t.Context(), []storage.RevokedToken{{JTI: "ours", ExpiresAt: ends}, {JTI: "jti5150", ExpiresAt: ends}, {JTI: strings.Repeat("x", 256), ExpiresAt: ends}}); err != nil {
			t.Fatal(err)
		}
	}
	ended, _, err := writer.Ended(t.Context(), 5100, 100)
	if err != nil || len(ended) != 2 || ended[0].JTI != "ours" || !ended[0].ExpiresAt.Equal(ends) || ended[1].JTI != "jti5150" {
		t.Errorf("ended: %v, %v", ended, err)
	}
	var expires, at string
	err = db.QueryRowContext(t.Context(), `SELECT o.expires_at || '', b.blacklisted_at || '' FROM token_blacklist_outstandingtoken o
		JOIN token_blacklist_blacklistedtoken b ON b.token_id = o.id WHERE o.jti = 'ours'`).Scan(&expires, &at)
	if _, wrong := time.Parse("2006-01-02 15:04:05.000", at); err != nil || wrong != nil || expires != "2100-01-02 03:04:05.678901" {
		t.Errorf("written as %q and %q, %v", expires, at, err)
	}
	doctor := func(more ...string) string {
		var out strings.Builder
		run(t.Context(), append([]string{
			"doctor", "--database-url", target, "--simplejwt-signing-key", "a key that Django has too, long enough",
			"--django-database-url", source, "--simplejwt-blacklist-writeback", "on", "--users-from", "django", "--django-users", inspected,
		}, more...), nil, strings.NewReader(""), &out, &out)
		return out.String()
	}
	if out := doctor(); !strings.Contains(out, "may change passwords") || !strings.Contains(out, "can be ended in Django") {
		t.Errorf("doctor: %s", out)
	}
	if out := do(0, "django", "remove-absent", "--users-from", "django", "--django-users", inspected, "--dry-run"); !strings.Contains(out, "0 of 5100 users have no account") {
		t.Errorf("remove-absent: %s", out)
	}
	if _, err := db.ExecContext(t.Context(), `DROP TABLE token_blacklist_blacklistedtoken`); err != nil {
		t.Fatal(err)
	}
	if out := doctor(); !strings.Contains(out, "can't be written") || !strings.Contains(out, "no such table") {
		t.Errorf("doctor without the blacklist: %s", out)
	}
}
