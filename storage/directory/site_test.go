package directory_test

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/directory"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
)

// hash returns a cheap hash in Django's form.
func hash(password string) string {
	salt := rand.Text()[:22]
	tag, err := pbkdf2.Key(sha256.New, password, []byte(salt), 2, 32)
	if err != nil {
		panic(err)
	}
	return "pbkdf2_sha256$2$" + salt + "$" + base64.StdEncoding.EncodeToString(tag)
}

// tables are auth_user as Django makes it, with a key of some type.
const tables = `
	CREATE TABLE auth_user (id %s PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamptz, is_superuser boolean NOT NULL DEFAULT false,
		username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL DEFAULT '', last_name varchar(150) NOT NULL DEFAULT '',
		email varchar(254) NOT NULL DEFAULT '', is_staff boolean NOT NULL DEFAULT false, is_active boolean NOT NULL DEFAULT true,
		date_joined timestamptz NOT NULL DEFAULT '2020-01-01');
	CREATE TABLE auth_group (id serial PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
	CREATE TABLE auth_user_groups (id serial PRIMARY KEY, user_id %[1]s NOT NULL REFERENCES auth_user, group_id integer NOT NULL REFERENCES auth_group);
	CREATE INDEX ON auth_user_groups (user_id);`

// sqliteTables are the tables that Django 4.2 and 5.2 make in SQLite, with a key of some type, and with defaults, which Django itself never writes.
const sqliteTables = `
	CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(150) NOT NULL UNIQUE);
	CREATE TABLE "auth_user" ("id" %s, "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL DEFAULT 0,
		"username" varchar(150) NOT NULL UNIQUE, "last_name" varchar(150) NOT NULL DEFAULT '', "email" varchar(254) NOT NULL DEFAULT '',
		"is_staff" bool NOT NULL DEFAULT 0, "is_active" bool NOT NULL DEFAULT 1, "date_joined" datetime NOT NULL DEFAULT '2020-01-01 00:00:00',
		"first_name" varchar(150) NOT NULL DEFAULT '');
	CREATE TABLE "auth_user_groups" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" %s NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED,
		"group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED);
	CREATE UNIQUE INDEX "auth_user_groups_user_id_group_id_94350c0c_uniq" ON "auth_user_groups" ("user_id", "group_id");
	CREATE INDEX "auth_user_groups_user_id_6a12ed8b" ON "auth_user_groups" ("user_id");
	CREATE INDEX "auth_user_groups_group_id_97559544" ON "auth_user_groups" ("group_id");`

// sqliteKeys are the types of keys in SQLite, alone and as those of a primary key.
var sqliteKeys = map[string][2]string{
	"integer":     {"integer", "integer NOT NULL PRIMARY KEY AUTOINCREMENT"},
	"bigint":      {"bigint", "bigint NOT NULL PRIMARY KEY"},
	"uuid":        {"char(32)", "char(32) NOT NULL PRIMARY KEY"},
	"varchar(40)": {"varchar(40)", "varchar(40) NOT NULL PRIMARY KEY"},
}

// keys are the types of keys, each with the keys of two users.
var keys = map[string][2]string{
	"integer":     {"7", "8"},
	"bigint":      {"7", "8"},
	"uuid":        {"b5b3a0a2-7f0e-4c54-8b7e-0d7f6a1d2c3b", "0c1d2e3f-7f0e-4c54-8b7e-0d7f6a1d2c3b"},
	"varchar(40)": {"ada-l", "bob-m"},
}

// site is a Django site's database with Latchkey beside or in it.
type site struct {
	testing.TB
	db  *sql.DB
	url string
	// key and other are the keys of ada and bob, who have the password "secret".
	key, other string
	store      storage.Store
	counter    *postgrestest.RoundTrips // of Django's database, where it is another one
	config     directory.Config
}

// table is the map of auth_user.
func table() directory.Table {
	t := directory.Table{Name: "auth_user", Columns: map[string]string{}, Groups: "auth_user_groups", GroupsUser: "user_id", GroupsGroup: "group_id"}
	for _, field := range []string{"id", "username", "password", "email", "first_name", "last_name", "is_active", "is_staff", "last_login", "date_joined"} {
		t.Columns[field] = field
	}
	return t
}

// places are where Django's tables may be, inPostgres those in a Postgres.
var (
	places     = []string{"same", "other", "beside SQLite", "in SQLite"}
	inPostgres = []string{"same", "other", "beside SQLite"}
)

// newSite makes a site.
func newSite(t testing.TB, place, keyType string) *site {
	t.Helper()
	s := &site{TB: t, key: keys[keyType][0], other: keys[keyType][1], counter: new(postgrestest.RoundTrips)}
	s.config = directory.Config{Table: table(), Name: "the test", Timeout: 20 * time.Second}
	switch place {
	case "in SQLite":
		s.inSQLite(keyType)
	case "same":
		s.url = postgrestest.URL(t)
		s.store = s.open(s.url)
	default:
		s.url = postgrestest.EmptyURL(t)
		s.config.DB = s.connect(s.url)
		if s.store = sqlitetest.SQLite(t); place == "other" {
			s.store = s.open(postgrestest.URL(t))
		}
	}
	if s.db == nil {
		s.db = s.connect(s.url)
		s.do(fmt.Sprintf(tables, keyType))
	}
	s.do(`INSERT INTO auth_user (id, username, password, email, first_name, last_name) VALUES ($1, 'ada', $2, 'ada@example.org', 'Ada', 'Lovelace')`, s.key, hash("secret"))
	s.do(`INSERT INTO auth_user (id, username, password) VALUES ($1, 'bob', $2)`, s.other, hash("secret"))
	return s
}

