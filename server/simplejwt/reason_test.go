package simplejwt_test

import (
	"net/http"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// A14: who presents a dead token learns that it is dead, and not how it died: superseded by a sibling, retired by its successor, ended
// with its session, by the user or with all of the client's sessions.
func TestA14ADeadTokenDoesNotTellHowItDied(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Configure(func(c *server.Config) {
			c.SimpleJWT.OnReuse = clients.OnReuseReject
		}))
		refresh := func(token string) string { return s.RefreshSimpleJWT(token).Expect(http.StatusOK).String("refresh") }
		r0 := s.LoginSimpleJWT().Refresh
		sibling := refresh(r0)
		s.Clock.Advance(time.Minute)
		r1 := refresh(r0)
		r2 := refresh(r1)
		refresh(r2)
		s.Clock.Advance(time.Minute)

		ended := s.LoginSimpleJWT().Refresh
		s.Revoke(s.SimpleJWT, ended).Expect(http.StatusOK)
		dead := map[string]string{"superseded": sibling, "retired": r1, "of an ended session": ended}
		everywhere := s.LoginSimpleJWT().Refresh
		user, err := s.Store.UserByUsername(t.Context(), servertest.Username)
		if err != nil {
			t.Fatal(err)
		}
		tell := func() {
			t.Helper()
			for how, token := range dead {
				a := s.RefreshSimpleJWT(token).Expect(http.StatusUnauthorized)
				if reason := a.Header.Get(simplejwt.ReasonHeader); reason != "token_ended" || a.Body != `{"detail":"Token is blacklisted","code":"token_not_valid"}` {
					t.Errorf("%s: %s, reason %q", how, a.Body, reason)
				}
			}
		}
		tell()
		if err := s.Store.RaiseUserEpoch(t.Context(), user.ID, s.Clock.Now(), nil); err != nil {
			t.Fatal(err)
		}
		dead["ended by the user everywhere"] = everywhere
		tell()
	})
}
