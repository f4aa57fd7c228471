package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest/mariadb"
	"latchkey/storage"
	djangoblacklist "latchkey/storage/blacklist"
	"latchkey/storage/directory"
)

// djangoMySQLTables are those of a model with an e-mail address in place of a username and a UUID as its key, as Django makes them.
const djangoMySQLTables = `
	CREATE TABLE people_person (id char(32) NOT NULL PRIMARY KEY, password varchar(128) NOT NULL, last_login datetime(6), email varchar(254) NOT NULL UNIQUE,
		is_staff tinyint(1) NOT NULL, is_active tinyint(1) NOT NULL, date_joined datetime(6) NOT NULL);
	CREATE TABLE auth_group (id int AUTO_INCREMENT PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
	CREATE TABLE people_person_groups (id bigint AUTO_INCREMENT PRIMARY KEY, person_id char(32) NOT NULL, group_id int NOT NULL, UNIQUE (person_id, group_id));
	INSERT INTO people_person SELECT lpad(hex(seq * 1000003), 32, '0'), concat('md5$salt$', md5(concat('salt', seq))), '2026-05-06 07:08:09.123456', concat('u', seq, '@example.com'),
		0, 1, '2020-01-02 03:04:05' FROM seq_1_to_5100;
	INSERT INTO auth_group (name) VALUES ('editors'), ('b c');
	INSERT INTO people_person_groups (person_id, group_id) SELECT lpad(hex(seq * 1000003), 32, '0'), 1 FROM seq_4999_to_5002;
	INSERT INTO people_person_groups (person_id, group_id) VALUES (lpad(hex(5001 * 1000003), 32, '0'), 2);
	CREATE TABLE token_blacklist_outstandingtoken (id bigint AUTO_INCREMENT PRIMARY KEY, token longtext NOT NULL, created_at datetime(6), expires_at datetime(6) NOT NULL,
		user_id char(32), jti varchar(255) NOT NULL UNIQUE);
	CREATE TABLE token_blacklist_blacklistedtoken (id bigint AUTO_INCREMENT PRIMARY KEY, blacklisted_at datetime(6) NOT NULL, token_id bigint NOT NULL UNIQUE);
	INSERT INTO token_blacklist_outstandingtoken SELECT seq, 'secret', utc_timestamp(), utc_timestamp() + INTERVAL 1 DAY, NULL, concat('jti', seq) FROM seq_1_to_5200;
	INSERT INTO token_blacklist_blacklistedtoken SELECT seq, utc_timestamp(), seq FROM seq_1_to_5100;
	UPDATE token_blacklist_outstandingtoken SET expires_at = utc_timestamp() - INTERVAL 1 MINUTE WHERE id = 7;
	CREATE USER reader IDENTIFIED BY 'r'; GRANT SELECT ON site.* TO reader;
	CREATE USER writer IDENTIFIED BY 'w'; GRANT SELECT, INSERT ON site.token_blacklist_outstandingtoken TO writer;
	GRANT SELECT, INSERT ON site.token_blacklist_blacklistedtoken TO writer`

const djangoMySQLInspected = `{"user": {"table": "people_person", "username_field": "email", "key": {"column": "id", "type": "UUIDField"},
	"columns": {"email": "email", "password": "password", "last_login": "last_login", "is_staff": "is_staff", "is_active": "is_active", "date_joined": "date_joined"},
	"groups": {"table": "people_person_groups", "user": "person_id", "group": "group_id"}}}`

