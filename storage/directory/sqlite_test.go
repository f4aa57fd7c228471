package directory_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest/eventually"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/directory"
	"latchkey/storage/sqlite/sqlitetest"
)

// A missing file of Django's is an outage that names the file, and the file is not made.
func TestAMissingSQLiteFileIsAnOutage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	db, err := directory.Open("sqlite:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := directory.New(sqlitetest.SQLite(t), directory.Config{DB: db, Dialect: directory.SQLite, Table: table()}, storage.LoginNames{}, nil)
	if err := d.Check(t.Context()); !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), path+": no such file") {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was made")
	}
}

// The file stays as it is: its journal mode, and everything else but what is written back.
func TestNothingElseOfAnSQLiteFileIsChanged(t *testing.T) {
	t.Parallel()
	site := newSite(t, "in SQLite", "integer")
	before, err := os.ReadFile(site.url)
	if err != nil {
		t.Fatal(err)
	}
	s := site.serve()
	session := login(s, "ada", "secret").Expect(200).String("refresh")
	s.RefreshSimpleJWT(session).Expect(200)
	after, err := os.ReadFile(site.url)
	if err != nil || string(before) != string(after) {
		t.Errorf("the file has changed, %v", err)
	}
	if beside, err := filepath.Glob(site.url + "*"); err != nil || len(beside) != 1 {
		t.Errorf("beside it are %v, %v", beside, err)
	}
}

// While another connection has the file for itself, requests fail as in an outage, and nobody is logged out.
func TestALockedSQLiteFileIsAnOutage(t *testing.T) {
	t.Parallel()
	site := newSite(t, "in SQLite", "integer")
	s := site.serve()
	session := login(s, "ada", "secret").Expect(200).String("refresh")
	site.do(`BEGIN EXCLUSIVE`) // on the one connection of the site
	s.RefreshSimpleJWT(session).Expect(503)
	login(s, "ada", "secret").Expect(503)
	login(s, "nobody", "secret").Expect(503)
	locked := site.directory(storage.LoginNames{})
	if err := locked.Check(t.Context()); !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "database is locked") {
		t.Errorf("the start: %v", err)
	}
	site.do(`ROLLBACK`)
	session = s.RefreshSimpleJWT(session).Expect(200).String("refresh")
	site.do(`BEGIN IMMEDIATE`) // one who writes keeps others from writing, not from reading
	s.RefreshSimpleJWT(session).Expect(200)
	if err := locked.Check(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("whether it may be written is not known: %v", err)
	}
	site.do(`ROLLBACK`)
	if err := locked.Check(t.Context()); err != nil || !locked.Writable() {
		t.Errorf("may write: %v, %v", locked.Writable(), err)
	}
}

// A file that replaces Django's counts at once; one that is removed, empty or no database is an outage.
func TestAnSQLiteFileThatIsReplaced(t *testing.T) {
	t.Parallel()
	site := newSite(t, "in SQLite", "integer")
	s := site.serve()
	session := login(s, "ada", "secret").Expect(200).String("refresh")
	content, err := os.ReadFile(site.url)
	if err != nil {
		t.Fatal(err)
	}
	put := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(site.url+".new", content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(site.url+".new", site.url); err != nil {
			t.Fatal(err)
		}
	}
	for what, put := range map[string]func(){
		"removed": func() {
			if err := os.Remove(site.url); err != nil {
				t.Fatal(err)
			}
		},
		"empty":       func() { put(nil) },
		"no database": func() { put([]byte(strings.Repeat("no database", 1000))) },
	} {
		put()
		if a := s.RefreshSimpleJWT(session); a.Status != 503 {
			t.Errorf("%s: %d", what, a.Status)
		}
		if a := login(s, "ada", "secret"); a.Status != 503 {
			t.Errorf("%s: login: %d", what, a.Status)
		}
	}
	put(content)
	eventually.True(t, "the file is back", func() bool { return s.RefreshSimpleJWT(session).Status == 200 })
	session = login(s, "ada", "secret").Expect(200).String("refresh")
	put(content)
	site.do(`UPDATE auth_user SET password = $1 WHERE username = 'ada'`, hash("another")) // in the new file
	s.RefreshSimpleJWT(session).Expect(401)
	login(s, "ada", "another").Expect(200)
}

