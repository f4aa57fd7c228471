package users

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"latchkey/server/internal/metrics"
	"latchkey/server/internal/request"
	"latchkey/server/password"
	"latchkey/storage"
)

func queued(t testing.TB, m *metrics.Metrics) int {
	t.Helper()
	return int(testutil.ToFloat64(m.PasswordQueue))
}

// TestGuessesFromOnePlace: twenty, then one every half minute, whatever is sent; for a name that nobody has it is no different.
func TestGuessesFromOnePlace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("alice")
	for i := range pairBurst {
		for _, name := range []string{"alice", "nobody"} {
			if err := b.try(home, name, wrong); !errors.Is(err, ErrCredentials) {
				t.Fatalf("guess %d at %s: %v", i, name, err)
			}
		}
	}
	b.computed()
	for range 3 {
		for _, name := range []string{"alice", "nobody"} {
			var throttled *ThrottledError
			if err := b.try(home, name, right); !errors.As(err, &throttled) || throttled.RetryAfter != pairInterval {
				t.Fatalf("one more at %s: %v", name, err)
			}
		}
	}
	if costs := b.computed(); len(costs) != 0 {
		t.Errorf("throttled attempts cost %v", costs)
	}
	if n := len(b.events("login_failed")); n != 2*pairBurst+2 {
		t.Errorf("%d events, want one for each guess and one for each account that is throttled", n)
	}
	b.advance(pairInterval)
	if err := b.try(home, "alice", right); err != nil {
		t.Errorf("half a minute later: %v", err)
	}
	if err := b.try("203.0.113.9", "alice", right); err != nil {
		t.Errorf("from another place: %v", err)
	}
}

// TestParallelGuesses: a hundred at once count as a hundred.
func TestParallelGuesses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("alice")
	start := make(chan struct{})
	var guesses sync.WaitGroup
	var looked, refused atomic.Int32
	for range 100 {
		guesses.Go(func() {
			<-start
			switch _, err := b.Authenticate(from(t, home), "alice", wrong); {
			case errors.Is(err, ErrCredentials):
				looked.Add(1)
			case isThrottled(err):
				refused.Add(1)
			default:
				t.Errorf("%v", err)
			}
		})
	}
	close(start)
	guesses.Wait()
	if looked.Load() != pairBurst || refused.Load() != 100-pairBurst {
		t.Errorf("%d looked at, %d refused", looked.Load(), refused.Load())
	}
}

// TestGuessesFromManyPlaces: ten thousand guesses from a thousand addresses get a hundred tries; the owner gets in from where they were
// before, and nobody from elsewhere, not even with the password, until the hour is over.
func TestGuessesFromManyPlaces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("alice")
	if err := b.try(home, "alice", right); err != nil {
		t.Fatal(err)
	}
	looked := 0
	for range 2 {
		for i := range 300 {
			err := b.try(fmt.Sprintf("10.0.%d.%d", i/200, i%200), "alice", wrong)
			if errors.Is(err, ErrCredentials) {
				looked++
			} else if !isThrottled(err) {
				t.Fatal(err)
			}
		}
	}
	if looked != accountBurst {
		t.Errorf("%d guesses were looked at, want %d", looked, accountBurst)
	}
	if err := b.try("203.0.113.9", "alice", right); !isThrottled(err) {
		t.Errorf("from a place that is not known: %v", err)
	}
	if err := b.try("", "alice", right); !isThrottled(err) {
		t.Errorf("from an unknown address: %v", err)
	}
	for range 3 {
		if err := b.try(home, "alice", right); err != nil {
			t.Fatalf("the owner at home: %v", err)
		}
	}
	b.advance(accountInterval)
	if err := b.try("203.0.113.9", "alice", right); err != nil {
		t.Errorf("36 s later: %v", err)
	}
	b.advance(knownFor + time.Second)
	for range accountBurst {
		b.advance(pairInterval / pairBurst)
		_ = b.try("203.0.113.77", "alice", wrong)
		_ = b.try("203.0.113.78", "alice", wrong)
		_ = b.try("203.0.113.79", "alice", wrong)
		_ = b.try("203.0.113.80", "alice", wrong)
		_ = b.try("203.0.113.81", "alice", wrong)
		_ = b.try("203.0.113.82", "alice", wrong)
	}
	if err := b.try(home, "alice", right); !isThrottled(err) {
		t.Errorf("home after a month without a login: %v", err)
	}
}

