package storagetest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"latchkey/storage"
	"latchkey/storage/testclock"
)

// linearWindow is the window of touches, a few steps of the clock long.
const linearWindow = 20 * time.Millisecond

// unknownTime is the time of a window that began in an act whose answer was lost.
const unknownTime = -1

// act is what was asked of a grant.
type act struct {
	kind     string // touch, advance, attempt (an advance that may share a statement), revoke, read
	from, to storage.TokenID
}

// state is what matters of a grant; it is also what a read answers.
type state struct {
	current    storage.TokenID
	generation int64
	windowAt   int64
	revoked    bool
}

// answer is what was said.
type answer struct {
	lost     bool // the connection broke or the caller did not wait: whether it was done is unknown
	ok       bool // not a conflict; a revocation: this call ended it
	windowAt int64
	now      int64 // of the database
	state    state
}

// Disturber is an Opener that can break the connections of a database's servers.
type Disturber interface {
	// Disturb breaks all connections that are open to the database of a store that Open gave.
	Disturb(t testing.TB, s storage.Store)
}

// linearizable lets several callers act on one grant and checks that the acts could have happened one after the other,
// each between its call and its return.
func linearizable(b *bundle) {
	for range rounds {
		b.linear(b.session(), []storage.Store{b.Store}, nil)
	}
}

// linearizableApart does that with three servers, of which some callers do not wait for the answer. Where connections can be broken,
// they are, again and again.
func linearizableApart(b *bundle) {
	servers := []storage.Store{b.Store, b.opener.OpenAgain(b, b.Store), b.opener.OpenAgain(b, b.Store)}
	disturb := func() {}
	if d, ok := b.opener.(Disturber); ok {
		disturb = func() { d.Disturb(b, b.Store) }
	}
	for range rounds {
		b.linear(b.session(), servers, disturb)
	}
}

// linear checks the history of one grant. With disturb, answers may be lost.
func (b *bundle) linear(g *storage.Grant, servers []storage.Store, disturb func()) {
	history := b.history(g, servers, disturb)
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{current: g.Current}} },
		Step: func(s, input, output any) []any { return step(s.(state), input.(act), output.(answer)) },
	}
	switch porcupine.CheckOperationsTimeout(model.ToModel(), history, 30*time.Second) {
	case porcupine.Illegal:
		for _, op := range history {
			b.Logf("%d–%d %d %+v: %+v", op.Call, op.Return, op.ClientId, op.Input, op.Output)
		}
		b.Fatal("no order of these acts explains the answers")
	case porcupine.Unknown:
		b.Fatal("the history took too long to check")
	}
}

// step returns the states that a grant may have after an act to which it gave an answer; none if it can't have given it.
func step(s state, a act, got answer) []any {
	possible := !s.revoked && a.from == s.current
	after, want := s, answer{ok: possible}
	switch a.kind {
	case "read":
		want = answer{state: s}
		if s.windowAt == unknownTime {
			want.state.windowAt, after.windowAt = got.state.windowAt, got.state.windowAt
		}
	case "revoke":
		want.ok, after.revoked = !s.revoked, true
	case "touch":
		now, window := got.now, linearWindow.Microseconds()
		switch {
		case !possible:
		case got.lost:
			after.windowAt = unknownTime
		case s.windowAt == unknownTime:
			after.windowAt = got.windowAt
		// A clock that is behind finds a window that began in its future.
		case s.windowAt == 0 || s.windowAt <= now-window || s.windowAt >= now+window:
			after.windowAt = now
		}
		if possible {
			want.windowAt, want.now = after.windowAt, now
		}
	default:
		if possible {
			after = state{current: a.to, generation: s.generation + 1, windowAt: got.windowAt}
			if got.lost {
				after.windowAt = unknownTime
			}
			want.windowAt, want.now = got.windowAt, got.now
		}
	}
	switch {
	case got.lost:
		return []any{s, after}
	case got == want:
		return []any{after}
	}
	return nil
}

// history is what several callers did, and what they were told.
func (b *bundle) history(g *storage.Grant, servers []storage.Store, disturb func()) []porcupine.Operation {
	const callers, acts = 6, 12
	var clock atomic.Int64
	var mu sync.Mutex
	var all []porcupine.Operation
	for _, s := range servers {
		testclock.Set(s, func() time.Time { return start.Add(time.Duration(clock.Add(1)) * time.Millisecond) })
	}
	began := time.Now()
	for _, err := range atOnce(callers, func(caller int) error {
		random := rand.New(rand.NewPCG(uint64(caller), rand.Uint64()))
		known := state{current: g.Current}
		for n := range acts {
			if disturb != nil && caller == 0 && n%4 == 3 {
				disturb()
			}
			a := act{kind: "read", from: known.current}
			switch p := random.IntN(100); {
			case p < 30:
				a.kind = "touch"
			case p < 70:
				a.kind, a.to = []string{"advance", "attempt"}[p%2], storage.TokenID{byte(caller), byte(n), 1}
			case p < 72:
				a.kind = "revoke"
			}
			ctx, cancel := b.ctx, context.CancelFunc(func() {})
			if disturb != nil && random.IntN(8) == 0 {
				ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(3000))*time.Microsecond)
			}
			call := time.Since(began).Nanoseconds()
			got, err := b.act(ctx, servers[caller%len(servers)], g, a, known.generation)
			returned := time.Since(began).Nanoseconds()
			cancel()
			if err != nil && disturb == nil {
				return err
			}
			if got.lost = err != nil; got.lost {
				returned = math.MaxInt64 // it may be done at any time from now on
			} else if a.kind == "read" {
				known = got.state
			}
			mu.Lock()
			all = append(all, porcupine.Operation{ClientId: caller, Input: a, Output: got, Call: call, Return: returned})
			mu.Unlock()
		}
		return nil
	}) {
		b.ok(err)
	}
	return all
}

// act does one act through a server.
func (b *bundle) act(ctx context.Context, s storage.Store, g *storage.Grant, a act, generation int64) (answer, error) {
	var got answer
	var read, moved *storage.LiveGrant
	var err error
	move := storage.GrantMove{ID: g.ID, From: a.from, To: a.to, Generation: generation + 1, Window: linearWindow}
	switch a.kind {
	case "read":
		read, err = s.Grant(ctx, g.ID)
	case "revoke":
		got.ok, err = s.RevokeGrant(ctx, g.ID, "logout", start, nil)
	case "attempt":
		moved, _, err = s.AttemptGrant(ctx, storage.GrantAttempt{ID: g.ID, ClientID: g.ClientID, Moves: []storage.AttemptedMove{
			{GrantMove: move, FromGeneration: &generation},
		}})
	default:
		moved, err = s.MoveGrant(ctx, move, nil)
	}
	switch {
	case errors.Is(err, storage.ErrConflict):
		err = nil
	case err != nil:
		got = answer{}
	case read != nil:
		got.state = state{current: read.Current, generation: read.Generation, revoked: !read.RevokedAt.IsZero()}
		if !read.WindowAt.IsZero() {
			got.state.windowAt = read.WindowAt.UnixMicro()
		}
	case moved != nil:
		got.ok, got.windowAt, got.now = true, moved.WindowAt.UnixMicro(), moved.Now.UnixMicro()
	}
	return got, err
}
