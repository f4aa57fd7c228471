package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage/teststore"
)

// Statements 21, 27, 37, 50, 61: everything that may be used once is used by 32 requests at the same time, at two servers on one Postgres,
// over and over: one succeeds, and never two. LATCHKEY_TEST_LONG makes it 500 rounds of each.
func TestSingleUse(t *testing.T) {
	t.Parallel()
	const parallel = 32
	rounds := 6
	if os.Getenv("LATCHKEY_TEST_LONG") != "" {
		rounds = 500
	}
	a := servertest.New(t, servertest.Store(teststore.Postgres(t)))
	// One server behind two addresses: what is signed for it has one audience, and one target.
	b := a.Replica(t, servertest.Store(a.Store), servertest.Configure(func(c *server.Config) { c.Issuer = a.URL }))
	servers := [2]*servertest.Server{a, b}
	key := servertest.NewKey(t)
	signer := a.AddClient(clients.Registration{ID: "signer", Metadata: clients.Metadata{
		GrantTypes: []string{"client_credentials"}, TokenEndpointAuthMethod: "private_key_jwt", JWKS: key.Set(),
	}})
	tv := a.AddClient(clients.Registration{ID: "tv", Metadata: clients.Metadata{
		GrantTypes: []string{clients.GrantDeviceCode, "refresh_token"}, Scope: "read", TokenEndpointAuthMethod: "none",
	}})
	strict := a.AddClient(clients.Registration{
		ID: "strict", Policy: clients.Policy{Rotation: clients.RotationStrict},
		Metadata: clients.Metadata{GrantTypes: []string{"password", "refresh_token"}, Scope: "read", TokenEndpointAuthMethod: "none"},
	})
	browser := a.Browser()
	browser.Code(a.Web) // signs in
	token := func(s *servertest.Server, form url.Values, edits ...servertest.Edit) *servertest.Answer {
		return s.PostForm("/oauth2/token", form, edits...)
	}
	basic := func(c servertest.Client) servertest.Edit {
		if c.Secret == "" {
			return func(*http.Request) {}
		}
		return c.Basic()
	}

	for name, c := range map[string]struct {
		success int
		// prepare makes something new, and returns a request that uses it.
		prepare func(round int) func(s *servertest.Server) *servertest.Answer
	}{
		"authorization code": {200, func(int) func(*servertest.Server) *servertest.Answer {
			code := browser.Code(a.Web)
			return func(s *servertest.Server) *servertest.Answer { return s.Redeem(a.Web, code) }
		}},
		"device code": {200, func(int) func(*servertest.Server) *servertest.Answer {
			a.Clock.Advance(31 * time.Second) // a user enters so many codes
			asked := a.PostForm("/oauth2/device_authorization", servertest.Form("client_id", tv.ID)).Expect(200)
			browser.Get("/device").Form("/device").Set("user_code", asked.String("user_code")).Submit().Form("/device").Press("decision", "allow")
			form := servertest.Form("grant_type", clients.GrantDeviceCode, "device_code", asked.String("device_code"), "client_id", tv.ID)
			return func(s *servertest.Server) *servertest.Answer { return token(s, form) }
		}},
		"generation of a strict refresh token": {200, func(int) func(*servertest.Server) *servertest.Answer {
			form := servertest.Form("grant_type", "refresh_token", "client_id", strict.ID, "refresh_token", a.Login(strict).Refresh)
			return func(s *servertest.Server) *servertest.Answer { return token(s, form) }
		}},
		"assertion": {200, func(int) func(*servertest.Server) *servertest.Answer {
			form := servertest.Form(append(key.Assertion(a, signer.ID), "grant_type", "client_credentials")...)
			return func(s *servertest.Server) *servertest.Answer { return token(s, form) }
		}},
		"DPoP proof": {200, func(int) func(*servertest.Server) *servertest.Answer {
			proof := servertest.NewKey(t).DPoP(a)
			form := servertest.Form("grant_type", "client_credentials")
			return func(s *servertest.Server) *servertest.Answer { return token(s, form, basic(a.Backend), proof) }
		}},
		"initial access token": {201, func(round int) func(*servertest.Server) *servertest.Answer {
			_, secret, err := a.Clients().AddInitialToken(t.Context(), registry.InitialToken{Uses: 1, TTL: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			body, err := json.Marshal(map[string]any{
				"client_name": fmt.Sprint("App ", round), "redirect_uris": []string{"https://app.example/cb"}, "token_endpoint_auth_method": "none",
			})
			if err != nil {
				t.Fatal(err)
			}
			return func(s *servertest.Server) *servertest.Answer {
				return s.Do("POST", "/oauth2/register", string(body), servertest.Header("Content-Type", "application/json"),
					servertest.Header("Authorization", "Bearer "+secret.Reveal()))
			}
		}},
		"pushed request": {303, func(int) func(*servertest.Server) *servertest.Answer {
			a.Clock.Advance(2 * time.Second) // a network pushes so many requests of public clients
			pushed := a.PostForm("/oauth2/par", a.Portal.AuthorizeParams()).Expect(201).String("request_uri")
			query := servertest.Form("client_id", a.Portal.ID, "request_uri", pushed).Encode()
			cookies := browser.Header()
			return func(s *servertest.Server) *servertest.Answer {
				return s.Get("/oauth2/authorize?"+query, servertest.Header("Cookie", cookies), servertest.Header("Sec-Fetch-Site", "cross-site"))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for round := range rounds {
				use := c.prepare(round)
				answers := make([]*servertest.Answer, parallel)
				begin := make(chan struct{})
				var all sync.WaitGroup
				for i := range parallel {
					all.Go(func() {
						<-begin
						answers[i] = use(servers[i%2])
					})
				}
				close(begin)
				all.Wait()
				statuses, succeeded := map[int]int{}, 0
				for _, got := range answers {
					statuses[got.Status]++
					location := got.Header.Get("Location")
					if got.Status == c.success && (location == "" || strings.Contains(location, "code=")) {
						succeeded++
					}
					if got.Status >= 500 && got.Header.Get("Retry-After") == "" {
						t.Errorf("%d %s", got.Status, got.Body)
					}
				}
				if succeeded != 1 {
					t.Fatalf("round %d: %d requests succeeded: %v", round, succeeded, statuses)
				}
			}
		})
	}
}
