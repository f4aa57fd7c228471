package directory_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest/mariadb"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/directory"
	"latchkey/storage/sqlite/sqlitetest"
)

// The same with Django's tables in MariaDB, whose collation ignores case, and whose UUIDs are 32 digits.
func TestMariaDB(t *testing.T) {
	t.Parallel()
	url := mariadb.Start(t)
	for keyType, keys := range map[string][2]string{"int": {"7", "8"}, "char(32)": {"b5b3a0a27f0e4c548b7e0d7f6a1d2c3b", "0c1d2e3f7f0e4c548b7e0d7f6a1d2c3b"}} {
		db, err := directory.OpenMySQL(url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		do := func(statement string, args ...any) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		for _, statement := range strings.Split(fmt.Sprintf(`DROP TABLE IF EXISTS auth_user_groups; DROP TABLE IF EXISTS auth_group; DROP TABLE IF EXISTS auth_user;
			CREATE TABLE auth_user (id %[1]s PRIMARY KEY, password varchar(128) NOT NULL, last_login datetime(6), username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL DEFAULT '',
				last_name varchar(150) NOT NULL DEFAULT '', email varchar(254) NOT NULL DEFAULT '', is_staff bool NOT NULL DEFAULT false, is_active bool NOT NULL DEFAULT true, date_joined datetime(6) NOT NULL DEFAULT '2020-01-01');
			CREATE TABLE auth_group (id int PRIMARY KEY, name varchar(150) NOT NULL);
			CREATE TABLE auth_user_groups (user_id %[1]s, group_id int)`, keyType), ";") {
			do(statement)
		}
		do(`INSERT INTO auth_user (id, username, password, first_name) VALUES (?, 'ada', ?, 'Ada')`, keys[0], hash("secret"))
		do(`INSERT INTO auth_user (id, username, password) VALUES (?, 'bob', ?)`, keys[1], hash("secret"))
		do(`INSERT INTO auth_group VALUES (1, 'editors'), (2, 'b c')`)
		do(`INSERT INTO auth_user_groups VALUES (?, 1), (?, 2)`, keys[0], keys[0])
		c := directory.Config{DB: db, Dialect: directory.MySQL, Table: table(), Name: "the test", Timeout: 20 * time.Second}
		want := "7"
		if keyType != "int" {
			c.Table.KeyType, want = "UUIDField", "b5b3a0a2-7f0e-4c54-8b7e-0d7f6a1d2c3b"
		}
		site := &site{TB: t, store: sqlitetest.SQLite(t), config: c}
		s := site.serve(servertest.Configure(stringIDs), servertest.Configure(removing))
		a := login(s, "ada", "secret").Expect(200)
		if got := servertest.Claims(t, a.String("access"))["user_id"]; got != want {
			t.Errorf("user_id is %v", got)
		}
		for _, name := range []string{"ADA", "adä", "Ada"} { // for MariaDB all of them are ada
			login(s, name, "secret").Expect(401)
		}
		u, err := s.Users().Find(t.Context(), "ada")
		if err != nil || fmt.Sprint(u.Groups) != "[b c editors]" || u.GivenName != "Ada" {
			t.Errorf("found %+v, %v", u, err)
		}
		session := s.RefreshSimpleJWT(a.String("refresh")).Expect(200).String("refresh")
		other := login(s, "bob", "secret").Expect(200).String("refresh")
		b := s.Browser()
		b.SignInAs("ada", "secret")
		var last sql.NullTime
		if err := db.QueryRow(`SELECT last_login FROM auth_user WHERE username = 'ada'`).Scan(&last); err != nil || !last.Time.Equal(s.Clock.Now()) {
			t.Errorf("last_login is %v, %v", last, err)
		}
		do(`UPDATE auth_user SET password = ? WHERE username = 'ada'`, hash("another"))
		s.RefreshSimpleJWT(session).Expect(401)
		session = login(s, "ada", "another").Expect(200).String("refresh")
		do(`UPDATE auth_user SET is_active = false WHERE username = 'ada'`)
		s.RefreshSimpleJWT(session).Expect(401)
		other = s.RefreshSimpleJWT(other).Expect(200).String("refresh")
		do(`DELETE FROM auth_user WHERE username = 'bob'`)
		s.RefreshSimpleJWT(other).Expect(401)
		sweep(t, s, 0)
		sweep(t, s, grace+time.Hour)
		if site.removals() != 1 || !site.kept(want) {
			t.Errorf("%d users were removed", site.removals())
		}
		do(`UPDATE auth_user SET is_active = true`)
		session = login(s, "ada", "another").Expect(200).String("refresh")
		do(`ALTER TABLE auth_user RENAME TO hidden`)
		s.RefreshSimpleJWT(session).Expect(503)
		do(`ALTER TABLE hidden RENAME TO auth_user`)
		s.RefreshSimpleJWT(session).Expect(200)
		c.Table.Columns["is_active"] = "is_activ"
		if _, err := directory.NewSource(c).Check(t.Context(), storage.LoginNames{}); err == nil || !strings.Contains(err.Error(), "has no column is_activ") {
			t.Errorf("a map that does not fit: %v", err)
		}
	}
}
