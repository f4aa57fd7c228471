package server_test

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// Statement 40: sessions are refreshed at two servers on one Postgres while they are ended, in every way there is. What was given out before
// the end was acknowledged, or meanwhile, works for nobody afterwards. LATCHKEY_TEST_LONG makes it 200 rounds of each.
func TestStatement40RefreshAgainstEveryEnd(t *testing.T) {
	t.Parallel()
	rounds := 3
	if os.Getenv("LATCHKEY_TEST_LONG") != "" {
		rounds = 200
	}
	a := servertest.New(t, servertest.Store(teststore.Postgres(t)))
	b := a.Replica(t, servertest.Background(), servertest.Configure(func(c *server.Config) { c.Issuer = a.URL }))
	servers := [2]*servertest.Server{a, b}
	must := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for name, end := range map[string]func(u *storage.User, c servertest.Client, refresh string){
		"revoked by the client": func(_ *storage.User, c servertest.Client, refresh string) { b.Revoke(c, refresh).Expect(200) },
		"user's sessions ended": func(u *storage.User, _ servertest.Client, _ string) { must(b.Users().EndSessions(t.Context(), u.ID)) },
		"user disabled":         func(u *storage.User, _ servertest.Client, _ string) { must(b.Users().Disable(t.Context(), u.ID)) },
		"user removed":          func(u *storage.User, _ servertest.Client, _ string) { must(b.Users().Remove(t.Context(), u.ID)) },
		"password set": func(u *storage.User, _ servertest.Client, _ string) {
			must(b.Users().SetPassword(t.Context(), u.ID, "another password"))
		},
		"client's sessions ended": func(_ *storage.User, c servertest.Client, _ string) {
			must(b.Store.RaiseClientEpoch(t.Context(), c.ID, b.Clock.Now(), nil))
		},
		"consent revoked": func(u *storage.User, c servertest.Client, _ string) {
			_, err := b.Store.RevokeConsent(t.Context(), storage.ConsentEnd{UserID: u.ID, ClientID: c.ID, Reason: "consent_revoked", Now: b.Clock.Now()}, nil)
			must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for round := range rounds {
				for _, rotation := range []clients.Rotation{clients.RotationConfirmed, clients.RotationStrict} {
					id := fmt.Sprintf("%s %s %d", name, rotation, round)
					u := a.AddUser(users.NewUser{Username: id, Active: true}, servertest.Password)
					c := a.AddClient(clients.Registration{Policy: clients.Policy{Rotation: rotation}, Metadata: clients.Metadata{
						ClientName: id, GrantTypes: []string{"password", "refresh_token"}, TokenEndpointAuthMethod: "none",
					}})
					refreshAgainst(t, servers, u, c, func(refresh string) { end(u, c, refresh) })
				}
			}
		})
	}
}

// refreshAgainst refreshes sessions of a user at a client while end ends them, and checks that nothing of them is left.
func refreshAgainst(t *testing.T, servers [2]*servertest.Server, u *storage.User, c servertest.Client, end func(refresh string)) {
	t.Helper()
	first := servers[0].PostForm("/oauth2/token", servertest.Form("grant_type", "password", "client_id", c.ID, "username", u.Username, "password", servertest.Password)).Expect(200)
	var mu sync.Mutex
	given := []string{first.String("refresh_token")}
	latest := func() string {
		mu.Lock()
		defer mu.Unlock()
		return given[len(given)-1]
	}
	var ended atomic.Bool
	var refreshed atomic.Int64
	var all sync.WaitGroup
	for i := range 2 {
		all.Go(func() {
			for !ended.Load() {
				answer := servers[i].Refresh(c, latest())
				if answer.Status != 200 {
					continue // the end, or the other one was faster
				}
				mu.Lock()
				given = append(given, answer.String("refresh_token"))
				mu.Unlock()
				refreshed.Add(1)
			}
		})
	}
	for refreshed.Load() < 3 { // both are at it; a strict session may end by its own races
		if servers[0].Refresh(c, latest()).Status == 400 {
			break
		}
	}
	end(latest())
	ended.Store(true)
	all.Wait()
	for i, token := range given {
		for _, s := range servers {
			if got := s.Refresh(c, token); got.Status != 400 {
				t.Fatalf("token %d of %d works after the end: %d %s", i, len(given), got.Status, got.Body)
			}
		}
	}
}
