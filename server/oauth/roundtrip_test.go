package oauth_test

import (
	"testing"
	"time"

	"latchkey/server/servertest"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/testclock"
)

// With clients and keys cached, these requests cost this many round trips to the database.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	counter := new(postgrestest.RoundTrips)
	store, err := postgres.Open(t.Context(), postgres.Config{
		URL: postgrestest.URL(t), Tracer: counter, Now: func() time.Time { return testclock.Epoch },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s := servertest.New(t, servertest.Store(store))
	b := s.Browser()
	s.Redeem(s.Web, b.Code(s.Web)).Expect(200) // signs in, allows, and makes the keys
	count := func(what string, want int, f func()) {
		t.Helper()
		before := counter.Count()
		f()
		if got := int(counter.Count() - before); got != want {
			t.Errorf("%s: %d round trips, want %d", what, got, want)
		}
	}
	var code string
	var tokens *servertest.Answer
	count("authorize, signed in and allowed", 2, func() { code = b.Authorize(s.Web).Response(servertest.Callback).Get("code") })
	count("redeem a code", 2, func() { tokens = s.Redeem(s.Web, code).Expect(200) })
	count("refresh, with an ID token", 1, func() { s.Refresh(s.Web, tokens.String("refresh_token")).Expect(200) })
	count("userinfo", 1, func() { s.Get("/oauth2/userinfo", bearer(tokens.String("access_token"))).Expect(200) })
	count("push a request", 1, func() {
		var all []string
		for name, values := range s.Web.AuthorizeParams() {
			all = append(all, name, values[0])
		}
		s.PostAs(s.Web, "/oauth2/par", all...).Expect(201)
	})
	count("authorize, signed out", 0, func() { s.Browser().Authorize(s.Web) })
	count("a code that is none", 0, func() { s.Redeem(s.Web, "lk_ac_forged").ExpectError(400, "invalid_grant") })
}