// TestGuessesAtManyAccounts: one address has a hundred tries, whatever the names.
func TestGuessesAtManyAccounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	looked := 0
	for i := range 150 {
		if err := b.try("2001:db8::1", fmt.Sprint("user", i), wrong); errors.Is(err, ErrCredentials) {
			looked++
		} else if !isThrottled(err) {
			t.Fatal(err)
		}
	}
	if looked != addressBurst {
		t.Errorf("%d guesses were looked at, want %d", looked, addressBurst)
	}
	if err := b.try("2001:db8::ffff:1", "another", wrong); !isThrottled(err) {
		t.Errorf("from the same /64: %v", err)
	}
	if err := b.try("2001:db8:0:1::1", "another", wrong); !errors.Is(err, ErrCredentials) {
		t.Errorf("from another /64: %v", err)
	}
}

// TestSuccessCostsNothing: who knows the password logs in as often as they like.
func TestSuccessCostsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("alice")
	for i := range addressBurst + 20 {
		if err := b.try(home, "alice", right); err != nil {
			t.Fatalf("login %d: %v", i, err)
		}
	}
	for i := range accountBurst + 20 {
		if err := b.try("", "alice", right); err != nil {
			t.Fatalf("login %d from an unknown address: %v", i, err)
		}
	}
}

// TestUnknownAddress: such guesses share the account's limit, and make no place known.
func TestUnknownAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("alice")
	if err := b.try("", "alice", right); err != nil {
		t.Fatal(err)
	}
	for i := range accountBurst {
		if err := b.try("", "alice", wrong); !errors.Is(err, ErrCredentials) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if err := b.try("", "alice", right); !isThrottled(err) {
		t.Errorf("after %d guesses: %v", accountBurst, err)
	}
	if err := b.try("", "bob", wrong); !errors.Is(err, ErrCredentials) {
		t.Errorf("at another account: %v", err)
	}
}

