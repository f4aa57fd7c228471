package directory_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest/eventually"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/directory"
)

// A column map that does not fit is an error that names the column and the file.
func TestAMapThatDoesNotFit(t *testing.T) {
	t.Parallel()
	site := newSite(t, "same", "integer")
	site.do(`CREATE TABLE floats (id double precision PRIMARY KEY, username text, password text, staff integer)`)
	with := func(change func(*directory.Table)) directory.Table {
		t := table()
		change(&t)
		return t
	}
	for want, table := range map[string]directory.Table{
		"auth_user has no column is_activ, which site.json names for is_active": with(func(t *directory.Table) { t.Columns["is_active"] = "is_activ" }),
		"has no table auth_users":                 with(func(t *directory.Table) { t.Name = "auth_users" }),
		"the table users is Latchkey's own":       with(func(t *directory.Table) { t.Name = "users" }),
		"site.json names no column for username":  with(func(t *directory.Table) { t.Columns["username"] = "" }),
		"date_joined of auth_user is timestamptz": with(func(t *directory.Table) { t.Columns["is_staff"] = "date_joined" }),
		"the key id of auth_user is int4":         with(func(t *directory.Table) { t.KeyType = "UUIDField" }),
		"the key id of floats is float8": with(func(t *directory.Table) {
			*t = directory.Table{Name: "floats", Columns: map[string]string{"id": "id", "username": "username", "password": "password"}}
		}),
		`Django's users can't be read as site.json`:     with(func(t *directory.Table) { t.Groups = "no_such_groups" }),
		`auth_user has no column id" OR true --, which`: with(func(t *directory.Table) { t.Columns["id"] = `id" OR true --` }),
	} {
		_, err := directory.NewSource(directory.Config{DB: site.db, Table: table, Name: "site.json"}).Check(t.Context(), storage.LoginNames{})
		var unfit *directory.MapError
		if !errors.As(err, &unfit) || !strings.Contains(err.Error(), want) || unfit.Remedy == "" || errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// A table without an index is used all the same; the start says what that costs.
func TestMissingIndexesAreSaid(t *testing.T) {
	t.Parallel()
	site := newSite(t, "other", "integer")
	check := func(names storage.LoginNames) string {
		t.Helper()
		notices, err := directory.NewSource(directory.Config{DB: site.db, Table: site.config.Table}).Check(t.Context(), names)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(notices)
	}
	if got := check(storage.LoginNames{}); got != "[]" {
		t.Errorf("stock tables: %s", got)
	}
	site.do(`ALTER TABLE auth_user_groups DROP CONSTRAINT auth_user_groups_user_id_fkey; ALTER TABLE auth_user DROP CONSTRAINT auth_user_pkey`)
	if got := check(storage.LoginNames{}); !strings.Contains(got, "the key id of auth_user has no unique index") || !strings.Contains(got, "which took ") {
		t.Errorf("without the key's index: %s", got)
	}
	site.do(`CREATE UNIQUE INDEX ON auth_user (id)`)
	fold := storage.LoginNames{Fold: true, Email: true}
	if got := check(fold); strings.Count(got, "has no index") != 2 {
		t.Errorf("names without regard to case: %s", got)
	}
	site.do(`CREATE INDEX ON auth_user (lower(username::text COLLATE "C")); CREATE INDEX ON auth_user (lower(email::text COLLATE "C"))`)
	if got := check(fold); got != "[]" {
		t.Errorf("with indexes: %s", got)
	}
}

// Rows that Django never writes let nobody in, and take nobody else's session.
func TestRowsThatDjangoNeverWrites(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, place, "integer")
			site.lax("username", "password", "email", "first_name", "last_name", "is_staff", "is_active")
			s := site.serve()
			session := login(s, "ada", "secret").Expect(200).String("refresh")
			site.do(`INSERT INTO auth_user (id, username, password, is_active, email, first_name) VALUES (-3, 'negative', $1, true, '', ''), (20, 'nulls', NULL, NULL, NULL, NULL), (21, NULL, NULL, NULL, NULL, NULL)`, hash("secret"))
			site.do(`INSERT INTO auth_user (id, username, password) VALUES (22, 'planted', 'pbkdf2_sha256$1000000000$salt$` + strings.Repeat("A", 43) + `='), (23, 'unknown', 'sha512crypt$x$y'), (24, 'inactive', '!')`)
			began := time.Now()
			for _, name := range []string{"negative", "nulls", "planted", "unknown", "inactive", "", "#7", "ada\x00", "\xff", strings.Repeat("a", 5000)} {
				if a := login(s, name, "secret"); a.Status != 401 && a.Status != 400 {
					t.Errorf("%.20q: %d", name, a.Status)
				}
			}
			if took := time.Since(began); took > 60*time.Second {
				t.Errorf("took %s: a hash of 10⁹ iterations was computed", took)
			}
			session = s.RefreshSimpleJWT(session).Expect(200).String("refresh")
			site.do(`UPDATE auth_user SET email = NULL, first_name = NULL, is_staff = NULL WHERE id = 7`)
			session = s.RefreshSimpleJWT(session).Expect(200).String("refresh")
			site.do(`UPDATE auth_user SET is_active = NULL WHERE id = 7`)
			s.RefreshSimpleJWT(session).Expect(401)
		})
	}
}

