package password

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// storm is a pool that does ten computations in a second, by a clock that stands still while anybody runs.
type storm struct {
	*testing.T
	h    *Hasher
	wait sync.WaitGroup

	mu       sync.Mutex
	outcomes map[string]map[string]int
	crowded  []time.Duration
}

func newStorm(t *testing.T) *storm {
	return &storm{T: t, outcomes: map[string]map[string]int{}, h: NewHasher(Config{
		Argon2: cheap, Workers: 1, Observe: func(Cost, time.Duration) { time.Sleep(100 * time.Millisecond) },
	})}
}

// ask is an attempt of one kind, in the background.
func (s *storm) ask(kind string, c Caller) {
	s.wait.Go(func() {
		err := s.h.For(c).Burn(s.Context(), "p", s.h.Preferred())
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.outcomes[kind] == nil {
			s.outcomes[kind] = map[string]int{}
		}
		var crowded *CrowdedError
		switch {
		case err == nil:
			s.outcomes[kind]["served"]++
		case errors.As(err, &crowded):
			s.outcomes[kind]["crowded"]++
			s.crowded = append(s.crowded, crowded.RetryAfter)
		case errors.Is(err, ErrOverload):
			s.outcomes[kind]["overload"]++
		default:
			s.Error(err)
		}
	})
}

func (s *storm) only(kind, outcome string) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.outcomes[kind]; len(n) != 1 || n[outcome] == 0 {
		s.Errorf("%s: %v, want %s only", kind, n, outcome)
	}
}

func networks(wide, site, network string) []string { return []string{wide, site, network} }

// TestA6FloodOfOneNetwork: 33 wrong passwords a second from random /64s of one /56, at a pool that does ten. Everybody else gets in, known
// or not; the flood is told that it is one.
func TestA6FloodOfOneNetwork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStorm(t)
		for i := range 33 * 30 {
			time.Sleep(time.Second / 33)
			s.ask("flood", Caller{Networks: networks("a/48", "a1/56", fmt.Sprint(i))})
			switch {
			case i%66 == 0:
				s.ask("known", Caller{Networks: networks("a/48", "a1/56", "home"), Known: true})
			case i%66 == 22:
				s.ask("elsewhere", Caller{Networks: networks(fmt.Sprint("w", i), fmt.Sprint("s", i), fmt.Sprint("n", i))})
			case i%66 == 44:
				s.ask("neighbour", Caller{Networks: networks("a/48", "a2/56", "n")})
			}
		}
		s.wait.Wait()
		t.Logf("%v", s.outcomes)
		s.only("known", "served")
		s.only("elsewhere", "served")
		s.only("neighbour", "served")
		flood := s.outcomes["flood"]
		if flood["crowded"] < 500 || flood["overload"] > 0 {
			t.Errorf("the flood: %v", flood)
		}
		for _, d := range s.crowded {
			if d < time.Second || d > 2*windowTime {
				t.Fatalf("Retry-After %v", d)
			}
		}
	})
}

// TestA6FloodOfManyNetworks: against a flood from ever new networks, places are kept for those from where accounts have logged in before, and
// a storm of these leaves every fourth place to others.
func TestA6FloodOfManyNetworks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStorm(t)
		for i := range 2000 {
			time.Sleep(10 * time.Millisecond)
			s.ask("flood", Caller{Networks: networks(fmt.Sprint("w", i), fmt.Sprint("s", i), fmt.Sprint("n", i))})
			if i%50 == 0 {
				s.ask("known", Caller{Networks: networks(fmt.Sprint("home", i), fmt.Sprint("hs", i), fmt.Sprint("hn", i)), Known: true})
			}
		}
		s.wait.Wait()
		t.Logf("%v", s.outcomes)
		s.only("known", "served")

		s = newStorm(t)
		for i := range 2000 {
			time.Sleep(10 * time.Millisecond)
			s.ask("known", Caller{Networks: networks(fmt.Sprint("w", i), fmt.Sprint("s", i), fmt.Sprint("n", i)), Known: true})
			if i%100 == 0 {
				s.ask("new", Caller{Networks: networks(fmt.Sprint("new", i), fmt.Sprint("ns", i), fmt.Sprint("nn", i))})
			}
		}
		s.wait.Wait()
		t.Logf("%v", s.outcomes)
		s.only("new", "served")
	})
}

// TestA6FullQueue: the refused one is who has the lowest rank, not who comes last.
func TestA6FullQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStorm(t)
		s.h.cfg.MaxWait = time.Hour
		if err := s.h.acquire(t.Context(), s.h.Preferred()); err != nil {
			t.Fatal(err)
		}
		for i := range 4 * queuePerWorker {
			s.ask("flood", Caller{Networks: []string{"a", fmt.Sprint(i)}})
			synctest.Wait()
		}
		s.ask("known", Caller{Networks: []string{"a", "home"}, Known: true})
		s.ask("elsewhere", Caller{Networks: []string{"b"}})
		synctest.Wait()
		s.h.release(s.h.Preferred())
		s.wait.Wait()
		t.Logf("%v", s.outcomes)
		s.only("known", "served")
		s.only("elsewhere", "served")
		if n := s.outcomes["flood"]; n["served"] != queuePerWorker-2 || n["overload"] != 0 {
			t.Errorf("the flood: %v", n)
		}
		if len(s.h.queue.waiting) != 0 || s.h.queue.used != 0 {
			t.Errorf("%d wait and %d slots are taken at the end", len(s.h.queue.waiting), s.h.queue.used)
		}
	})
}

// A waiter that needs several slots and leaves keeps nobody behind it from the free ones.
func TestLeavingTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queue{slots: 2, longest: 10}
		if q.enter(Caller{}, 1, time.Now()) != nil {
			t.Fatal("a free slot was not given")
		}
		big := q.enter(Caller{Known: true}, 2, time.Now())
		small := q.enter(Caller{}, 1, time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.wait(ctx, big, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("big: %v", err)
		}
		if err := q.wait(t.Context(), small, time.Hour); err != nil || time.Since(time.Now()) > 0 {
			t.Errorf("small: %v", err)
		}
	})
}

// TestA6DemandIsBounded: networks that asked for much are remembered whatever number of others comes.
func TestA6DemandIsBounded(t *testing.T) {
	t.Parallel()
	var d demand
	now := time.Unix(1_800_000_000, 0)
	for range crowding + 1 {
		d.count([]string{"flood"}, 1, now)
	}
	for i := range 5 * maxNetworks {
		d.count([]string{fmt.Sprint(i)}, 1, now)
		if len(d.networks) > maxNetworks {
			t.Fatalf("%d networks", len(d.networks))
		}
	}
	if a := d.networks["flood"]; a == nil || a.of(d.window) != crowding+1 {
		t.Error("the flood was forgotten")
	}
	d.advance(now.Add(2 * windowTime))
	if a := d.networks["flood"]; a.of(d.window) != 0 {
		t.Error("it counts two windows later")
	}
}