// inSQLite puts Django's tables and Latchkey's into two SQLite files.
func (s *site) inSQLite(keyType string) {
	s.Helper()
	s.store, s.url = sqlitetest.SQLite(s), filepath.Join(s.TempDir(), "db.sqlite3")
	s.config.Dialect = directory.SQLite
	if keyType == "uuid" {
		s.config.Table.KeyType = "UUIDField"
	}
	if err := os.WriteFile(s.url, nil, 0o600); err != nil {
		s.Fatal(err)
	}
	for _, db := range []**sql.DB{&s.db, &s.config.DB} {
		var err error
		if *db, err = directory.Open("sqlite:" + s.url); err != nil {
			s.Fatal(err)
		}
		s.Cleanup(func() { (*db).Close() })
	}
	s.db.SetMaxOpenConns(1)
	s.do(fmt.Sprintf(sqliteTables, sqliteKeys[keyType][1], sqliteKeys[keyType][0]))
}

// lax lets columns be NULL that never are in Django.
func (s *site) lax(columns ...string) {
	s.Helper()
	if s.config.Dialect != directory.SQLite {
		for _, column := range columns {
			s.do(`ALTER TABLE auth_user ALTER ` + column + ` DROP NOT NULL`)
		}
		return
	}
	table := s.text(`SELECT sql FROM sqlite_schema WHERE name = 'auth_user'`)
	for _, column := range columns {
		before, after, _ := strings.Cut(table, `"`+column+`"`)
		table = before + `"` + column + `"` + strings.Replace(after, " NOT NULL", "", 1)
	}
	s.do(`PRAGMA writable_schema = 1`)
	s.do(`UPDATE sqlite_schema SET sql = ? WHERE name = 'auth_user'`, table)
	s.do(`PRAGMA schema_version = 1000`)
	s.do(`PRAGMA writable_schema = 0`)
}

func (s *site) open(url string) *postgres.Store {
	s.Helper()
	store, err := postgres.Open(s.Context(), postgres.Config{URL: url, MaxConns: 8, Now: func() time.Time { return testclock.Epoch }, Tracer: s.counter})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { store.Close() })
	return store
}

func (s *site) connect(url string) *sql.DB {
	s.Helper()
	cc, err := pgx.ParseConfig(url)
	if err != nil {
		s.Fatal(err)
	}
	cc.Tracer = s.counter
	db := stdlib.OpenDB(*cc)
	s.Cleanup(func() { db.Close() })
	return db
}

var parameter = regexp.MustCompile(`\$(\d)\b`)

// own returns a statement that is written for Postgres, and its parameters, as Django would write them into its database.
func (s *site) own(statement string, args []any) (string, []any) {
	if s.config.Dialect != directory.SQLite {
		return statement, args
	}
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			if len(v) == 36 && s.config.Table.KeyType == "UUIDField" {
				args[i] = strings.ReplaceAll(v, "-", "")
			}
		case time.Time:
			args[i] = directory.SQLiteTime(v)
		}
	}
	return strings.ReplaceAll(parameter.ReplaceAllString(statement, "?$1"), "now()", "strftime('%Y-%m-%d %H:%M:%f', 'now')"), args
}

// do runs a statement in Django's database.
func (s *site) do(statement string, args ...any) {
	s.Helper()
	statement, args = s.own(statement, args)
	if _, err := s.db.ExecContext(s.Context(), statement, args...); err != nil {
		s.Fatalf("%s: %v", statement, err)
	}
}

// text returns what a query returns.
func (s *site) text(query string, args ...any) (text string) {
	s.Helper()
	query, args = s.own(query, args)
	if err := s.db.QueryRowContext(s.Context(), query, args...).Scan(&text); err != nil {
		s.Fatalf("%s: %v", query, err)
	}
	return text
}

// directory returns the store with Django's users, unchecked.
func (s *site) directory(names storage.LoginNames) *directory.Store {
	return directory.New(s.store, s.config, names, slog.New(slog.DiscardHandler))
}

// serve runs a server.
func (s *site) serve(opts ...servertest.Option) *servertest.Server {
	s.Helper()
	return servertest.New(s.TB, append([]servertest.Option{servertest.Directory(s.directory(storage.LoginNames{}))}, opts...)...)
}

// each runs a test wherever the tables may be and whatever their key is.
func each(t *testing.T, run func(t *testing.T, s *site)) {
	t.Helper()
	in(t, places, run)
}

// in is each for some of the places.
func in(t *testing.T, places []string, run func(t *testing.T, s *site)) {
	t.Helper()
	for _, place := range places {
		for keyType := range keys {
			if place != "same" && keyType == "bigint" {
				continue
			}
			t.Run(place+"/"+keyType, func(t *testing.T) {
				t.Parallel()
				run(t, newSite(t, place, keyType))
			})
		}
	}
}

func newDatabase(t *testing.T) string { return postgrestest.URL(t) }
