package oauth_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/claims"
	"latchkey/server/servertest"
)

// told returns what an answer or a token says about the login that its session came from.
func told(m map[string]any) [3]string {
	return [3]string{asJSON(m["auth_time"]), asJSON(m["acr"]), asJSON(m["amr"])}
}

// RFC 9068 §2.2.1, RFC 9470 §6.2: resource servers learn of the login from the access token and by introspection, whatever the format, and
// a refresh does not make it younger.
func TestResourceServersLearnOfTheLogin(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	client := func(id string, format clients.AccessTokenFormat) servertest.Client {
		return s.AddClient(clients.Registration{
			ID: id, Policy: clients.Policy{AccessTokenFormat: format, IntrospectAll: true},
			Metadata: clients.Metadata{RedirectURIs: []string{servertest.Callback}, GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read"},
		})
	}
	portal, opaque := client("step-jwt", clients.FormatJWT), client("step-opaque", clients.FormatOpaque)
	b := s.Browser()
	b.SignIn()
	next := enrolTOTP(t, s)
	login := func(c servertest.Client, more ...string) (*servertest.Answer, [3]string) {
		t.Helper()
		page := b.Authorize(c, append([]string{"prompt", "login"}, more...)...).Form("/login").
			Set("username", servertest.Username, "password", servertest.Password).Submit()
		answer := s.Redeem(c, page.Form("/login/second-factor").Set("code", next()).Submit().Through().Response(servertest.Callback).Get("code")).Expect(http.StatusOK)
		return answer, told(answer.IDToken())
	}
	answer, want := login(portal)
	if want[1] != `"`+claims.ACRMultiFactor+`"` || want[2] != `["pwd","otp","mfa"]` {
		t.Fatalf("the ID token says %v", want)
	}
	if got := told(servertest.Claims(t, answer.String("access_token"))); got != want {
		t.Errorf("the access token says %v, the ID token %v", got, want)
	}
	s.Clock.Advance(time.Hour)
	again := s.Refresh(portal, answer.String("refresh_token")).Expect(http.StatusOK)
	for name, got := range map[string]map[string]any{
		"the refreshed access token":   servertest.Claims(t, again.String("access_token")),
		"introspection of it":          s.Introspect(portal, again.String("access_token")).JSON(),
		"introspection of its refresh": s.Introspect(portal, again.String("refresh_token")).JSON(),
	} {
		if told(got) != want {
			t.Errorf("%s says %v, the ID token %v", name, told(got), want)
		}
	}
	// The value that was asked for is the one that is reported.
	answer, want = login(opaque, "acr_values", claims.ACRPassword)
	if got := told(s.Introspect(opaque, answer.String("access_token")).JSON()); got != want || want[1] != `"`+claims.ACRPassword+`"` {
		t.Errorf("introspection of an opaque token says %v, the ID token %v", got, want)
	}
	machine := s.Token(s.Backend, "grant_type", "client_credentials").Expect(http.StatusOK)
	if got := told(servertest.Claims(t, machine.String("access_token"))); !slices.Equal(got[:], []string{"null", "null", "null"}) {
		t.Errorf("a token of client_credentials says %v", got)
	}
}

// A policy that becomes stricter is one for logins: sessions of applications go on, and say what their login was.
func TestSessionsOutliveAStricterPolicy(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	client := s.AddClient(clients.Registration{ID: "before", Metadata: clients.Metadata{GrantTypes: []string{"password", "refresh_token"}}})
	tokens := s.Login(client)
	strict := s.Replica(t, servertest.Configure(func(c *server.Config) { c.SecondFactor = "required" }))
	access := strict.Refresh(client, tokens.Refresh).Expect(http.StatusOK).String("access_token")
	if acr := servertest.Claims(t, access)["acr"]; acr != claims.ACRPassword {
		t.Errorf("acr %v", acr)
	}
	strict.Token(client, "grant_type", "password", "username", servertest.Username, "password", servertest.Password).ExpectError(http.StatusBadRequest, "invalid_grant")
}