// While Django's users can't be read, nobody is told that they are logged out: not while the table is locked, gone, emptied, or another one.
func TestWhileDjangosTableIsAway(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		for name, way := range map[string][2]string{
			"gone":    {`ALTER TABLE auth_user RENAME TO hidden`, `ALTER TABLE hidden RENAME TO auth_user`},
			"emptied": {`CREATE TABLE kept AS SELECT * FROM auth_user; DELETE FROM auth_user`, `INSERT INTO auth_user SELECT * FROM kept`},
			"migrated": {
				`ALTER TABLE auth_user RENAME TO hidden; CREATE TABLE auth_user (LIKE hidden); ALTER TABLE auth_user ALTER id TYPE uuid USING gen_random_uuid()`,
				`DROP TABLE auth_user; ALTER TABLE hidden RENAME TO auth_user`,
			},
			"without a column": {`ALTER TABLE auth_user RENAME password TO secret`, `ALTER TABLE auth_user RENAME secret TO password`},
		} {
			t.Run(place+"/"+name, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, place, "integer")
				s := site.serve(servertest.Configure(strict))
				session := login(s, "ada", "secret").Expect(200).String("refresh")
				native := s.Token(s.Backend, "grant_type", "password", "username", "ada", "password", "secret").Expect(200).String("refresh_token")
				b := s.Browser()
				b.SignInAs("ada", "secret")
				if site.config.Dialect == directory.SQLite && name == "migrated" {
					way[0] = `ALTER TABLE auth_user RENAME TO hidden; CREATE TABLE auth_user AS SELECT username AS id, password, last_login, username, first_name, last_name, email,
						is_staff, is_active, date_joined FROM hidden`
				}
				site.do(way[0])
				for range 2 {
					s.RefreshSimpleJWT(session).Expect(503)
					if a := s.Refresh(s.Backend, native).Expect(503); a.Header.Get("Retry-After") == "" {
						t.Error("no Retry-After")
					}
				}
				if name != "emptied" && name != "migrated" {
					login(s, "ada", "secret").Expect(503)
				}
				if p := b.Get("/account"); p.Status != 503 {
					t.Errorf("the account page: %d", p.Status)
				}
				site.do(way[1])
				eventually.True(t, "Django's users are back", func() bool { return s.RefreshSimpleJWT(session).Status == 200 })
				s.Refresh(s.Backend, native).Expect(200)
				if p := b.Get("/account"); p.Status != 200 {
					t.Errorf("the account page: %d", p.Status)
				}
			})
		}
	}
}

// A database that does not answer in time is away.
func TestADatabaseThatIsSlow(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"other", "beside SQLite"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, place, "integer")
			site.config.Timeout = 2 * time.Second
			s := site.serve()
			session := login(s, "ada", "secret").Expect(200).String("refresh")
			tx, err := site.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(t.Context(), `LOCK TABLE auth_user`); err != nil {
				t.Fatal(err)
			}
			s.RefreshSimpleJWT(session).Expect(503)
			login(s, "ada", "secret").Expect(503)
			tx.Rollback()
			s.RefreshSimpleJWT(session).Expect(200)
			for range 25 { // the attempts that Django's database did not answer are not counted
				login(s, "ada", "secret").Expect(200)
			}
		})
	}
}

// Names are compared as --login-case says, whatever the collation of Django's table.
func TestOtherCollations(t *testing.T) {
	t.Parallel()
	site := newSite(t, "other", "varchar(40)")
	site.do(`CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`)
	site.do(`ALTER TABLE auth_user_groups DROP CONSTRAINT auth_user_groups_user_id_fkey; ALTER TABLE auth_user ALTER username TYPE varchar(150) COLLATE blind, ALTER id TYPE varchar(40) COLLATE blind`)
	site.do(`INSERT INTO auth_user (id, username, password) VALUES ('zoe', 'Zoë', $1)`, hash("secret"))
	s := site.serve(servertest.Configure(stringIDs))
	login(s, "Zoë", "secret").Expect(200)
	for _, name := range []string{"zoë", "Zoe", "ZOE", "ADA"} {
		login(s, name, "secret").Expect(401)
	}
	fold := storage.LoginNames{Fold: true}
	other := servertest.New(t, servertest.Directory(directory.New(site.open(newDatabase(t)), site.config, fold, slog.New(slog.DiscardHandler))),
		servertest.Configure(stringIDs), servertest.Configure(func(c *server.Config) { c.LoginNames = fold }))
	login(other, "ZOë", "secret").Expect(200)
	login(other, "Zoe", "secret").Expect(401)
	login(other, "ADA", "secret").Expect(200)
	site.do(`ALTER TABLE auth_user DROP CONSTRAINT auth_user_username_key; `)
	site.do(`INSERT INTO auth_user (id, username, password) VALUES ('x', 'Ada', $1)`, hash("x"))
	login(other, "ada", "secret").Expect(401) // two users have it
	login(other, "ada", "x").Expect(401)
}
