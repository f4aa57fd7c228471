package simplejwt_test

import (
	"fmt"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

const (
	uuidUser     = "6f1c2a44-0d1e-4c5b-9a70-1f2e3d4c5b6a"
	slugUser     = "01" // where keys are text, no integer
	slugUsername = "carla"
)

// A site whose users have UUIDs: every token, and every answer about one, names the user by it. One round trip reads it.
func TestSubjectsAreWhatEveryTokenSays(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Configure(func(c *server.Config) { c.SimpleJWT.Claims = []string{"id"} }))
		bob := s.AddUser(users.NewUser{Subject: uuidUser, Username: "bob", Active: true}, "bob's password")
		if bob.ID < storage.DrawnUserIDs || bob.Sub() != uuidUser {
			t.Fatalf("%+v", bob)
		}
		app := s.AddClient(clients.Registration{ID: "app", Metadata: clients.Metadata{
			GrantTypes: []string{"password", "refresh_token"}, Scope: "openid", TokenEndpointAuthMethod: "client_secret_basic",
		}})
		answer := s.Token(app, "grant_type", "password", "username", "bob", "password", "bob's password").Expect(200)
		refreshed := s.Token(app, "grant_type", "refresh_token", "refresh_token", answer.String("refresh_token")).Expect(200)
		for _, name := range []string{"access_token", "id_token"} {
			for _, a := range []*servertest.Answer{answer, refreshed} {
				if sub := claimsOf(t, a.String(name)).get("sub"); sub != uuidUser {
					t.Errorf("%s: sub %v", name, sub)
				}
			}
		}
		if sub := s.Get("/oauth2/userinfo", servertest.Header("Authorization", "Bearer "+answer.String("access_token"))).Expect(200).String("sub"); sub != uuidUser {
			t.Errorf("userinfo: sub %q", sub)
		}
		pair := s.PostJSON("/api/token/", map[string]string{"username": "bob", "password": "bob's password"}).Expect(200)
		again := s.RefreshSimpleJWT(pair.String("refresh")).Expect(200)
		for _, text := range []string{pair.String("access"), pair.String("refresh"), again.String("access"), again.String("refresh")} {
			if c := claimsOf(t, text); c.get("user_id") != uuidUser || c.get("id") != uuidUser {
				t.Errorf("simplejwt: %v", c)
			}
		}
		for _, text := range []string{answer.String("access_token"), refreshed.String("refresh_token"), pair.String("access"), pair.String("refresh")} {
			about := s.PostForm("/oauth2/introspect", servertest.Form("token", text), s.Inspector.Basic()).Expect(200)
			if about.String("sub") != uuidUser {
				t.Errorf("introspection: %v", about.JSON())
			}
		}
	})
}

// A token that Django wrote finds its user by the key that Django has: a UUID, an integer in either JSON type, a slug.
func TestDjangosTokensFindTheirUserBySubject(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Configure(withSliding))
		s.AddUser(users.NewUser{Subject: uuidUser, Username: "bob", Active: true}, "bob's password")
		s.AddUser(users.NewUser{Subject: slugUser, Username: slugUsername, Active: true}, "carla's password")
		now := s.Clock.Now()
		for i, c := range []struct{ claim, username string }{
			{`"` + uuidUser + `"`, "bob"},
			{`"` + slugUser + `"`, slugUsername},
			{`1`, servertest.Username},
			{`"1"`, servertest.Username},
			{`" 1"`, servertest.Username}, // int(" 1") in Django
			{`"` + uuidUser + ` "`, ""},
			{`1099511627776`, ""}, // bob's ID inside, which no token carries
			{`null`, ""},
		} {
			raw := signed(fmt.Sprintf(`{"token_type":"refresh","exp":%d,"iat":%d,"jti":"%032x","user_id":%s}`,
				now.Add(time.Hour).Unix(), now.Unix(), i+1, c.claim))
			if c.username == "" {
				s.RefreshSimpleJWT(raw).Expect(401)
				continue
			}
			access := s.RefreshSimpleJWT(raw).Expect(200).String("access")
			if got := claimsOf(t, access).get("username"); got != c.username {
				t.Errorf("%s: it is a token of %v", c.claim, got)
			}
		}
	})
}

// R39: SIMPLE_JWT's USER_ID_CLAIM may be sub, which is a string: PyJWT refuses any other from 2.10 on.
func TestR39TheUsersIDInSub(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Configure(func(c *server.Config) {
			c.SimpleJWT.UserIDClaim, c.SimpleJWT.UserIDInteger = "sub", false
		}))
		pair := s.LoginSimpleJWT()
		again := s.RefreshSimpleJWT(pair.Refresh).Expect(200)
		for _, text := range []string{pair.Access, pair.Refresh, again.String("access"), again.String("refresh")} {
			if sub, ok := claimsOf(t, text).get("sub").(string); !ok || sub == "" {
				t.Errorf("sub is %v", claimsOf(t, text).get("sub"))
			}
		}
		s.PostJSON("/api/token/verify/", map[string]string{"token": again.String("access")}).Expect(200)
		s.RefreshSimpleJWT(again.String("refresh")).Expect(200)
	})
}
