package oauth_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/server/servertest"
	"latchkey/storage"
)

// Statement 54: a hundred guesses at once, at two servers, count as a hundred: twenty are looked at, and the right password is not among
// those that come after them.
func TestStatement54LimitsHoldOnAllServersTogether(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		servers := [2]*servertest.Server{s, s.Replica(t)}
		guess := func(i int, password storage.Secret) *servertest.Answer {
			return servers[i%2].Token(s.SPA, "grant_type", "password", "username", servertest.Username, "password", password.Reveal())
		}
		var looked, refused atomic.Int32
		begin := make(chan struct{})
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				<-begin
				switch a := guess(i, "not the password"); a.Status {
				case 400:
					looked.Add(1)
				case 429:
					refused.Add(1)
				default:
					t.Errorf("%d %s", a.Status, a.Body)
				}
			})
		}
		close(begin)
		all.Wait()
		if looked.Load() != 20 || refused.Load() != 80 {
			t.Errorf("%d guesses were looked at, %d were not", looked.Load(), refused.Load())
		}
		for i := range servers {
			if a := guess(i, servertest.Password).Expect(429); a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
	})
}
