package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

const (
	// maxShared bounds how many calls share a statement, so that none waits long for the others.
	maxShared = 64
	// patience is how long a call waits for the statement under way before it is sent in a second one beside it.
	patience = 20 * time.Millisecond
	// longestWait bounds how long a call waits for its turn while other calls of its kind get theirs. Without that it is the statement timeout.
	longestWait = 20 * time.Second
)

// combiner sends calls of one kind, about different grants, in shared statements.
//
// A call that arrives while no statement of its kind is under way is sent at once, alone. Those that arrive in the meantime wait for
// that statement and share the next one: the parsing, the round trip and the flush of the write-ahead log, which cost more than the
// rows. Each call has its own outcome. What fails for a reason that may be one call's alone is tried again call by call.
type combiner[Q, A any] struct {
	db        *database
	counts    *combined
	what      string
	statement *grantStatement[Q, A]
	// lanes bounds the statements under way at the same time.
	lanes int

	mu       sync.Mutex
	waiting  []*call[Q, A] // the oldest first
	underWay int
	watched  bool      // whether beside will be called
	progress time.Time // when a statement last ended, except by an outage
}

func combine[Q, A any](db *database, counts *combined, what string, lanes int, st *grantStatement[Q, A]) *combiner[Q, A] {
	return &combiner[Q, A]{db: db, counts: counts, what: what, lanes: lanes, statement: st}
}

// call is one call of a combiner.
type call[Q, A any] struct {
	ctx    context.Context // of the caller: a statement is in the trace of one of its calls
	ask    Q
	since  time.Time
	answer *A
	err    error
	done   chan struct{} // closed when answer and err are set
}

// combined counts what combiners do.
type combined struct {
	statements, calls, alone atomic.Int64
	waited                   atomic.Int64 // nanoseconds
}

// do returns the answer to one call, nil if the statement found no row for it. A call whose context ends returns; the statement goes
// on for the others, and its outcome for this call is unknown.
func (b *combiner[Q, A]) do(ctx context.Context, ask Q) (*A, error) {
	c := &call[Q, A]{ctx: ctx, ask: ask, since: time.Now(), done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, c)
	list := b.take(1)
	if list == nil {
		b.watch(patience)
	}
	b.mu.Unlock()
	if list != nil { // c alone: the calls that wait are behind a statement that is under way
		if next := b.send(ctx, list); next != nil {
			go b.sendAll(next)
		}
		return c.answer, c.err
	}
	defer func() { b.counts.waited.Add(int64(time.Since(c.since))) }()
	limit := time.NewTimer(b.db.timeout)
	defer limit.Stop()
	for {
		select {
		case <-c.done:
			return c.answer, c.err
		case <-ctx.Done():
			b.leave(c)
			return nil, translate(b.what, ctx.Err())
		case <-limit.C:
			if more := b.mayWait(c); more > 0 {
				limit.Reset(more)
				continue
			}
			b.leave(c)
			return nil, translate(b.what, context.DeadlineExceeded)
		}
	}
}

// mayWait returns how much longer a call may wait: as long as statements of its kind end, longestWait in all.
func (b *combiner[Q, A]) mayWait(c *call[Q, A]) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return min(b.db.timeout-time.Since(b.progress), longestWait-time.Since(c.since))
}

// watch makes sure that beside is called. The caller holds mu.
func (b *combiner[Q, A]) watch(after time.Duration) {
	if !b.watched {
		b.watched = true
		time.AfterFunc(after, b.beside)
	}
}

// beside sends a second statement if the oldest call that waits has lost its patience with the one under way. One timer serves all calls:
// in a storm thousands of them wait.
func (b *combiner[Q, A]) beside() {
	b.mu.Lock()
	b.watched = false
	var list []*call[Q, A]
	if len(b.waiting) > 0 {
		left := patience - time.Since(b.waiting[0].since)
		if left <= 0 {
			list, left = b.take(b.lanes), patience
		}
		if len(b.waiting) > 0 {
			b.watch(left)
		}
	}
	b.mu.Unlock()
	if list != nil {
		b.sendAll(list)
	}
}

