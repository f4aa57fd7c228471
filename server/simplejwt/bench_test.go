package simplejwt_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
)

// BenchmarkRefresh prints one refresh in both languages, side by side: the same token of the same session, so that what
// differs is the route.
func BenchmarkRefresh(b *testing.B) {
	s := servertest.New(b, servertest.Configure(func(c *server.Config) {
		c.SimpleJWT.Rotation = clients.RotationOff
	}))
	login := s.PostJSON(simplejwt.ObtainPath, map[string]string{"username": servertest.Username, "password": servertest.Password})
	refresh := login.Expect(200).String("refresh")
	h := s.Handler()
	run := func(path, contentType, body string) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", path, strings.NewReader(body))
				r.Header.Set("Content-Type", contentType)
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		}
	}
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {clients.SimpleJWTID}, "refresh_token": {refresh}}.Encode()
	b.Run("oauth2", run("/oauth2/token", "application/x-www-form-urlencoded", form))
	b.Run("simplejwt", run(simplejwt.RefreshPath, "application/json", `{"refresh": "`+refresh+`"}`))
}
