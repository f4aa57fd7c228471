package server_test

import (
	"net/http"
	"testing"
	"time"

	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/teststore"
)

// The single-page application of the first users: it lives on another origin, keeps its first refresh token and
// presents that again and again.
func TestSimpleJWTForAPageOfAnotherOrigin(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)))
		fromPage := servertest.Header("Origin", servertest.Origin)
		a := s.Do(http.MethodOptions, "/api/token/refresh/", "", fromPage,
			servertest.Header("Access-Control-Request-Method", "POST"),
			servertest.Header("Access-Control-Request-Headers", "authorization,content-type"))
		if a.Expect(204).Header.Get("Access-Control-Allow-Origin") != servertest.Origin {
			t.Errorf("the preflight is refused: %v", a.Header)
		}
		tokens := s.LoginSimpleJWT()
		for range 5 {
			a := s.PostJSON("/api/token/refresh/", map[string]string{"refresh": tokens.Refresh}, fromPage,
				servertest.Header("Authorization", "Bearer "+tokens.Access)).Expect(200)
			if a.String("access") == "" || a.Header.Get("Access-Control-Allow-Origin") != servertest.Origin {
				t.Errorf("%s, %v", a.Body, a.Header)
			}
			s.Clock.Advance(4 * time.Hour)
		}
		s.Introspect(s.Backend, tokens.Access).ExpectBody(`{"active":false}`) // not this client's business
	})
}

func TestSimpleJWTOutageIs503(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	s := servertest.New(t, servertest.Store(outage))
	tokens := s.LoginSimpleJWT()
	outage.Away(true)
	if a := s.RefreshSimpleJWT(tokens.Refresh).Expect(503); a.Header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", a.Header)
	}
	outage.Away(false)
	s.RefreshSimpleJWT(tokens.Refresh).Expect(200)
}