// A site on MySQL or MariaDB leaves Django as one on Postgres does: users and ended tokens come over, and what ends here is ended there.
func TestDjangoOnMySQL(t *testing.T) {
	t.Parallel()
	source := mariadb.Start(t)
	db, err := directory.OpenMySQL(source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range strings.Split(djangoMySQLTables, ";") {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	as := func(user, password string) string {
		u, err := url.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(user, password)
		return u.String()
	}
	inspected := filepath.Join(t.TempDir(), "site.json")
	if err := os.WriteFile(inspected, []byte(djangoMySQLInspected), 0o600); err != nil {
		t.Fatal(err)
	}
	target := "sqlite:" + filepath.Join(t.TempDir(), "latchkey.db")
	do := func(want int, args ...string) string {
		t.Helper()
		var out strings.Builder
		if code := run(t.Context(), append(args, "--database-url", target), nil, strings.NewReader(""), &out, &out); code != want {
			t.Fatalf("%v: exit status %d: %s", args, code, out.String())
		}
		return out.String()
	}
	do(0, "migrate", "up")
	reader := as("reader", "r")
	people := func(args ...string) (n imported) {
		t.Helper()
		out := do(0, append([]string{"django", "import", "users", "--json", "--inspected", inspected, "--django-database-url", reader}, args...)...)
		if err := json.Unmarshal([]byte(out), &n); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		return n
	}
	if n := people("--dry-run"); n.Created != 5100 {
		t.Errorf("dry run: %+v", n)
	}
	if n := people("--after", key(100)); n.Created != 5000 {
		t.Errorf("after a key: %+v", n)
	}
	if n := people(); n.Created != 100 || n.Unchanged != 5000 {
		t.Errorf("the rest: %+v", n)
	}
	if n := people(); n.Unchanged != 5100 {
		t.Errorf("again: %+v", n)
	}
	shown := do(0, "user", "show", "--json", "u5001@example.com")
	for _, part := range []string{key(5001), `"b c"`, `"editors"`, "2026-05-06T07:08:09.123456Z", "2020-01-02T03:04:05Z"} {
		if !strings.Contains(shown, part) {
			t.Errorf("%s is not in %s", part, shown)
		}
	}

	if out := do(0, "django", "import", "blacklist", "--json", "--django-database-url", reader); !strings.Contains(out, `"ended": 5099`) {
		t.Errorf("the blacklist: %s", out)
	}
	if out := do(0, "django", "import", "blacklist", "--json", "--django-database-url", reader); !strings.Contains(out, `"ended": 0`) || !strings.Contains(out, `"read": 5099`) {
		t.Errorf("the blacklist again: %s", out)
	}

	writer, err := djangoblacklist.Open(as("writer", "w"))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := writer.Check(t.Context()); err != nil {
		t.Error(err)
	}
	ends := time.Now().Add(time.Hour)
	for range 2 { // the second time nothing is new; a token of Django's was there before
		if err := writer.Add(t.Context(), []storage.RevokedToken{{JTI: "ours", ExpiresAt: ends}, {JTI: "jti5150", ExpiresAt: ends}, {JTI: strings.Repeat("x", 256), ExpiresAt: ends}}); err != nil {
			t.Fatal(err)
		}
	}
	ended, _, err := writer.Ended(t.Context(), 5100, 100)
	if err != nil || len(ended) != 2 || ended[0].JTI != "ours" && ended[1].JTI != "ours" || ended[0].ExpiresAt.Before(time.Now()) {
		t.Errorf("ended: %v, %v", ended, err)
	}
	doctor := func(url string, more ...string) string {
		var out strings.Builder
		run(t.Context(), append([]string{
			"doctor", "--database-url", target, "--simplejwt-signing-key", "a key that Django has too, long enough",
			"--django-database-url", url, "--simplejwt-blacklist-writeback", "on",
		}, more...), nil, strings.NewReader(""), &out, &out)
		return out.String()
	}
	users := func(url, inspected string) string {
		return doctor(url, "--users-from", "django", "--django-users", inspected)
	}
	if out := users(reader, inspected); !strings.Contains(out, "may only read") {
		t.Errorf("doctor of users in Django: %s", out)
	}
	if _, err := db.ExecContext(t.Context(), `ALTER TABLE people_person DROP INDEX email`); err != nil {
		t.Fatal(err)
	}
	if out := users(source, inspected); !strings.Contains(out, "may change passwords") || !strings.Contains(out, "CREATE INDEX latchkey_email ON people_person (email)") {
		t.Errorf("doctor of users without an index: %s", out)
	}
	if _, err := db.ExecContext(t.Context(), `CREATE INDEX latchkey_email ON people_person (email)`); err != nil {
		t.Errorf("the remedy: %v", err)
	}
	if out := users(as("writer", "w"), inspected); !strings.Contains(out, "no table people_person, or its role may not see it") {
		t.Errorf("doctor of a role that may not read users: %s", out)
	}
	for from, to := range map[string]string{`"email": "email"`: `"email": "mail"`, `"is_active": "is_active"`: `"is_active": "last_login"`} {
		unfit := filepath.Join(t.TempDir(), "unfit.json")
		if err := os.WriteFile(unfit, []byte(strings.Replace(djangoMySQLInspected, from, to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := users(reader, unfit); !strings.Contains(out, "does not fit") || !strings.Contains(out, "django inspect") && !strings.Contains(out, "has no column mail") {
			t.Errorf("doctor of a map with %s: %s", to, out)
		}
	}
	if out := doctor(as("writer", "w")); !strings.Contains(out, "can be ended in Django") {
		t.Errorf("doctor: %s", out)
	}
	if out := doctor(reader); !strings.Contains(out, "INSERT command denied") {
		t.Errorf("doctor of a role that may not write: %s", out)
	}
}

// key is the key of a person as tokens carry it.
func key(n int) string {
	hex := fmt.Sprintf("%032x", n*1000003)
	return hex[:8] + "-" + hex[8:12] + "-" + hex[12:16] + "-" + hex[16:20] + "-" + hex[20:]
}
