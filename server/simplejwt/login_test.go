package simplejwt_test

import (
	"strings"
	"testing"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// A site with USERNAME_FIELD = "email": the field has that name in bodies and in error messages.
func TestUsernameField(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(withSliding), servertest.Configure(func(c *server.Config) {
		c.SimpleJWT.UsernameField = "email"
		c.LoginNames = storage.LoginNames{Email: true, Fold: true}
	}))
	s.AddUser(users.NewUser{ID: 7, Username: "ada", Email: "Ada@example.org", Active: true}, "ada's password")
	for _, path := range []string{"/api/token/", "/api/token/sliding/"} {
		for _, name := range []string{"Ada@example.org", "ada@EXAMPLE.org", "ADA"} {
			s.PostJSON(path, map[string]string{"email": name, "password": "ada's password"}).Expect(200)
		}
		s.PostJSON(path, map[string]string{"username": "ada", "password": "ada's password"}).Expect(400).
			ExpectBody(`{"email":["This field is required."]}`)
		s.PostJSON(path, map[string]string{"email": "ada@example.com", "password": "ada's password"}).Expect(401).
			ExpectBody(`{"detail":"No active account found with the given credentials"}`)
	}
}

// Of the spellings that find one user, attempts are counted together; a name of two users signs in neither, and is counted at the start.
func TestLoginNames(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		store := open(t)
		before := servertest.New(t, servertest.Store(store))
		before.AddUser(users.NewUser{Username: "ada", Email: "ada@example.org", Active: true}, "ada's password")
		before.AddUser(users.NewUser{Username: "ADA@example.org", Active: true}, "mallory's password")
		before.AddUser(users.NewUser{Username: "Bob", Active: true}, "bob's password")
		login := func(s *servertest.Server, name, password string) *servertest.Answer {
			return s.PostJSON("/api/token/", map[string]string{"username": name, "password": password})
		}
		login(before, "ada@example.org", "ada's password").Expect(401)

		s := before.Replica(t, servertest.Configure(func(c *server.Config) { c.LoginNames = storage.LoginNames{Email: true, Fold: true} }))
		if w := s.Log.Events(t, "names that more than one user has can't be used to log in"); len(w) != 1 || w[0]["names"] != 1.0 {
			t.Errorf("the warnings are %v", w)
		}
		login(s, "Ada", "ada's password").Expect(200)
		for _, password := range []string{"ada's password", "mallory's password"} {
			login(s, "ada@example.org", password).Expect(401)
		}
		spellings := []string{"bob", "Bob", "bOb", "boB", "BOb", "bOB", "BoB", "BOB"}
		for i := range 20 {
			login(s, spellings[i%len(spellings)], "wrong").Expect(401)
		}
		login(s, "bob", "wrong").Expect(429)
	})
}

// Users who come with a hash of any hasher of Django's log in, and their hash becomes one of argon2id.
func TestALoginUpgradesEveryHashOfDjangos(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for name, hash := range map[string]string{
		"crypt":         "crypt$$abSjO86SitLUc",
		"argon2i-0x10":  "argon2$argon2i$m=8,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$BFjiuCAN/q2dsEAWuWxdAw",
		"argon2d":       "argon2$argon2d$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$UyWxyTp7YUvTE3icmZvzVw",
		"pbkdf2_sha1":   "pbkdf2_sha1$1000$seasalt$l+4UdLlVmdB3Vs3nPFzFKvo+2VM=",
		"unsalted_md5":  "0e0d643d7a1598ca1ca8b1adfc4fc9af",
		"unsalted_sha1": "sha1$$644a0b390fe5b7092fb9ad9ea50d6733a7e2b00f",
		"md5":           "md5$seasalt$3268a511791c8a88a4c2e3b7de17d553",
		"sha1":          "sha1$seasalt$d195bd3c14e71c67c3a9dec473a575b4b22e3e84",
		"scrypt":        "scrypt$16$seasalt$8$1$dssEXSDU9ckqdZgJLDSkuvtXIH5DxuXmSRiD6mau5XG61gS7BduYUMW8+/biwrn4QwixViPst+MBi+apTHpUsg==",
		"bcrypt":        "bcrypt$$2b$04$abcdefghijklmnopqrstuO26zlJ1AuWlrac5204J2fK/.tOJooi46",
	} {
		if _, err := s.Users().Add(t.Context(), users.NewUser{Username: name, PasswordHash: hash, Active: true}); err != nil {
			t.Fatal(name, err)
		}
		login := func(password string) *servertest.Answer {
			return s.PostJSON(simplejwt.ObtainPath, map[string]string{"username": name, "password": password})
		}
		login("hashed-2").Expect(401)
		login("hashed-1").Expect(200)
		u, err := s.Store.UserByUsername(t.Context(), name)
		if err != nil || !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$") {
			t.Errorf("%s: the hash was not made anew: %v", name, err)
		}
		login("hashed-1").Expect(200)
	}
}
