package simplejwt_test

import (
	"testing"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
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
	servertest.ForEachStore(t, func(t *testing.T, open func(testing.TB) storage.Store) {
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
