package password

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"latchkey/server/internal/metrics"
	"latchkey/storage"
)

// hashTime is long enough to wait for any computation of these tests.
const hashTime = 5 * time.Minute

var cheap = Argon2{Memory: 64, Time: 1, Threads: 1}

func TestHash(t *testing.T) {
	t.Parallel()
	h := NewHasher(Config{MaxWait: hashTime})
	form := regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)
	long := storage.Secret(strings.Repeat("pässwörd ", 500))
	seen := map[string]bool{}
	for _, p := range []storage.Secret{"a", "a", "\x00", "\xff", long} {
		encoded, err := h.Hash(t.Context(), p)
		if err != nil || !form.MatchString(encoded) || seen[encoded] {
			t.Fatalf("Hash = %q, %v", encoded, err)
		}
		seen[encoded] = true
		if ok, rehash, err := h.Verify(t.Context(), p, encoded); !ok || rehash || err != nil {
			t.Errorf("the password itself: %v, %v, %v", ok, rehash, err)
		}
		if ok, _, err := h.Verify(t.Context(), p+"x", encoded); ok || err != nil {
			t.Errorf("another password: %v, %v", ok, err)
		}
	}
}

// TestNeedsRehash: when anything but the preferred parameters is in the string, cheaper or not.
func TestNeedsRehash(t *testing.T) {
	t.Parallel()
	h := NewHasher(Config{Argon2: cheap, MaxWait: hashTime})
	verify := func(encoded string) bool {
		t.Helper()
		ok, rehash, err := h.Verify(t.Context(), "secret", encoded)
		if !ok || err != nil {
			t.Fatalf("%q does not verify: %v", encoded, err)
		}
		return rehash
	}
	for _, a := range []Argon2{cheap, {32, 1, 1}, {64, 2, 1}, {64, 1, 2}, {1024, 3, 1}} {
		other := NewHasher(Config{Argon2: a})
		encoded, err := other.Hash(t.Context(), "secret")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := verify(encoded), a != cheap; got != want {
			t.Errorf("%s while %s is preferred: %v", a, cheap, got)
		}
		if got, want := verify("argon2"+encoded), a != cheap; got != want {
			t.Errorf("the same with Django's prefix: %v", got)
		}
	}
	short := hashed{Cost: cheap.cost(), salt: []byte("8 bytes.")}
	short.tag, _ = short.derive("secret", short.salt, 16)
	if !verify(short.phc()) {
		t.Error("a short salt and tag are good enough")
	}
}

// TestOneComputation: a string that can't verify costs what one does that can, so that the time tells nothing.
func TestOneComputation(t *testing.T) {
	t.Parallel()
	var costs []Cost
	h := NewHasher(Config{Argon2: cheap, Observe: func(c Cost, _ time.Duration) { costs = append(costs, c) }})
	good, err := h.Hash(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, encoded := range []string{good, "", "!", "!x", "nonsense", "unknown$x", "pbkdf2_sha256$999999999$s$x", "argon2$argon2i$m=8,t=1,p=1$c29tZXNhbHQ$gwQOXSNhxiOxPOA0"} {
		costs = nil
		if ok, rehash, err := h.Verify(t.Context(), "other", encoded); ok || rehash || err != nil {
			t.Errorf("Verify(%q) = %v, %v, %v", encoded, ok, rehash, err)
		}
		if len(costs) != 1 || costs[0] != h.Preferred() {
			t.Errorf("Verify(%q) computed %v", encoded, costs)
		}
	}
	for _, algorithm := range []string{argon2id, argon2i, pbkdf2SHA256, pbkdf2SHA1, bcryptPlain, bcryptSHA256, scryptName, md5Name, sha1Name, unsaltedMD5, unsaltedSHA1} {
		c := Cost{Algorithm: algorithm, N: 16, R: 1, P: 1}
		if strings.HasPrefix(algorithm, bcryptPlain) {
			c.N = 4
		}
		costs = nil
		if err := h.Burn(t.Context(), "secret", c); err != nil || len(costs) != 1 || costs[0] != c {
			t.Errorf("Burn(%v) computed %v, %v", c, costs, err)
		}
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := metrics.New()
		h := NewHasher(Config{Argon2: cheap, Workers: 1, Metrics: m})
		if err := h.acquire(t.Context(), h.Preferred()); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		if _, _, err := h.Verify(t.Context(), "p", "!"); !errors.Is(err, ErrOverload) {
			t.Errorf("Verify while the only worker is taken: %v", err)
		}
		if d := time.Since(started); d != time.Second {
			t.Errorf("refused after %v, want 1s", d)
		}
		if _, ok := h.TryHash("p"); ok {
			t.Error("TryHash found a worker")
		}

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := h.Hash(ctx, "p"); !errors.Is(err, context.Canceled) {
			t.Errorf("the caller left: %v", err)
		}

		done := make(chan error)
		go func() {
			_, err := h.Hash(t.Context(), "p")
			done <- err
		}()
		synctest.Wait()
		if n := testutil.ToFloat64(m.PasswordQueue); n != 1 {
			t.Errorf("queue length %v, want 1", n)
		}
		time.Sleep(500 * time.Millisecond)
		h.release(h.Preferred())
		if err := <-done; err != nil {
			t.Errorf("a worker became free in time: %v", err)
		}
		if n := testutil.ToFloat64(m.PasswordQueue); n != 0 {
			t.Errorf("queue length %v, want 0", n)
		}
		if n := testutil.CollectAndCount(m.PasswordWait); n != 1 {
			t.Errorf("%d series of waits", n)
		}
		if _, ok := h.TryHash("p"); !ok {
			t.Error("TryHash found no worker though one is free")
		}
	})
}

