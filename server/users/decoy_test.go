package users

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"latchkey/server/password"
	"latchkey/storage"
)

func (b *bundle) cost(encoded string) password.Cost {
	b.t.Helper()
	c, ok := password.CostOf(encoded)
	if !ok {
		b.t.Fatalf("%q has no cost", encoded)
	}
	return c
}

// costs gives the cost of each of some unknown names.
func (b *bundle) decoysOf(n int) []password.Cost {
	costs := make([]password.Cost, n)
	for i := range costs {
		costs[i] = b.decoys.pick(b.mac("decoy", fmt.Sprint("nobody", i)))
	}
	return costs
}

func (b *bundle) addHashes(hash string, n int) {
	b.t.Helper()
	for range n {
		b.advance(time.Second)
		u := &storage.User{Username: b.now().String(), PasswordHash: hash, Active: true, CreatedAt: b.now()}
		if err := b.store.CreateUser(b.t.Context(), u); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestDecoysFollowTheUsers: unknown names cost what users cost, in the same shares; a name keeps its cost, and moves only towards
// what has become more common.
func TestDecoysFollowTheUsers(t *testing.T) {
	t.Parallel()
	b := setup(t, unthrottled)
	const names = 2000
	count := func(costs []password.Cost, c password.Cost) (n int) {
		for _, other := range costs {
			if other == c {
				n++
			}
		}
		return n
	}
	if n := count(b.decoysOf(names), b.hasher.Preferred()); n != names {
		t.Fatalf("%d names of %d have the preferred cost while nothing is known", n, names)
	}

	old := b.cost(imported)
	b.addHashes(imported, 60)
	b.addHashes("!", 60) // has no cost
	b.decoys.sample(t.Context())
	before := b.decoysOf(names)
	if n := count(before, old); n != names {
		t.Fatalf("%d names of %d cost what all users cost", n, names)
	}
	if took := b.decoys.took[old]; b.decoys.floor != took+took/4 {
		t.Errorf("failures are held back for %v, though all cost the same: %v", b.decoys.floor, took)
	}
	b.computed()
	if err := b.try(home, "nobody", wrong); !errors.Is(err, ErrCredentials) {
		t.Fatal(err)
	}
	if costs := b.computed(); len(costs) != 1 || costs[0] != old {
		t.Errorf("an unknown name computed %v", costs)
	}

	fresh, err := b.hasher.Hash(t.Context(), right)
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []int{20, 100} {
		b.addHashes(fresh, more)
		for range 12 { // the sample forgets by halves
			b.decoys.sample(t.Context())
		}
		list, err := b.List(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		want := float64(60) / float64(len(list)-60) * names
		after := b.decoysOf(names)
		if n := float64(count(after, old)); n < want-100 || n > want+100 {
			t.Errorf("%v names of %d have the old cost, want about %v", n, names, want)
		}
		for i := range after {
			if before[i] != after[i] && after[i] != b.hasher.Preferred() {
				t.Fatalf("name %d went from %v to %v", i, before[i], after[i])
			}
		}
		before = after
	}
	if floor := b.decoys.floor; floor < min(2*b.decoys.took[old], maxFloor) {
		t.Errorf("failures are held back for %v, though costs differ and one is %v", floor, b.decoys.took[old])
	}
}

// TestFailuresWaitForTheSlowest: the answer to a failure comes at a multiple of the floor; that to a success at once.
func TestFailuresWaitForTheSlowest(t *testing.T) {
	t.Parallel()
	b := setup(t, unthrottled)
	b.add("alice")
	const floor = 200 * time.Millisecond
	b.decoys.floor = floor
	for _, name := range []string{"alice", "nobody"} {
		started := time.Now()
		if err := b.try(home, name, wrong); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
		if took := time.Since(started); took < floor {
			t.Errorf("a failure of %s took %v, want at least %v", name, took, floor)
		}
	}
	b.decoys.floor = time.Hour
	if err := b.try(home, "alice", right); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(from(t, home))
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := b.Authenticate(ctx, "alice", wrong); !errors.Is(err, ErrCredentials) {
		t.Errorf("a client that leaves: %v", err)
	}
}

// TestRunLearns: what the users cost is known at the start, and a cost that is met later soon after.
func TestRunLearns(t *testing.T) {
	t.Parallel()
	b := setup(t, unthrottled)
	b.add("alice")
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- b.Run(ctx) }()
	known := func(c password.Cost) bool {
		b.decoys.mu.RLock()
		defer b.decoys.mu.RUnlock()
		return b.decoys.shares[c] > 0 && b.decoys.took[c] > 0
	}
	await := func(what string, c password.Cost) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !known(c); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: not known", what)
			}
		}
	}
	await("at the start", b.hasher.Preferred())
	if _, err := b.Add(ctx, NewUser{Username: "late", PasswordHash: imported, Active: true}); err != nil {
		t.Fatal(err)
	}
	if err := b.try(home, "late", wrong); !errors.Is(err, ErrCredentials) {
		t.Fatal(err)
	}
	await("after it was met", b.cost(imported))
	cancel()
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
}
