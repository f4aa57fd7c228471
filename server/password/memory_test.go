package password

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestMemoryGoesBackWhenNobodyLogsIn: once after each pause, never while logins go on.
func TestMemoryGoesBackWhenNobodyLogsIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var freed atomic.Int32
		h := NewHasher(Config{Argon2: Argon2{Memory: worthFreeing >> 10, Time: 1, Threads: 1}, freeMemory: func() { freed.Add(1) }})
		expect := func(want int32, when string) {
			t.Helper()
			synctest.Wait()
			if n := freed.Load(); n != want {
				t.Errorf("%s: freed %d times, want %d", when, n, want)
			}
		}
		burn := func(c Cost) {
			t.Helper()
			if err := h.Burn(t.Context(), "p", c); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * idleTime)
		expect(0, "before the first computation")
		for range 5 {
			burn(h.Preferred())
			time.Sleep(idleTime / 2)
		}
		expect(0, "while logins go on")
		time.Sleep(idleTime)
		expect(1, "after a pause")
		time.Sleep(10 * idleTime)
		expect(1, "in a long pause")
		burn(Cost{Algorithm: pbkdf2SHA256, N: 1})
		burn(Cost{Algorithm: argon2id, N: worthFreeing>>10 - 1, R: 1, P: 1})
		time.Sleep(2 * idleTime)
		expect(1, "after computations without much memory")
		burn(h.Preferred())
		time.Sleep(2 * idleTime)
		expect(2, "after the next computation and pause")
	})
}

// TestNothingIsKept: what goes back is nearly all that the computations took. It is not parallel: nothing else may allocate.
func TestNothingIsKept(t *testing.T) {
	resident := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapSys - m.HeapReleased
	}
	debug.FreeOSMemory()
	before := resident()
	h := NewHasher(Config{MaxWait: hashTime})
	for range 3 {
		if err := h.Burn(t.Context(), "p", h.Preferred()); err != nil {
			t.Fatal(err)
		}
	}
	h.idle.Reset(0)
	for deadline := time.Now().Add(hashTime); resident() > before+4<<20; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d MiB are kept, %d before", resident()>>20, before>>20)
		}
	}
}
