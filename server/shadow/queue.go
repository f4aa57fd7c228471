package shadow

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxQueued and maxQueuedBytes bound what waits to be compared.
	maxQueued      = 512
	maxQueuedBytes = 16 << 20
	// judges is how many requests are rehearsed at a time. A login costs a password hash.
	judges = 8
	// pause is how long after Django's answer its comparison begins: until then the client reads the answer, and what follows it has begun.
	pause = 5 * time.Millisecond
	// After so many failures in a row the database is unavailable: for the pause nothing is tried, since each attempt to connect takes
	// processor time that Django's answers would wait for.
	failuresInARow = 16
	failurePause   = time.Second
)

// queue holds exchanges until they are judged.
type queue struct {
	items chan *exchange
	bytes atomic.Int64

	failures atomic.Int64
	paused   atomic.Pointer[time.Time]
}

// rests reports whether nothing is to be tried now.
func (q *queue) rests(now time.Time) bool {
	until := q.paused.Load()
	return until != nil && now.Before(*until)
}

// note takes down whether a rehearsal could tell. The first after a pause that can't begins the next one.
func (q *queue) note(ok bool, now time.Time) {
	if ok {
		q.failures.Store(0)
	} else if q.failures.Add(1) >= failuresInARow {
		until := now.Add(failurePause)
		q.paused.Store(&until)
	}
}

// push reports whether there was room. It never waits.
func (q *queue) push(x *exchange) bool {
	x.through = time.Now()
	size := x.size()
	if q.bytes.Add(size) > maxQueuedBytes {
		q.bytes.Add(-size)
		return false
	}
	select {
	case q.items <- x:
		return true
	default:
		q.bytes.Add(-size)
		return false
	}
}

// run judges until ctx ends. It does not wait for that.
func (q *queue) run(ctx context.Context, judge func(context.Context, *exchange)) {
	var wg sync.WaitGroup
	for range judges {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case x := <-q.items:
					time.Sleep(pause - time.Since(x.through))
					judge(ctx, x)
					q.bytes.Add(-x.size())
				}
			}
		})
	}
	go wg.Wait()
}
