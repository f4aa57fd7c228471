package oauth_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// Statement 62: a hundred thousand registrations (in make test-long; fewer otherwise), from as many places as there are, leave at
// most as many rows as may be, and everybody else is served as before.
func TestStatement62AFloodOfRegistrations(t *testing.T) {
	t.Parallel()
	const most, workers = 500, 4
	flood := 1200
	if os.Getenv("LATCHKEY_TEST_LONG") != "" {
		flood = 100_000
	}
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := registering(t, "open", servertest.Store(open(t)), servertest.Configure(func(c *server.Config) { c.RegistrationUnusedLimit = most }))
		refresh := s.Login(s.SPA).Refresh
		// p99 refreshes until done.
		p99 := func(atLeast int, done func() bool) time.Duration {
			var took []time.Duration
			for len(took) < atLeast || !done() {
				begin := time.Now()
				refresh = s.Refresh(s.SPA, refresh).Expect(200).String("refresh_token")
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			return took[len(took)*99/100]
		}
		before := p99(200, func() bool { return true })

		var sent, refused, ended atomic.Int64
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				defer ended.Add(1)
				for i := sent.Add(1); i <= int64(flood); i = sent.Add(1) {
					// Time goes on so fast that the limit of all places together lets two of three through.
					s.Clock.Advance(4 * time.Second)
					a := s.PostJSON(registerPath, app("client_name", fmt.Sprint(i)), from(fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)))
					switch {
					case a.Status == 429 && a.Header.Get("Retry-After") != "":
						refused.Add(1)
					case a.Status != 201:
						t.Errorf("registration %d: %d %s", i, a.Status, a.Body)
						return
					}
				}
			})
		}
		during := p99(200, func() bool { return ended.Load() == workers })
		wg.Wait()

		rows, after := 0, ""
		for {
			page, err := s.Clients().List(t.Context(), after, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page {
				if after = c.ID; !c.ExpiresAt.IsZero() {
					rows++
				}
			}
			if len(page) < 1000 {
				break
			}
		}
		t.Logf("%d registrations: %d rows, %d refused; refresh p99 %s before, %s during", flood, rows, refused.Load(), before, during)
		if rows > most || int(refused.Load()) < flood-most {
			t.Errorf("%d rows are left of at most %d, %d were refused", rows, most, refused.Load())
		}
		// Far above what a busy machine adds, far below what waiting for a table of strangers would.
		if during > 10*before+2*time.Second {
			t.Errorf("refresh p99 is %s, it was %s", during, before)
		}
	})
}
