package storagetest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"latchkey/storage"
	"latchkey/storage/testclock"
)

// linearWindow is the window of touches, a few steps of the clock long.
const linearWindow = 20 * time.Millisecond

// act is what was asked of a grant.
type act struct {
	kind     string // touch, advance, revoke, read
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
	ok       bool // not a conflict; a revocation: this call ended it
	windowAt int64
	now      int64 // of the database
	state    state
}

// linearizable lets several callers act on one grant and checks that the acts could have happened one after the other,
// each between its call and its return.
func linearizable(b *bundle) {
	for range rounds {
		g := b.session()
		initial := state{current: g.Current}
		history := b.history(g)
		switch porcupine.CheckOperationsTimeout(grantModel(initial), history, 10*time.Second) {
		case porcupine.Illegal:
			for _, op := range history {
				b.Logf("%d–%d %d %+v: %+v", op.Call, op.Return, op.ClientId, op.Input, op.Output)
			}
			b.Fatal("no order of these acts explains the answers")
		case porcupine.Unknown:
			b.Fatal("the history took too long to check")
		}
	}
}

func grantModel(initial state) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return initial },
		Step: func(s, input, output any) (bool, any) {
			return step(s.(state), input.(act), output.(answer))
		},
	}
}

// step tells whether a grant in a state may give an answer, and its state after that.
func step(s state, a act, got answer) (bool, any) {
	possible := !s.revoked && a.from == s.current
	switch a.kind {
	case "read":
		return got.state == s, s
	case "revoke":
		ended := !s.revoked
		s.revoked = true
		return got.ok == ended, s
	case "touch":
		if !possible {
			return !got.ok, s
		}
		now, window := got.now, linearWindow.Microseconds()
		// A clock that is behind finds a window that began in its future.
		if s.windowAt == 0 || s.windowAt <= now-window || s.windowAt >= now+window {
			s.windowAt = now
		}
		return got.ok && got.windowAt == s.windowAt, s
	default:
		if !possible {
			return !got.ok, s
		}
		s.current, s.generation, s.windowAt = a.to, s.generation+1, got.now
		return got.ok, s
	}
}

// history is what several callers did, and what they were told.
func (b *bundle) history(g *storage.Grant) []porcupine.Operation {
	const callers, acts = 6, 12
	var clock atomic.Int64
	var mu sync.Mutex
	var all []porcupine.Operation
	testclock.Set(b.Store, func() time.Time { return start.Add(time.Duration(clock.Add(1)) * time.Millisecond) })
	began := time.Now()
	for _, err := range atOnce(callers, func(caller int) error {
		random := rand.New(rand.NewPCG(uint64(caller), rand.Uint64()))
		known := state{current: g.Current}
		for n := range acts {
			a := act{kind: "read", from: known.current}
			switch p := random.IntN(100); {
			case p < 35:
				a.kind = "touch"
			case p < 70:
				a.kind, a.to = "advance", storage.TokenID{byte(caller), byte(n), 1}
			case p < 72:
				a.kind = "revoke"
			}
			call := time.Since(began).Nanoseconds()
			got, err := b.act(g.ID, a, known.generation+1)
			if err != nil {
				return err
			}
			if a.kind == "read" {
				known = got.state
			}
			mu.Lock()
			all = append(all, porcupine.Operation{
				ClientId: caller, Input: a, Output: got, Call: call, Return: time.Since(began).Nanoseconds(),
			})
			mu.Unlock()
		}
		return nil
	}) {
		b.ok(err)
	}
	return all
}

// act does one act.
func (b *bundle) act(id storage.ID, a act, generation int64) (answer, error) {
	var got answer
	var err error
	switch a.kind {
	case "read":
		var g *storage.LiveGrant
		if g, err = b.Grant(b.ctx, id); err == nil {
			got.state = state{current: g.Current, generation: g.Generation, revoked: !g.RevokedAt.IsZero()}
			if !g.WindowAt.IsZero() {
				got.state.windowAt = g.WindowAt.UnixMicro()
			}
		}
	case "revoke":
		got.ok, err = b.RevokeGrant(b.ctx, id, "logout", start, nil)
	case "touch", "advance":
		m := storage.GrantMove{ID: id, From: a.from, To: a.to, Generation: generation, Window: linearWindow}
		var moved *storage.LiveGrant
		if moved, err = b.MoveGrant(b.ctx, m, nil); err == nil {
			got.ok, got.windowAt, got.now = true, moved.WindowAt.UnixMicro(), moved.Now.UnixMicro()
		}
	}
	if errors.Is(err, storage.ErrConflict) {
		err = nil
	}
	return got, err
}