// The last login is written in the form that Django reads, with and without a fraction of a second, and never an earlier one.
func TestLastLoginsInSQLite(t *testing.T) {
	t.Parallel()
	site := newSite(t, "in SQLite", "uuid")
	source := directory.NewSource(site.config)
	if _, err := source.Check(t.Context(), storage.LoginNames{}); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{at, "2024-01-02 02:04:05"},
		{at.Add(678901234), "2024-01-02 02:04:05.678901"},
		{at.Add(time.Microsecond), "2024-01-02 02:04:05.678901"},
		{at.Add(time.Second), "2024-01-02 02:04:06"},
	} {
		if err := source.SetLastLogin(t.Context(), site.key, c.at); err != nil {
			t.Fatal(err)
		}
		if got := site.text(`SELECT last_login || '' FROM auth_user WHERE username = 'ada'`); got != c.want {
			t.Errorf("%s was written as %s", c.at, got)
		}
	}
	for text, want := range map[string]time.Time{
		"2024-01-02 03:04:05.678901":       at.Add(time.Hour + 678901*time.Microsecond),
		"2024-01-02 03:04:05":              at.Add(time.Hour),
		"2024-01-02 03:04:05.678+00:00":    at.Add(time.Hour + 678*time.Millisecond),
		"2024-01-02T03:04:05.678901+01:00": at.Add(678901 * time.Microsecond),
		"2024-01-02":                       at.Add(-2*time.Hour - 4*time.Minute - 5*time.Second).Truncate(24 * time.Hour),
		"soon":                             {},
	} {
		site.do(`UPDATE auth_user SET last_login = $1, date_joined = $1`, text)
		u, err := source.Account(t.Context(), true, site.key)
		if err != nil || !u.LastLogin.Equal(want) || !u.CreatedAt.Equal(want) {
			t.Errorf("%s was read as %s, %v", text, u.LastLogin, err)
		}
	}
}