// take returns the calls of the next statement, the oldest first, if fewer than lanes statements are under way and a call waits; nil
// otherwise. A statement that writes has only one call for each grant. Reads of one grant share a statement: it begins after each of
// them has arrived, so that each sees what was acknowledged before it. The caller holds mu and sends them.
func (b *combiner[Q, A]) take(lanes int) (list []*call[Q, A]) {
	if b.underWay >= lanes || len(b.waiting) == 0 {
		return nil
	}
	b.underWay++
	if len(b.waiting) == 1 {
		list, b.waiting = b.waiting, nil
		return list
	}
	taken := make(map[storage.ID]bool, len(b.waiting))
	rest := b.waiting[:0]
	for _, c := range b.waiting {
		if id := b.statement.id(c.ask); len(list) < maxShared && (!taken[id] || b.statement.reads()) {
			taken[id] = true
			list = append(list, c)
		} else {
			rest = append(rest, c)
		}
	}
	clear(b.waiting[len(rest):])
	b.waiting = rest
	return list
}

// leave takes a call out of those that wait.
func (b *combiner[Q, A]) leave(c *call[Q, A]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, c); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
}

// sendAll sends calls, and then those that have come in the meantime, until none waits: each statement in the trace of the call that has
// waited longest. A goroutine for each statement would have to grow its stack each time.
func (b *combiner[Q, A]) sendAll(list []*call[Q, A]) {
	for list != nil {
		list = b.send(context.WithoutCancel(list[0].ctx), list)
	}
}

// send sends calls, hands each its outcome, and returns those that have come in the meantime. It stops at the end of ctx.
func (b *combiner[Q, A]) send(ctx context.Context, list []*call[Q, A]) (next []*call[Q, A]) {
	// In this order, whatever else locks several grants does so too.
	slices.SortFunc(list, func(x, y *call[Q, A]) int { return compare(b.statement.id(x.ask), b.statement.id(y.ask)) })
	var err error
	if len(list) == 1 {
		err = b.alone(ctx, list[0])
	} else {
		b.counts.statements.Add(1)
		b.counts.calls.Add(int64(len(list)))
		err = b.together(ctx, list)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.underWay--
	if err == nil || !outage(err) {
		b.progress = time.Now()
	}
	return b.take(b.lanes)
}

// alone sends one call, and returns its error.
func (b *combiner[Q, A]) alone(ctx context.Context, c *call[Q, A]) error {
	answers, err := b.transact(ctx, c)
	if c.err = err; err == nil {
		c.answer = answers[0]
	}
	close(c.done)
	return err
}

// together sends several calls in one transaction. One that fails for a reason that may be one call's was rolled back: then each is
// sent alone. An outage is everybody's. The error is that of the transaction.
func (b *combiner[Q, A]) together(ctx context.Context, list []*call[Q, A]) error {
	answers, err := b.transact(ctx, list...)
	if err != nil && !outage(err) {
		b.counts.alone.Add(int64(len(list)))
		for _, c := range list {
			go b.alone(context.WithoutCancel(c.ctx), c)
		}
		return err
	}
	for i, c := range list {
		if c.err = err; err == nil {
			c.answer = answers[i]
		}
		close(c.done)
	}
	return err
}

func (b *combiner[Q, A]) transact(ctx context.Context, list ...*call[Q, A]) (answers []*A, err error) {
	asks := make([]Q, len(list))
	for i, c := range list {
		asks[i] = c.ask
	}
	err = b.db.do(ctx, b.what, func(ctx context.Context, conn *pgx.Conn) (err error) {
		answers, err = b.statement.run(ctx, b.db, conn, asks)
		return err
	})
	return answers, err
}

// outage reports whether a transaction failed, or may have, for a reason that is not in what it was to do.
func outage(err error) bool {
	sqlState := code(err)
	if sqlState == "" || errors.Is(err, errNotReplicated) {
		return true
	}
	for _, class := range []string{"08", "53", "57", "58", "25006"} {
		if strings.HasPrefix(sqlState, class) {
			return true
		}
	}
	return false
}

func compare(x, y storage.ID) int { return slices.Compare(x[:], y[:]) }
