package password

import (
	"context"
	"slices"
	"sync"
	"time"
)

// queue assigns slots to those who ask for a computation. While slots are free everybody gets one. Otherwise the next slot goes by
// rank: first to callers that are known, every fourth to others; among these to the network that has asked least of late; then in the
// order of arrival. A queue that is full refuses the caller with the lowest rank, which need not be the latest; a quarter of it is kept
// for callers that are not known, too.
type queue struct {
	slots   int64
	longest int // how many may wait

	mu      sync.Mutex
	used    int64
	turns   int
	waiting []*waiter // in the order of arrival
	demand  demand
}

// unknownTurn is how often a slot goes first to callers that are not known: a storm of known ones must not keep them out.
const unknownTurn = 4

type waiter struct {
	weight int64
	known  bool
	asked  []*asked
	// verdict gets nil with the slots, or the error.
	verdict chan error
}

// tryAcquire takes slots that are free if no caller waits for them.
func (q *queue) tryAcquire(weight int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 || q.used+weight > q.slots {
		return false
	}
	q.used += weight
	return true
}

// enter counts what a caller asks for, and takes slots that are free if no other waits for them. It returns nil then, and else the
// waiting caller, whose verdict may be there already.
func (q *queue) enter(c Caller, weight int64, now time.Time) *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := &waiter{weight: weight, known: c.Known, asked: q.demand.count(c.Networks, int(weight), now), verdict: make(chan error, 1)}
	if len(q.waiting) == 0 && q.used+weight <= q.slots {
		q.used += weight
		return nil
	}
	q.waiting = append(q.waiting, w)
	if len(q.waiting) > q.longest {
		last := q.last()
		q.remove(last)
		last.verdict <- q.refusal(last, now)
	}
	return w
}

// leave takes a caller out of the queue. If its verdict was there already, the slots are given back.
func (q *queue) leave(w *waiter, now time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case err := <-w.verdict:
		if err == nil {
			q.free(w.weight)
		}
	default:
		q.remove(w)
		q.grant() // a computation that needs several slots no longer keeps those behind it
	}
	return q.refusal(w, now)
}

func (q *queue) release(weight int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free(weight)
}

func (q *queue) free(weight int64) {
	q.used -= weight
	q.grant()
}

// grant assigns the free slots to those with the highest rank.
func (q *queue) grant() {
	for len(q.waiting) > 0 {
		next := q.next()
		if q.used+next.weight > q.slots {
			return // it waits for more of them, so that small computations can't keep it out for ever
		}
		q.used += next.weight
		q.turns++
		q.remove(next)
		next.verdict <- nil
	}
}

func (q *queue) next() *waiter {
	unknownFirst := q.turns%unknownTurn == unknownTurn-1
	best := q.waiting[0]
	for _, w := range q.waiting[1:] {
		if w.known != best.known {
			if w.known != unknownFirst {
				best = w
			}
		} else if lighter(w, best, q.demand.window) {
			best = w
		}
	}
	return best
}

// last returns the waiter with the lowest rank.
func (q *queue) last() *waiter {
	unknown := 0
	for _, w := range q.waiting {
		if !w.known {
			unknown++
		}
	}
	known := unknown <= q.longest/unknownTurn
	var last *waiter
	for _, w := range slices.Backward(q.waiting) {
		if w.known == known && (last == nil || lighter(last, w, q.demand.window)) {
			last = w
		}
	}
	return last
}

func (q *queue) remove(w *waiter) {
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
}

// refusal returns the error for a caller that gets no slot: a CrowdedError if its networks ask for much, else ErrOverload.
func (q *queue) refusal(w *waiter, now time.Time) error {
	q.demand.advance(now)
	for _, a := range w.asked {
		if a.of(q.demand.window) > crowding {
			return &CrowdedError{RetryAfter: q.demand.until(a, now)}
		}
	}
	return ErrOverload
}

// lighter reports whether the networks of a waiter asked for less than those of another, compared from the widest to the narrowest: many
// networks in one wide network count as one.
func lighter(a, b *waiter, window int64) bool {
	for i := range min(len(a.asked), len(b.asked)) {
		if x, y := a.asked[i].of(window), b.asked[i].of(window); x != y {
			return x < y
		}
	}
	return false
}

// wait returns when the caller has its slots, or why it gets none.
func (q *queue) wait(ctx context.Context, w *waiter, longest time.Duration) error {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case err := <-w.verdict:
		return err
	case <-timer.C:
		return q.leave(w, time.Now())
	case <-ctx.Done():
		_ = q.leave(w, time.Now())
		return ctx.Err()
	}
}
