package simplejwt_test

import (
	"net/http"
	"testing"

	"latchkey/server"
	"latchkey/server/servertest"
)

// A token of one kind is refused wherever another kind is read: RFC 8725 §3.11. With an asymmetric algorithm all kinds are signed with
// the same keys.
func TestA7TokensOfOneKindAreNoneOfAnother(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"HS256", "ES256", "RS256", "EdDSA"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t, servertest.Configure(func(c *server.Config) {
				c.SimpleJWT.Algorithm, c.SimpleJWT.Sliding = algorithm, true
			}))
			b := s.Browser()
			b.SignIn()
			code := b.Authorize(s.Portal, "scope", "openid read").Response(servertest.Callback).Get("code")
			oidc := s.Redeem(s.Portal, code).Expect(http.StatusOK)
			machine := s.Token(s.Backend, "grant_type", "client_credentials").Expect(http.StatusOK).String("access_token")
			foreign := map[string]string{
				"access token of client_credentials": machine, "access token of a user": oidc.String("access_token"),
				"ID token": oidc.String("id_token"), "refresh token": oidc.String("refresh_token"),
			}
			post := func(path, name, token string) *servertest.Answer {
				return s.PostJSON(path, map[string]string{name: token})
			}
			for kind, token := range foreign {
				for path, name := range map[string]string{
					"/api/token/verify/": "token", "/api/token/refresh/": "refresh", "/api/token/blacklist/": "refresh", "/api/token/sliding/refresh/": "token",
				} {
					if a := post(path, name, token); a.Status != http.StatusUnauthorized || a.String("code") != "token_not_valid" {
						t.Errorf("%s takes an %s: %d %s", path, kind, a.Status, a.Body)
					}
				}
			}
			ours := s.LoginSimpleJWT()
			for _, token := range []string{ours.Access, ours.Refresh} {
				post("/api/token/verify/", "token", token).Expect(http.StatusOK)
			}
			post("/api/token/refresh/", "refresh", ours.Access).Expect(http.StatusUnauthorized)
			post("/api/token/blacklist/", "refresh", ours.Access).Expect(http.StatusUnauthorized)
			for kind, token := range map[string]string{
				"ID token": foreign["ID token"], "refresh token": foreign["refresh token"], "refresh token of simplejwt": ours.Refresh,
				"access token of simplejwt": ours.Access, "access token of client_credentials": machine,
			} {
				if a := s.Get("/oauth2/userinfo", servertest.Header("Authorization", "Bearer "+token)); a.Status < 400 {
					t.Errorf("userinfo takes an %s: %s", kind, a.Body)
				}
				if a := s.Token(s.Portal, "grant_type", "refresh_token", "refresh_token", token); kind != "refresh token" && a.Status < 400 {
					t.Errorf("the token endpoint refreshes an %s: %s", kind, a.Body)
				}
				if a := b.Get("/oauth2/logout?id_token_hint=" + token); kind != "ID token" && a.Left == "" && a.Status < 400 && !a.Has("/oauth2/logout") {
					t.Errorf("logout takes an %s as a hint: %d %s", kind, a.Status, a.Body)
				}
			}
			s.Introspect(s.Inspector, foreign["ID token"]).ExpectBody(`{"active":false}`)
			for _, token := range []string{foreign["ID token"], ours.Access + "x"} {
				s.Revoke(s.Portal, token).Expect(http.StatusOK)
			}
		})
	}
}
