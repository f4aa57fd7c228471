package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/storage"
)

// maxBatch bounds how many writes share a commit, so that none waits long for the others.
const maxBatch = 64

// restartEvery is after how many commits the writer makes sure that the write-ahead log begins anew.
const restartEvery = 1000

// writer is the one connection that writes.
//
// Making a commit durable takes longer than the writes themselves, so writes that arrive while one is being committed
// are run together: one transaction, each write in a savepoint of its own, one commit. No write is acknowledged,
// not even as refused, before what it saw is on the disk.
type writer struct {
	db    *sql.DB
	wait  time.Duration // the busy timeout
	queue chan *write
	quit  chan struct{}
	done  sync.WaitGroup

	// conn and stmts belong to the goroutine of loop. conn is nil until the first batch and after a failure.
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	commits int

	busy   atomic.Bool
	waits  atomic.Int64
	waited atomic.Int64
}

// write is one function that waits for its turn.
type write struct {
	run func(conn) error
	// begun is set by the writer when it runs the write, or by the caller when it cancels it, whichever is first.
	begun atomic.Bool
	// done is closed when err is the outcome.
	done   chan struct{}
	err    error
	queued time.Time
}

func newWriter(db *sql.DB, wait time.Duration) *writer {
	w := &writer{db: db, wait: wait, queue: make(chan *write), quit: make(chan struct{})}
	w.done.Go(w.loop)
	return w
}

// do runs a function in a transaction. All of its writes have happened when do returns nil, and none when it returns an error. A context that ends before the function begins makes do return; after that do waits for the
// outcome, which is near.
func (w *writer) do(ctx context.Context, run func(conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &write{run: run, done: make(chan struct{}), queued: time.Now()}
	select {
	case <-w.quit:
		return errClosed
	default:
	}
	select {
	case w.queue <- j:
	case <-w.quit:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.begun.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-j.done
	}
	return j.err
}

// close runs no more writes, and returns when the running ones have ended.
func (w *writer) close() {
	close(w.quit)
	w.done.Wait()
}

func (w *writer) loop() {
	defer w.discard()
	for {
		select {
		case j := <-w.queue:
			w.busy.Store(true)
			for j != nil {
				j = w.batch(j)
			}
			if w.commits >= restartEvery {
				w.restartLog()
			}
			w.busy.Store(false)
		case <-w.quit:
			return
		}
	}
}

// batch runs a write, and those that come while it runs, in one transaction. It returns a write that it took from the
// queue and did not run, or nil.
func (w *writer) batch(first *write) *write {
	if err := w.begin(); err != nil {
		w.discard()
		return w.refuse(first, err)
	}
	var ran []*write
	var broken error
	for j := first; j != nil; j = w.next() {
		if !j.begun.CompareAndSwap(false, true) {
			continue
		}
		w.count(j, len(ran))
		ran = append(ran, j)
		if broken = w.run(j); broken != nil || len(ran) == maxBatch {
			break
		}
	}
	if broken == nil {
		broken = w.exec(`COMMIT`)
	}
	if broken != nil {
		w.discard()
		broken = fmt.Errorf("%w: %w", storage.ErrUnavailable, broken)
	}
	w.commits++
	for _, j := range ran {
		if broken != nil {
			j.err = broken
		}
		close(j.done)
	}
	return nil
}

// refuse refuses a write and all that have waited with it: another process has held the lock for the whole busy timeout, and no
// write waits for it twice. Later writes do wait.
func (w *writer) refuse(first *write, err error) (rest *write) {
	refused := time.Now()
	for j := first; j != nil; j = w.next() {
		if j.queued.After(refused) {
			return j
		}
		if j.begun.CompareAndSwap(false, true) {
			j.err = err
			close(j.done)
		}
	}
	return nil
}

// next returns a write that is waiting now, or nil.
func (w *writer) next() *write {
	select {
	case j := <-w.queue:
		return j
	default:
		return nil
	}
}

// begin takes the lock on the file.
func (w *writer) begin() error {
	if w.conn == nil {
		c, err := w.db.Conn(context.Background())
		if err != nil {
			return err
		}
		w.conn, w.stmts = c, map[string]*sql.Stmt{}
	}
	return w.exec(`BEGIN IMMEDIATE`)
}

// restartLog copies the log into the database and waits a moment for the readers to leave it. SQLite copies by
// itself, but begins the log anew only when it happens to find no reader in it: under steady reading that is never, and
// the log would grow without end. What fails is tried again.
func (w *writer) restartLog() {
	w.commits = 0
	if w.conn == nil {
		return
	}
	var busy, logged, copied int
	err := w.exec(`PRAGMA busy_timeout = 100`)
	if err == nil {
		err = w.own().row(`PRAGMA wal_checkpoint(RESTART)`, nil, &busy, &logged, &copied)
	}
	if err != nil || busy != 0 {
		w.commits = restartEvery * 9 / 10 // sooner next time
	}
	if err := w.exec(`PRAGMA busy_timeout = ` + strconv.FormatInt(w.wait.Milliseconds(), 10)); err != nil {
		w.discard()
	}
}

// run runs a write and notes its outcome. An error of run's own means that the whole transaction is broken: some
// failures (a full disk, for one) make SQLite roll it back by itself, and then there is no savepoint any more.
func (w *writer) run(j *write) error {
	if err := w.exec(`SAVEPOINT one`); err != nil {
		return err
	}
	if j.err = j.run(w.own()); j.err != nil {
		if err := w.exec(`ROLLBACK TO one`); err != nil {
			return j.err
		}
	}
	return w.exec(`RELEASE one`)
}

func (w *writer) exec(query string) error {
	_, err := w.own().exec(query)
	return err
}

// own is the writer's connection. Its statements never end early: an interrupted one may undo the others' writes.
func (w *writer) own() conn { return conn{ctx: context.Background(), prepare: w.prepare} }

func (w *writer) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := w.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = stmt
	return stmt, nil
}

// discard closes the connection, and with it a transaction that is still open. The next batch opens another.
func (w *writer) discard() {
	if w.conn == nil {
		return
	}
	for _, stmt := range w.stmts {
		stmt.Close()
	}
	w.conn.Raw(func(any) error { return errDiscard })
	w.conn.Close()
	w.conn, w.stmts = nil, nil
}

// count notes how long a write waited, when it did.
func (w *writer) count(j *write, ahead int) {
	if wait := time.Since(j.queued); ahead > 0 || wait > time.Millisecond {
		w.waits.Add(1)
		w.waited.Add(int64(wait))
	}
}

func (w *writer) stats() (waits int64, waited time.Duration, busy bool) {
	return w.waits.Load(), time.Duration(w.waited.Load()), w.busy.Load()
}
