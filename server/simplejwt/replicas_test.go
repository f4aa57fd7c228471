package simplejwt_test

import (
	"fmt"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
)

// F2: behind a load balancer that sends each request to another replica, clocks that differ a little log nobody out.
func TestF2ReplicasWhoseClocksDifferALittleTakeEachOthersTokens(t *testing.T) {
	t.Parallel()
	for _, rotation := range []clients.Rotation{clients.RotationConfirmed, clients.RotationStrict, clients.RotationReissue} {
		for _, algorithm := range []string{"HS256", "ES256"} {
			for _, behind := range []time.Duration{time.Second, 50 * time.Second} {
				t.Run(fmt.Sprintf("%s %s %s", rotation, algorithm, behind), func(t *testing.T) {
					t.Parallel()
					settings := servertest.Configure(func(c *server.Config) {
						withSliding(c)
						c.SimpleJWT.Rotation, c.SimpleJWT.Algorithm = rotation, algorithm
						if algorithm == "ES256" {
							c.SimpleJWT.SigningKey = "" // the server's own key pair
						}
					})
					ahead := servertest.New(t, settings)
					late := ahead.Replica(t, settings, servertest.Configure(func(c *server.Config) {
						c.Now = func() time.Time { return ahead.Clock.Now().Add(-behind) }
					}))
					session := ahead.LoginSimpleJWT()
					refresh := session.Refresh
					for range 4 {
						late.PostJSON("/api/token/verify/", map[string]string{"token": refresh}).Expect(200)
						late.PostJSON("/api/token/verify/", map[string]string{"token": session.Access}).Expect(200)
						if active := late.Introspect(ahead.Inspector, session.Access).Expect(200).JSON()["active"]; active != true {
							t.Error("introspection finds the access token inactive")
						}
						refresh = late.RefreshSimpleJWT(refresh).Expect(200).String("refresh")
						ahead.Clock.Advance(5 * time.Second)
						refresh = ahead.RefreshSimpleJWT(refresh).Expect(200).String("refresh")
					}
					late.PostJSON("/api/token/blacklist/", map[string]string{"refresh": refresh}).Expect(200)

					sliding := loginSliding(ahead)
					sliding = slide(late, sliding).Expect(200).String("token")
					late.PostJSON("/api/token/verify/", map[string]string{"token": sliding}).Expect(200)
				})
			}
		}
	}
}

// F2: the tolerance is a minute, and for our own tokens: Django's are judged as Django does.
func TestF2TheToleranceIsAMinuteForOurOwnTokens(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(withSliding))
	future := s.LoginSimpleJWT().Refresh
	s.Clock.Advance(-61 * time.Second)
	s.RefreshSimpleJWT(future).Expect(401)
	s.Clock.Advance(time.Second)
	s.RefreshSimpleJWT(future).Expect(200)
	django := signed(fmt.Sprintf(`{"token_type":"refresh","exp":%d,"iat":%d,"jti":"0123456789abcdef0123456789abcdef","user_id":1}`,
		s.Clock.Now().Add(time.Hour).Unix(), s.Clock.Now().Add(time.Second).Unix()))
	s.PostJSON(simplejwt.RefreshPath, map[string]string{"refresh": django}).Expect(401)
	s.Clock.Advance(time.Second)
	s.PostJSON(simplejwt.RefreshPath, map[string]string{"refresh": django}).Expect(200)
}
