package directory_test

import (
	"testing"

	"latchkey/server/servertest"
)

// With Django's table in the same database a refresh is one round trip as before; with it in another one it is one more, also for tokens
// that do not say whose they are. Only the strict rotation of such tokens reads the session first.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, budget := range []struct {
		place, rotation          string
		simplejwt, native, login int
	}{
		{"same", "confirmed", 1, 1, 4},
		{"same", "strict", 1, 1, 4},
		{"other", "confirmed", 2, 2, 4},
		{"other", "strict", 2, 3, 4},
	} {
		t.Run(budget.place+"/"+budget.rotation, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, budget.place, "integer")
			opts := []servertest.Option{}
			if budget.rotation == "strict" {
				opts = append(opts, servertest.Configure(strict))
			}
			s := site.serve(opts...)
			session := login(s, "ada", "secret").Expect(200).String("refresh")
			native := s.Token(s.Backend, "grant_type", "password", "username", "ada", "password", "secret").Expect(200).String("refresh_token")
			session = s.RefreshSimpleJWT(session).Expect(200).String("refresh")
			native = s.Refresh(s.Backend, native).Expect(200).String("refresh_token")
			count := func(what string, want int, f func()) {
				t.Helper()
				before := site.counter.Count()
				f()
				if got := site.counter.Count() - before; got != want {
					t.Errorf("%s: %d round trips, want %d", what, got, want)
				}
			}
			count("refresh of simplejwt", budget.simplejwt, func() { session = s.RefreshSimpleJWT(session).Expect(200).String("refresh") })
			count("refresh", budget.native, func() { native = s.Refresh(s.Backend, native).Expect(200).String("refresh_token") })
			count("login", budget.login, func() { login(s, "ada", "secret").Expect(200) })
		})
	}
}