// Groups are read, names are compared byte for byte or by A to Z, and a boolean that is neither 0 nor 1 allows nothing.
func TestAccountsInSQLite(t *testing.T) {
	t.Parallel()
	site := newSite(t, "in SQLite", "uuid")
	site.do(`INSERT INTO auth_group VALUES (1, 'editors'), (2, 'b "c"'), (3, 'others'); INSERT INTO auth_user_groups (user_id, group_id) SELECT id, 1 FROM auth_user`)
	site.do(`INSERT INTO auth_user_groups (user_id, group_id) VALUES ($1, 2)`, site.key)
	site.do(`INSERT INTO auth_user (id, username, password) VALUES ('11', 'Zoë', 'x'), ('12', 'ZOË', 'x')`)
	source := directory.NewSource(site.config)
	if _, err := source.Check(t.Context(), storage.LoginNames{}); err != nil {
		t.Fatal(err)
	}
	u, err := source.Account(t.Context(), true, site.key)
	if err != nil || fmt.Sprintf("%q", u.Groups) != `["b \"c\"" "editors"]` || !u.Active || u.Staff || u.Name != "Ada Lovelace" || u.Subject != site.key {
		t.Errorf("%+v, %v", u, err)
	}
	r, err := source.Reader(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	records, err := r.Next(t.Context(), 10)
	if err != nil || len(records) != 4 || records[3].Key != site.key || fmt.Sprintf("%q", records[3].Groups) != `["b \"c\"" "editors"]` || !records[3].Active.Bool {
		t.Errorf("%+v, %v", records, err)
	}
	for name, fold := range map[string][2]bool{"ada": {true, true}, "ADA": {false, false}, "Zoë": {}, "zoË": {}} {
		for i, names := range []storage.LoginNames{{}, {Fold: true}} {
			if u, err := source.ByLogin(t.Context(), names, name); err != nil || (u != nil) != fold[i] {
				t.Errorf("%s, %+v: %v, %v", name, names, u, err)
			}
		}
	}
	if n, err := source.AmbiguousLogins(t.Context(), storage.LoginNames{Fold: true, Email: true}); n != 0 || err != nil {
		t.Errorf("%d names are ambiguous, %v", n, err)
	}
	site.do(`UPDATE auth_user SET is_active = 'yes', is_staff = 2`)
	if u, err := source.Account(t.Context(), false, site.key); err != nil || u.Active || u.Staff {
		t.Errorf("%+v, %v", u, err)
	}
}

// A view may say whose address is verified, with a column of a table or with an expression.
func TestAViewInSQLite(t *testing.T) {
	t.Parallel()
	site := newSite(t, "in SQLite", "integer")
	site.do(`CREATE TABLE account_emailaddress (id integer PRIMARY KEY, user_id integer NOT NULL, email varchar(254) NOT NULL, verified bool NOT NULL);
		INSERT INTO account_emailaddress VALUES (1, 7, 'ada@example.org', 1);
		CREATE VIEW people AS SELECT u.*, e.verified, e.verified IS NOT NULL AND e.email = u.email AS known
		FROM auth_user u LEFT JOIN account_emailaddress e ON e.user_id = u.id`)
	site.config.Table.Name = "people"
	for _, column := range []string{"verified", "known"} {
		site.config.Table.Columns["email_verified"] = column
		source := directory.NewSource(site.config)
		if _, err := source.Check(t.Context(), storage.LoginNames{}); err != nil {
			t.Fatal(err)
		}
		found, err := source.Accounts(t.Context(), true, "7", "8")
		if err != nil || !found["7"].EmailVerified || found["8"].EmailVerified {
			t.Errorf("%s: %+v, %v", column, found, err)
		}
		if may, err := source.MayWrite(t.Context()); may || err != nil {
			t.Errorf("a view may be written: %v, %v", may, err)
		}
	}
}

// Missing indexes are reported with a statement that makes them; the key of a table needs none where it is the rowid.
func TestMissingIndexesInSQLite(t *testing.T) {
	t.Parallel()
	for _, keyType := range []string{"integer", "uuid"} {
		site := newSite(t, "in SQLite", keyType)
		check := func(names storage.LoginNames) []directory.Notice {
			t.Helper()
			notices, err := directory.NewSource(site.config).Check(t.Context(), names)
			if err != nil {
				t.Fatal(err)
			}
			return notices
		}
		if got := check(storage.LoginNames{}); len(got) > 0 {
			t.Errorf("stock tables: %s", got)
		}
		fold := storage.LoginNames{Fold: true, Email: true}
		missing := check(fold)
		if len(missing) != 2 {
			t.Errorf("names without regard to case: %s", missing)
		}
		for _, n := range missing {
			site.do(n.Remedy)
		}
		if got := check(fold); len(got) > 0 {
			t.Errorf("with indexes: %s", got)
		}
		site.do(`DROP INDEX latchkey_username; CREATE INDEX of_django ON auth_user ((LOWER("username")))`)
		if got := check(fold); len(got) > 0 {
			t.Errorf("with an index of Django's: %s", got)
		}
		site.do(`DROP INDEX of_django; CREATE INDEX partial ON auth_user (lower(username)) WHERE is_active`)
		if got := check(fold); len(got) != 1 {
			t.Errorf("with an index of some rows: %s", got)
		}
		site.do(`ALTER TABLE auth_user RENAME TO hidden; CREATE TABLE auth_user AS SELECT * FROM hidden; DROP TABLE auth_user;
			CREATE TABLE auth_user (id integer, username text UNIQUE, password text, email text, first_name text, last_name text, is_staff bool, is_active bool,
			last_login datetime, date_joined datetime, UNIQUE (id, username))`)
		if keyType == "uuid" {
			continue
		}
		if got := check(storage.LoginNames{}); len(got) != 1 || got[0].Remedy != "CREATE UNIQUE INDEX latchkey_id ON auth_user (id)" {
			t.Errorf("without the key's index: %s", got)
		}
	}
}

// A map that does not fit the table is reported, not an outage.
func TestAMapThatDoesNotFitInSQLite(t *testing.T) {
	t.Parallel()
	site := newSite(t, "in SQLite", "integer")
	for want, change := range map[string]func(*directory.Table){
		"auth_user has no column is_activ, which": func(t *directory.Table) { t.Columns["is_active"] = "is_activ" },
		"has no table auth_users":                 func(t *directory.Table) { t.Name = "auth_users" },
		"date_joined of auth_user is datetime":    func(t *directory.Table) { t.Columns["is_staff"] = "date_joined" },
		"the key id of auth_user is integer":      func(t *directory.Table) { t.KeyType = "UUIDField" },
		"Django's users can't be read as":         func(t *directory.Table) { t.Groups = "no_such_groups" },
		`no column id" OR true --, which`:         func(t *directory.Table) { t.Columns["id"] = `id" OR true --` },
	} {
		c := site.config
		c.Table = table()
		change(&c.Table)
		_, err := directory.NewSource(c).Check(t.Context(), storage.LoginNames{})
		if unfit := (*directory.MapError)(nil); !errors.As(err, &unfit) || !strings.Contains(err.Error(), want) || errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	site.config.Table.Name = "main.auth_user"
	site.config.Table.Groups = "main.auth_user_groups"
	if _, err := directory.NewSource(site.config).Check(t.Context(), storage.LoginNames{}); err != nil {
		t.Errorf("with the schema: %v", err)
	}
}

// Where the file may not be written, accounts are read only.
func TestAnSQLiteFileThatMayOnlyBeRead(t *testing.T) {
	t.Parallel()
	site := newSite(t, "in SQLite", "integer")
	var err error
	if site.config.DB, err = sql.Open("sqlite", "file:"+site.url+"?mode=ro"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { site.config.DB.Close() })
	s := site.serve()
	if s.Store.(*directory.Store).Writable() {
		t.Error("the file is thought to be writable")
	}
	session := login(s, "ada", "secret").Expect(200).String("refresh")
	s.Browser().SignInAs("ada", "secret")
	s.RefreshSimpleJWT(session).Expect(200)
	if err := s.Users().ChangeOwnPassword(t.Context(), &storage.User{ID: 7}, "a much better one"); !errors.Is(err, storage.ErrElsewhere) {
		t.Errorf("a new password: %v", err)
	}
	if _, err := s.Users().Add(t.Context(), users.NewUser{Username: "new"}); !errors.Is(err, storage.ErrElsewhere) {
		t.Errorf("a new user: %v", err)
	}
}

// ordinary is set for a test that runs again without the capabilities of root.
const ordinary = "LATCHKEY_TEST_ORDINARY"

// A directory in which no journal can be kept makes the file one that may only be read.
func TestAnSQLiteFileInADirectoryThatMayNotBeWritten(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 && os.Getenv(ordinary) == "" { // root may write anywhere, unless these capabilities are dropped
		cmd := exec.CommandContext(t.Context(), "setpriv", "--bounding-set=-dac_override,-dac_read_search", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), ordinary+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("without the capabilities: %v: %s", err, out)
		}
		return
	}
	site := newSite(t, "in SQLite", "integer")
	if err := os.Chmod(filepath.Dir(site.url), 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(filepath.Dir(site.url), 0o700) })
	if s := site.serve(); s.Store.(*directory.Store).Writable() {
		t.Error("the file is thought to be writable")
	}
}