// TestQueueIsBounded: what can't be served in time is refused at once.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(Config{Argon2: cheap, Workers: 1})
		if err := h.acquire(t.Context(), h.Preferred()); err != nil {
			t.Fatal(err)
		}
		var waiting sync.WaitGroup
		for range queuePerWorker {
			waiting.Go(func() { _, _ = h.Hash(t.Context(), "p") })
		}
		synctest.Wait()
		started := time.Now()
		if _, err := h.Hash(t.Context(), "p"); !errors.Is(err, ErrOverload) || time.Since(started) != 0 {
			t.Errorf("behind a full queue: %v after %v", err, time.Since(started))
		}
		waiting.Wait()
		h.release(h.Preferred())
		if _, err := h.Hash(t.Context(), "p"); err != nil {
			t.Errorf("after the storm: %v", err)
		}
	})
}

func TestWeight(t *testing.T) {
	t.Parallel()
	h := NewHasher(Config{Workers: 8})
	for cost, want := range map[Cost]int64{
		h.Preferred():               1,
		{argon2id, 65536, 3, 1}:     1,
		{argon2id, 65536, 3, 4}:     4,
		{argon2id, 102400, 2, 1}:    2,
		{argon2id, 1 << 20, 1, 1}:   8, // alone
		{pbkdf2SHA256, 1e6, 0, 0}:   1,
		{scryptName, 16384, 8, 5}:   1,
		{scryptName, 1 << 18, 8, 1}: 5,
	} {
		if got := h.weight(cost); got != want {
			t.Errorf("%v takes %d slots, want %d", cost, got, want)
		}
	}
	if h := NewHasher(Config{}); h.cfg.Workers != max(1, runtime.GOMAXPROCS(0)-1) {
		t.Errorf("%d workers", h.cfg.Workers)
	}
}

// TestStorm: 300 logins at once would take 5.7 GiB; the pool bounds it, the excess is refused, nobody is stuck.
// It is not parallel, since it looks at the memory of the process.
func TestStorm(t *testing.T) {
	const logins, workers = 300, 2
	h := NewHasher(Config{Workers: workers, MaxWait: 300 * time.Millisecond})
	runtime.GC()
	debug.FreeOSMemory()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	results := make(chan error, logins)
	for range logins {
		go func() {
			_, _, err := h.Verify(t.Context(), "guess", "!")
			results <- err
		}()
	}
	var peak uint64
	served, refused := 0, 0
	for served+refused < logins {
		select {
		case err := <-results:
			if err == nil {
				served++
			} else if errors.Is(err, ErrOverload) {
				refused++
			} else {
				t.Fatal(err)
			}
		case <-time.After(time.Millisecond):
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
	}
	t.Logf("%d served, %d refused, heap from %d to %d MiB", served, refused, before.HeapAlloc>>20, peak>>20)
	if served == 0 || refused == 0 {
		t.Errorf("%d served, %d refused; want some of both", served, refused)
	}
	// The garbage collector lets the heap double.
	if bound := before.HeapAlloc + 3*workers*uint64(slotMemory); peak > bound {
		t.Errorf("the heap grew to %d MiB, more than %d MiB", peak>>20, bound>>20)
	}
}

func TestParseArgon2(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Argon2{
		"m=19456,t=2,p=1": DefaultArgon2,
		"t=3,p=4,m=65536": {65536, 3, 4},
	} {
		if got, err := ParseArgon2(text); err != nil || got != want {
			t.Errorf("ParseArgon2(%q) = %v, %v", text, got, err)
		}
	}
	if again, err := ParseArgon2(DefaultArgon2.String()); err != nil || again != DefaultArgon2 {
		t.Errorf("its own notation: %v, %v", again, err)
	}
	for _, text := range []string{
		"", "m=19456", "m=19456,t=2", "m=19456,t=2,p=1,", "m=19456,t=2,p=1,m=19456", "m=0,t=2,p=1", "m=a,t=2,p=1", "m=19456,t=2,p=1,x=1",
		"m=1048577,t=1,p=1", "m=1048576,t=5,p=1", "m=8,t=1,p=2", "m=-8,t=1,p=1", "m=19456 ,t=2,p=1",
	} {
		if got, err := ParseArgon2(text); err == nil {
			t.Errorf("ParseArgon2(%q) = %v", text, got)
		}
	}
	for a, want := range map[Argon2]bool{
		DefaultArgon2: false, {19455, 2, 1}: true, {19456, 1, 1}: true, {47104, 1, 1}: false, {12288, 3, 1}: false,
		{7168, 5, 1}: false, {7168, 9, 1}: false, {7167, 9, 1}: true, {}: true,
	} {
		if a.Weak() != want {
			t.Errorf("%v is weak: %v", a, a.Weak())
		}
	}
}

// BenchmarkVerify tells what one login costs, by the kind of its hash.
func BenchmarkVerify(b *testing.B) {
	for _, c := range []Cost{
		DefaultArgon2.cost(),
		{argon2id, 102400, 2, 8},
		{pbkdf2SHA256, 260_000, 0, 0},
		{pbkdf2SHA256, 1_000_000, 0, 0},
		{bcryptSHA256, 12, 0, 0},
		{scryptName, 16384, 8, 5},
		{md5Name, 0, 0, 0},
	} {
		b.Run(fmt.Sprintf("%s N=%d r=%d p=%d", c.Algorithm, c.N, c.R, c.P), func(b *testing.B) {
			h := NewHasher(Config{})
			b.ReportAllocs()
			for b.Loop() {
				if err := h.Burn(b.Context(), "password", c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
