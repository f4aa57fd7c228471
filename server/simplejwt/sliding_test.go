package simplejwt_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

const djangoKey = "the SECRET_KEY of a Django that was here before"

func withSliding(c *server.Config) {
	j := &c.SimpleJWT
	j.SigningKey = djangoKey
	j.Sliding, j.SlidingTokenLifetime, j.SlidingTokenRefreshLifetime = true, 5*time.Minute, 24*time.Hour
	j.Claims = []string{"username", "is_staff"}
}

func loginSliding(s *servertest.Server) string {
	return s.PostJSON(simplejwt.SlidingPath, map[string]string{
		"username": servertest.Username, "password": servertest.Password,
	}).Expect(200).String("token")
}

func slide(s *servertest.Server, token string) *servertest.Answer {
	return s.PostJSON(simplejwt.SlidingRefreshPath, map[string]string{"token": token})
}

func claimsOf(t *testing.T, text string) members {
	t.Helper()
	token, ok := parseJWT(text)
	if !ok {
		t.Fatalf("no token: %.80q", text)
	}
	return token.claims
}

func TestSlidingTokensAreOffByDefault(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, path := range []string{simplejwt.SlidingPath, simplejwt.SlidingRefreshPath, "/api/token/sliding"} {
		s.PostJSON(path, map[string]string{"username": servertest.Username, "password": servertest.Password}).Expect(404)
	}
}

// A day of an application with sliding tokens, and its logout.
func TestASlidingSession(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Configure(withSliding))
		auditor := s.AddClient(clients.Registration{
			ID:       "auditor",
			Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}, TokenEndpointAuthMethod: "client_secret_basic"},
			Policy:   clients.Policy{IntrospectAll: true},
		})
		first := loginSliding(s)
		token := first
		for range 10 {
			s.Clock.Advance(4 * time.Minute)
			token = slide(s, token).Expect(200).String("token")
		}
		was, is := claimsOf(t, first), claimsOf(t, token)
		for _, name := range []string{"jti", "refresh_exp", "sid", "user_id", "username"} {
			if was.get(name) == nil || was.get(name) != is.get(name) {
				t.Errorf("%s was %v and is %v", name, was.get(name), is.get(name))
			}
		}
		if exp := s.Clock.Now().Add(5 * time.Minute).Unix(); is.get("exp") != float64(exp) {
			t.Errorf("exp %v, want %d", is.get("exp"), exp)
		}
		s.PostJSON(simplejwt.VerifyPath, map[string]string{"token": token}).Expect(200)
		known := s.Introspect(auditor, token).Expect(200).JSON()
		if known["active"] != true || known["username"] != servertest.Username || known["sid"] != is.get("sid") || known["token_type"] != "Bearer" {
			t.Errorf("introspection %v", known)
		}
		s.RefreshSimpleJWT(token).Expect(401)
		s.PostJSON(simplejwt.BlacklistPath, map[string]string{"refresh": token}).Expect(401)

		s.Revoke(s.SimpleJWT, token).Expect(200)
		refused := slide(s, token).Expect(401)
		if refused.Body != `{"detail":"Token is blacklisted","code":"token_not_valid"}` || refused.Header.Get(simplejwt.ReasonHeader) != "token_ended" {
			t.Errorf("%s, reason %s", refused.Body, refused.Header.Get(simplejwt.ReasonHeader))
		}
		if s.Introspect(auditor, token).Expect(200).JSON()["active"] != false {
			t.Error("still active after its end")
		}
	})
}

func TestWhySlidingTokensAreRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(withSliding))
	token := loginSliding(s)
	s.Clock.Advance(24 * time.Hour)
	refuses := func(claims, body, reason string) {
		t.Helper()
		a := slide(s, signed(claims)).Expect(401)
		if a.Body != body || a.Header.Get(simplejwt.ReasonHeader) != reason {
			t.Errorf("%s (%s), want %s (%s)", a.Body, a.Header.Get(simplejwt.ReasonHeader), body, reason)
		}
	}
	at := s.Clock.Now().Unix()
	claims := func(user, more string) string {
		return fmt.Sprintf(`{"token_type":"sliding","exp":%d,"jti":"a","user_id":%s%s}`, at+60, user, more)
	}
	refuses(claims("1", ""), `{"detail":"Token has no 'refresh_exp' claim","code":"token_not_valid"}`, "malformed_token")
	refuses(claims("1", fmt.Sprintf(`,"refresh_exp":%d`, at)), `{"detail":"Token 'refresh_exp' claim has expired","code":"token_not_valid"}`, "token_expired")
	refuses(claims("7", fmt.Sprintf(`,"refresh_exp":%d`, at+60)), `{"detail":"No active account found for the given token."}`, "user_removed")
	if a := slide(s, token).Expect(401); a.Body != `{"detail":"Token is invalid or expired","code":"token_not_valid"}` {
		t.Error(a.Body)
	}
}

// signed signs a token as Django does.
func signed(claims string) string {
	input := segment([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + segment([]byte(claims))
	return input + "." + segment(sign("HS256", djangoKey, input))
}

// What an application reads from its access token follows the user from refresh to refresh.
func TestClaimsOfTheUser(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Configure(withSliding))
		token := s.LoginSimpleJWT()
		for _, raw := range []string{token.Access, token.Refresh} {
			if c := claimsOf(t, raw); c.get("username") != servertest.Username || c.get("is_staff") != false || c.get("email") != nil {
				t.Errorf("claims %s", c.json())
			}
		}
		// What a token in flight says gives way to what is true now.
		stale := signed(fmt.Sprintf(`{"token_type":"refresh","exp":%d,"jti":"a","is_staff":true,"user_id":1,"username":"Alice"}`, s.Clock.Now().Unix()+60))
		a := s.RefreshSimpleJWT(stale).Expect(200)
		for _, field := range []string{"access", "refresh"} {
			if c := claimsOf(t, a.String(field)); c.get("username") != servertest.Username || c.get("is_staff") != false {
				t.Errorf("%s: claims %s", field, c.json())
			}
		}
	})
}

// As simplejwt's later releases, under CHECK_REVOKE_TOKEN.
func TestATokenFromBeforeAPasswordIsToldSo(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(withSliding))
	const stored = "pbkdf2_sha256$1000$salt$q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="
	bob, err := s.Users().Add(t.Context(), users.NewUser{Username: "bob", PasswordHash: stored, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum([]byte(stored))
	token := func(jti, hash string) string {
		return signed(fmt.Sprintf(`{"token_type":"refresh","exp":%d,"jti":%q,"user_id":%d,"hash_password":%q}`,
			s.Clock.Now().Unix()+60, jti, bob.ID, hash))
	}
	s.RefreshSimpleJWT(token("a", strings.ToUpper(hex.EncodeToString(sum[:])))).Expect(200)
	old := token("b", strings.Repeat("A", 32))
	refused := s.RefreshSimpleJWT(old).Expect(401)
	if refused.Body != `{"detail":"The user's password has been changed."}` || refused.Header.Get(simplejwt.ReasonHeader) != "password_changed" {
		t.Errorf("%s, reason %s", refused.Body, refused.Header.Get(simplejwt.ReasonHeader))
	}
	s.PostJSON(simplejwt.BlacklistPath, map[string]string{"refresh": old}).Expect(200)
}
