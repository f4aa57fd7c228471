package simplejwt_test

import (
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/servertest"
)

// Statement 30: the routes that take passwords can say when they go away, and can be switched off. No other route says so.
func TestStatement30SimpleJWTRoutesAnnounceTheirEnd(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) {
		c.SimpleJWT.Sunset = time.Date(2027, 1, 31, 7, 0, 0, 0, time.FixedZone("", 3600))
	}))
	const want = "Sun, 31 Jan 2027 06:00:00 GMT"
	tokens := s.LoginSimpleJWT()
	for name, a := range map[string]*servertest.Answer{
		"login":        s.PostJSON("/api/token/", map[string]string{"username": servertest.Username, "password": servertest.Password}).Expect(200),
		"no slash":     s.PostJSON("/api/token", map[string]string{"username": servertest.Username, "password": servertest.Password}).Expect(200),
		"refused":      s.PostJSON("/api/token/", map[string]string{"username": servertest.Username, "password": "wrong"}).Expect(401),
		"refresh":      s.RefreshSimpleJWT(tokens.Refresh).Expect(200),
		"verify":       s.PostJSON("/api/token/verify/", map[string]string{"token": tokens.Access}).Expect(200),
		"blacklist":    s.PostJSON("/api/token/blacklist/", map[string]string{"refresh": tokens.Refresh}).Expect(200),
		"wrong method": s.Get("/api/token/").Expect(405),
	} {
		if got := a.Header.Get("Sunset"); got != want {
			t.Errorf("%s: Sunset is %q, want %q", name, got, want)
		}
	}
	if got := s.Token(s.SPA, "grant_type", "password").Header.Values("Sunset"); len(got) > 0 {
		t.Errorf("/oauth2/token: Sunset is %q", got)
	}
	if got := servertest.New(t).Get("/api/token/").Header.Values("Sunset"); len(got) > 0 {
		t.Errorf("without a plan: Sunset is %q", got)
	}
	off := servertest.New(t, servertest.Configure(func(c *server.Config) { c.SimpleJWT.Enabled = false }))
	off.PostJSON("/api/token/", map[string]string{"username": servertest.Username, "password": servertest.Password}).Expect(404)
}