// TestThrottleOff: no limit at all.
func TestThrottleOff(t *testing.T) {
	t.Parallel()
	b := setup(t, unthrottled)
	b.add("alice")
	for range addressBurst + 20 {
		if err := b.try(home, "alice", wrong); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
	}
	a, err := b.Authenticate(from(t, home), "alice", right)
	if err != nil || len(a.Login.GiveBack) != 0 || !a.Login.Known.IsZero() {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestUncheckedAttemptsAreGivenBack: an overload, or a client that leaves, is no guess.
func TestUncheckedAttemptsAreGivenBack(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	var block atomic.Bool
	b := setup(t, func(_ *Config, p *password.Config) {
		p.Workers, p.MaxWait = 1, 20*time.Millisecond
		p.Observe = func(password.Cost, time.Duration) {
			if block.Swap(false) {
				close(entered)
				<-release
			}
		}
	})
	b.add("alice")
	block.Store(true)
	var busy sync.WaitGroup
	busy.Go(func() { _ = b.hasher.Burn(t.Context(), "p", b.hasher.Preferred()) })
	<-entered
	for i := range pairBurst + 5 {
		if err := b.try(home, "alice", right); !errors.Is(err, ErrOverload) && (i < pairBurst || !isThrottled(err)) {
			t.Fatal(err)
		}
	}
	for range pairBurst + 5 {
		ctx, cancel := context.WithCancel(from(t, home))
		var client sync.WaitGroup
		client.Go(func() { // leaves when it is in the queue
			for ctx.Err() == nil && queued(t, b.metrics) == 0 {
				time.Sleep(100 * time.Microsecond)
			}
			cancel()
		})
		_, err := b.Authenticate(ctx, "alice", right)
		cancel()
		client.Wait()
		if !errors.Is(err, context.Canceled) && !isThrottled(err) {
			t.Fatal(err)
		}
	}
	close(release)
	busy.Wait()
	if err := b.try(home, "alice", right); err != nil {
		t.Errorf("after the storm: %v", err)
	}
	if n := testutil.ToFloat64(b.metrics.Logins.WithLabelValues("overload")); n < pairBurst {
		t.Errorf("%v overloads counted", n)
	}
}

// A6: who has a /56 or a /48 of IPv6 has one limit, whatever the /64; a network that the account knows is not held up by its neighbours.
func TestA6WideNetworks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("alice")
	const owner = "2001:db8:0:1f0::7"
	if err := b.try(owner, "alice", right); err != nil {
		t.Fatal(err)
	}
	flood := func(networks func(i int) string) (looked int) {
		for i := range 700 {
			switch err := b.try(networks(i), fmt.Sprint("user", i), wrong); {
			case errors.Is(err, ErrCredentials):
				looked++
			case !isThrottled(err):
				t.Fatal(err)
			}
		}
		return looked
	}
	if n := flood(func(i int) string { return fmt.Sprintf("2001:db8:0:1%02x:%x::1", i%256, i) }); n != siteBurst {
		t.Errorf("from a /56: %d looked at, want %d", n, siteBurst)
	}
	if n := flood(func(i int) string { return fmt.Sprintf("2001:db8:0:%x00:%x::1", 2+i%250, i) }); n != regionBurst-siteBurst {
		t.Errorf("from the rest of the /48: %d looked at, want %d", n, regionBurst-siteBurst)
	}
	if err := b.try("2001:db8:0:1f1::7", "alice", right); !isThrottled(err) {
		t.Errorf("from the flooding /56: %v", err)
	}
	if err := b.try("2001:db8:1::7", "alice", right); err != nil {
		t.Errorf("from another /48: %v", err)
	}
	for range 3 {
		if err := b.try(owner, "alice", right); err != nil {
			t.Errorf("the owner at home in the flooding /56: %v", err)
		}
	}
	b.advance(siteInterval)
	if err := b.try("2001:db8:0:1f1::7", "alice", right); err != nil {
		t.Errorf("from the /56, %v later: %v", siteInterval, err)
	}
}

// A6: how many networks are remembered of an account is bounded.
func TestA6KnownNetworksAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("alice")
	known := 0
	login := func(address string) bool {
		a, err := b.Authenticate(from(t, address), "alice", right)
		if err != nil {
			t.Fatal(err)
		}
		return !a.Login.Known.IsZero()
	}
	for i := range 100 {
		if login(fmt.Sprintf("10.0.0.%d", i)) {
			known++
		}
	}
	if known != knownBurst {
		t.Errorf("%d networks became known at once, want %d", known, knownBurst)
	}
	b.advance(knownInterval)
	if !login("10.0.1.1") || login("10.0.1.2") {
		t.Errorf("%v later it is not one more", knownInterval)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1":                  "192.0.2.1",
		"::ffff:192.0.2.1":           "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":       "2001:db8:1:2::/64",
		"fe80::1%eth0":               "fe80::/64",
		"2001:db8:1:2:ffff:ffff::ff": "2001:db8:1:2::/64",
	} {
		if got, ok := (&request.Info{Address: netip.MustParseAddr(address)}).Network(); !ok || got != want {
			t.Errorf("%s is at %q, want %q", address, got, want)
		}
	}
	if got, ok := new(request.Info).Network(); ok {
		t.Errorf("no address is at %q", got)
	}
}

// TestKeys: the keys of buckets are MACs that no two things share.
func TestKeys(t *testing.T) {
	t.Parallel()
	b, other := setup(t), setup(t, func(c *Config, _ *password.Config) { c.ThrottleKey = []byte("another key, of 32 bytes or more") })
	seen := map[storage.Digest]bool{}
	for _, key := range []storage.Digest{
		b.mac("account", "alice"), b.mac("account", "bob"), b.mac("address", "alice"), b.mac("account", "alice", ""),
		b.mac("account", "a", "lice"), b.mac("account", "al", "ice"), b.mac("accountalice"), other.mac("account", "alice"),
	} {
		if seen[key] {
			t.Errorf("%x twice", key[:])
		}
		seen[key] = true
	}
	defer func() {
		if recover() == nil {
			t.Error("a Service that throttles without a key")
		}
	}()
	New(Config{Store: b.store, Throttle: true})
}
