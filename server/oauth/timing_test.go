package oauth_test

import (
	"math"
	"os"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/servertest"
)

// Statement 51: a wrong password and a user that there isn't have the same answer, and the same time: make test-long compares ten thousand
// of each, as statement 26 does with clients. That each computes one hash of the same cost, whatever the account has, is
// TestFailuresAreAlike in server/users.
func TestStatement51AWrongPasswordLooksLikeNoUser(t *testing.T) {
	t.Parallel()
	long := os.Getenv("LATCHKEY_TEST_LONG") != ""
	options := []servertest.Option{servertest.Configure(func(c *server.Config) { c.LoginThrottle = false })}
	if long { // a fifth of the default, so that something can hide behind it; in the background the costs of the stored hashes are measured
		options = append(options, servertest.Background(), servertest.Configure(func(c *server.Config) { c.Argon2 = "m=4096,t=2,p=1" }))
	}
	s := servertest.New(t, options...)
	ask := func(name string) *servertest.Answer {
		return s.Token(s.SPA, "grant_type", "password", "username", name, "password", "not the password")
	}
	if err := s.Users().SetPasswordHash(t.Context(), s.AddUser(newUser("nopass"), "x").ID, "!"); err != nil {
		t.Fatal(err)
	}
	if err := s.Users().Disable(t.Context(), s.AddUser(newUser("gone"), "not the password").ID); err != nil {
		t.Fatal(err)
	}
	wrong := ask(servertest.Username).ExpectError(400, "invalid_grant")
	for _, name := range []string{"nobody", "nopass", "gone"} {
		a := ask(name).ExpectError(400, "invalid_grant")
		for _, h := range []*servertest.Answer{a, wrong} {
			h.Header.Del("Date")
			h.Header.Del("X-Request-Id")
		}
		if a.Body != wrong.Body || len(a.Header) != len(wrong.Header) || a.Header.Get("X-Latchkey-Reason") != wrong.Header.Get("X-Latchkey-Reason") {
			t.Errorf("%s: %s %v, not %s %v", name, a.Body, a.Header, wrong.Body, wrong.Header)
		}
	}
	if !long {
		return // beside other tests the time would only measure these
	}
	var times [2][]float64
	time.Sleep(5 * time.Second) // until they are
	names := []string{servertest.Username, "nobody"}
	for round := range 20_000 {
		i := (round + round/2) % 2 // each comes as often after itself as after the other
		begin := time.Now()
		ask(names[i])
		times[i] = append(times[i], float64(time.Since(begin)))
	}
	if score := welch(times[0], times[1]); math.Abs(score) > 4.5 {
		t.Errorf("the times differ: t = %.1f", score)
	}
}
