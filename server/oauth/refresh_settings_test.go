package oauth_test

import (
	"slices"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/servertest"
)

func addPasswordClient(s *servertest.Server, p clients.Policy) servertest.Client {
	return s.AddClient(clients.Registration{Policy: p, Metadata: clients.Metadata{
		GrantTypes: []string{"password", "refresh_token"}, Scope: "openid",
	}})
}

// Clients that got their tokens together refresh together, unless their tokens end at different times.
func TestAccessTokensMayEndAtDifferentTimes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	lifetimes := func(jitter time.Duration) (all []int) {
		c := addPasswordClient(s, clients.Policy{AccessTokenTTL: clients.Duration(time.Hour), AccessTokenTTLJitter: clients.Duration(jitter)})
		refresh := s.Login(c).Refresh
		for range 24 {
			a := s.Refresh(c, refresh).Expect(200)
			refresh = a.String("refresh_token")
			in, _ := a.JSON()["expires_in"].(float64)
			claims := servertest.Claims(t, a.String("access_token"))
			exp, _ := claims["exp"].(float64)
			iat, _ := claims["iat"].(float64)
			if exp-iat != in {
				t.Errorf("expires_in is %v, and the token ends after %v", in, exp-iat)
			}
			all = append(all, int(in))
		}
		slices.Sort(all)
		return all
	}
	if all := lifetimes(0); all[0] != 3600 || all[23] != 3600 {
		t.Errorf("without jitter: %v", all)
	}
	if all := lifetimes(10 * time.Minute); all[0] < 3000 || all[23] > 3600 || all[23]-all[0] < 60 {
		t.Errorf("with ten minutes: %v", all)
	}
	// Never less than half, whatever the client is set to.
	if all := lifetimes(24 * time.Hour); all[0] < 1800 || all[23] > 3600 {
		t.Errorf("with a day: %v", all)
	}
}

// OpenID Connect Core §12.2: the answer to a refresh might not have an ID token.
func TestARefreshWithoutAnIDToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	off := false
	for _, tt := range []struct {
		setting *bool
		want    bool
	}{{nil, true}, {&off, false}} {
		c := addPasswordClient(s, clients.Policy{IDTokenRefresh: tt.setting})
		login := s.Token(c, "grant_type", "password", "username", servertest.Username, "password", servertest.Password, "scope", "openid").Expect(200)
		if login.JSON()["id_token"] == nil {
			t.Error("the login has no ID token")
		}
		again := s.Refresh(c, login.String("refresh_token")).Expect(200)
		if got := again.JSON()["id_token"] != nil; got != tt.want {
			t.Errorf("a refresh has an ID token: %v, want %v", got, tt.want)
		}
		if again.String("scope") != "openid" {
			t.Errorf("the scope is %q", again.String("scope"))
		}
		s.Get("/oauth2/userinfo", bearer(again.String("access_token"))).Expect(200)
	}
}
