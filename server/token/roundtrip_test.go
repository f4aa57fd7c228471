package token_test

import (
	"testing"

	"latchkey/clients"
	"latchkey/server/simplejwt"
	"latchkey/server/token"
	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// With clients and keys cached, a request costs this many round trips to the database.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	counter := new(postgrestest.RoundTrips)
	w := newWorld(t, openPostgres(t, postgres.Config{URL: postgrestest.URL(t), Tracer: counter}))
	w.claims = simplejwt.UserClaims() // they come along with what is read anyway
	w.build()
	for _, client := range []string{"strict", clients.SimpleJWTID} {
		warm := w.login(client)
		w.refresh(client, warm.RefreshToken)
		w.active(warm.AccessToken)

		count := func(what string, want int, f func()) {
			t.Helper()
			before := counter.Count()
			f()
			if got := counter.Count() - before; int(got) != want {
				t.Errorf("%s at %s: %d round trips, want %d", what, client, got, want)
			}
		}
		var resp, next *token.Response
		count("password", 2, func() { resp = w.login(client) })
		count("refresh", 1, func() { next = w.refresh(client, resp.RefreshToken) })
		count("refresh by the successor", 1, func() { next = w.refresh(client, next.RefreshToken) })
		count("introspect", 1, func() { w.active(next.AccessToken) })
		count("introspect a refresh token", 1, func() { w.active(next.RefreshToken) })
		count("revoke", 1, func() {
			if err := w.svc.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials(client), Token: next.RefreshToken}); err != nil {
				t.Error(err)
			}
		})
		count("a forged token", 0, func() { w.refused(client, storage.Secret("lk_rt_forged"), w.refusal(client, "lk_rt_forged").Reason) })
		if client == clients.SimpleJWTID {
			count("sliding login", 2, func() { resp = w.loginWith(client, w.sliding) })
			count("sliding refresh", 2, func() { w.slide(resp.AccessToken) })
			count("introspect a sliding token", 1, func() { w.active(resp.AccessToken) })
		}
		if client == "strict" {
			count("client_credentials", 0, func() {
				if _, err := w.svc.Exchange(t.Context(), &token.Request{Client: w.credentials(client), GrantType: clients.GrantClientCredentials}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
