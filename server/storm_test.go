package server_test

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/password"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

func behindProxy(c *server.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
}

func forwarded(address string) servertest.Edit {
	return servertest.Header("X-Forwarded-For", address)
}

func tryLogin(s *servertest.Server, name, password, address string) *servertest.Answer {
	return s.PostJSON("/api/token/", map[string]string{"username": name, "password": password}, forwarded(address))
}

// A6: wrong passwords from random /64s of one /56 are answered with 429 and a Retry-After, everybody else's logins with 200.
func TestA6FloodFromASite(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Configure(behindProxy))
		const flood = 400
		statuses := map[int]int{}
		good := 0
		for i := range flood {
			// 33 a second by the server's clock.
			s.Clock.Advance(time.Second / 33)
			a := tryLogin(s, fmt.Sprint("user", i%7), "wrong", fmt.Sprintf("2001:db8:0:1%02x::%x", i*31%256, i))
			if a.Status == 429 {
				if n, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || n < 1 {
					t.Fatalf("Retry-After %q", a.Header.Get("Retry-After"))
				}
			}
			statuses[a.Status]++
			if i%10 == 0 {
				good++
				tryLogin(s, servertest.Username, servertest.Password, fmt.Sprintf("2001:db8:77:%x::1", i)).Expect(200)
				tryLogin(s, servertest.Username, servertest.Password, "192.0.2.1").Expect(200)
			}
		}
		t.Logf("flood: %v; %d good logins", statuses, 2*good)
		if statuses[401]+statuses[429] != flood || statuses[429] < flood/3 {
			t.Errorf("the flood: %v", statuses)
		}
	})
}

// stormed is how the requests of a client with a session went.
type stormed struct{ refresh, introspect time.Duration }

// serving refreshes and introspects until done, at least n times, and returns the p99 of both. Each must succeed.
func serving(t *testing.T, s *servertest.Server, login *servertest.Tokens, n int, done func() bool) stormed {
	t.Helper()
	var refreshes, introspections []time.Duration
	for i := 0; i < n || !done(); i++ {
		begin := time.Now()
		answer := s.Refresh(s.Backend, login.Refresh).Expect(200)
		refreshes = append(refreshes, time.Since(begin))
		login.Refresh, login.Access = answer.String("refresh_token"), answer.String("access_token")
		begin = time.Now()
		if active := s.Introspect(s.Inspector, login.Access).Expect(200).JSON()["active"]; active != true {
			t.Fatal("not active")
		}
		introspections = append(introspections, time.Since(begin))
	}
	slices.Sort(refreshes)
	slices.Sort(introspections)
	return stormed{refreshes[len(refreshes)*99/100], introspections[len(introspections)*99/100]}
}

// Sixteen times the logins that the pool of password hashes can do: refreshes and introspections all succeed, the pool computes no more
// than it has workers for, and every login is answered with 401, 429 or 503, the latter two with a Retry-After. The p99 of both in calm and
// in the storm are logged, not judged: they are the machine's. With LATCHKEY_TEST_LONG the storm lasts ten seconds.
func TestStormOfLogins(t *testing.T) {
	workers := max(1, runtime.GOMAXPROCS(0)-1)
	const hashTime = 25 * time.Millisecond // of the default parameters, on a core
	lasts := time.Second
	if os.Getenv("LATCHKEY_TEST_LONG") != "" {
		lasts = 10 * time.Second
	}
	s := servertest.New(t, servertest.Configure(behindProxy), servertest.Configure(func(c *server.Config) { c.Argon2 = password.DefaultArgon2.String() }))
	login := s.Login(s.Backend)
	calm := serving(t, s, &login, 300, func() bool { return true })

	rate := 16 * workers * int(time.Second/hashTime)
	var outcomes [600]atomic.Int64
	var storm sync.WaitGroup
	var ended atomic.Bool
	begin := time.Now()
	storm.Go(func() {
		defer ended.Store(true)
		var logins sync.WaitGroup
		for i := 0; time.Since(begin) < lasts; i++ {
			time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
			logins.Go(func() {
				a := tryLogin(s, fmt.Sprint("user", i%500), "wrong", fmt.Sprintf("10.%d.%d.1", i/250%250, i%250))
				outcomes[a.Status].Add(1)
				if (a.Status == 429 || a.Status == 503) && a.Header.Get("Retry-After") == "" {
					t.Errorf("%d without Retry-After", a.Status)
				}
			})
		}
		logins.Wait()
	})
	during := serving(t, s, &login, 100, ended.Load)
	storm.Wait()
	took := time.Since(begin)
	computed, sent := outcomes[401].Load(), int64(0)
	for status := range outcomes {
		n := outcomes[status].Load()
		sent += n
		if n > 0 && status != 401 && status != 429 && status != 503 {
			t.Errorf("%d logins were answered with %d", n, status)
		}
	}
	t.Logf("%d logins in %s, %d of them computed, %d refused with 503; p99 of refresh %s calm, %s in the storm; of introspection %s and %s",
		sent, took, computed, outcomes[503].Load(), calm.refresh, during.refresh, calm.introspect, during.introspect)
	// A core does not compute faster than ten times what is usual.
	if most := int64(workers) * int64(took/(hashTime/10)); computed > most {
		t.Errorf("%d computations in %s by %d workers", computed, took, workers)
	}
}
