package simplejwt_test

import (
	"net/http"
	"testing"
	"time"

	"latchkey/server/servertest"
)

// RFC 9470 §6.2: what happened at a login in Django is not known here, so that no time of it is told, which would pass for that of a
// login. A login at /api/token/ is known.
func TestTheLoginOfAnAdoptedSessionIsNotTold(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(withSliding))
	adopted := s.RefreshSimpleJWT(django(s, 1, time.Hour)).Expect(http.StatusOK).String("access")
	answer := s.Introspect(s.Inspector, adopted).Expect(http.StatusOK).JSON()
	if answer["active"] != true || answer["auth_time"] != nil || answer["amr"] != nil || answer["acr"] != nil {
		t.Errorf("of an adopted session: %v", answer)
	}
	answer = s.Introspect(s.Inspector, s.LoginSimpleJWT().Access).Expect(http.StatusOK).JSON()
	if answer["active"] != true || answer["auth_time"] != float64(s.Clock.Now().Unix()) || answer["acr"] == nil {
		t.Errorf("of a login here: %v", answer)
	}
}
