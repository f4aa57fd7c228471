package shadow

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/storage/dryrun"
)

const (
	// maxQueued and maxQueuedBytes bound what waits to be compared.
	maxQueued      = 512
	maxQueuedBytes = 16 << 20
	// judges is how many requests are rehearsed at a time. A login costs a password hash.
	judges = 8
	// rehearsal bounds one.
	rehearsal = 5 * time.Second
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
					judge(ctx, x)
					q.bytes.Add(-x.size())
				}
			}
		})
	}
	go wg.Wait()
}

// judge rehearses the request and compares the answers.
func (p *Proxy) judge(ctx context.Context, x *exchange) {
	if p.ledger.knows(x) {
		p.ledger.saw(x)
	}
	var own *answer
	var ok bool
	if !p.queue.rests(p.cfg.Now()) {
		own, ok = p.rehearse(ctx, x)
		p.queue.note(ok, p.cfg.Now())
	}
	if !ok {
		p.ledger.failed(x.route)
		return
	}
	django, ok := answerOf(x)
	if !ok {
		p.ledger.skipped(x.route, "content encoding")
		return
	}
	p.ledger.compared(x, compare(x, django, own, p.cfg.UserIDClaim))
}

// rehearse returns what Latchkey would have answered. ok is false where it could not tell.
func (p *Proxy) rehearse(ctx context.Context, x *exchange) (*answer, bool) {
	ctx, cancel := context.WithTimeout(ctx, rehearsal)
	defer cancel()
	var ended []string
	if x.status == http.StatusOK && x.request.Method == http.MethodPost {
		// Django has found that the token was alive, and has perhaps ended it by this very request.
		if jti := x.presented(p.cfg.Cookies).text("jti"); jti != "" {
			ended = append(ended, jti)
		}
	}
	begun := p.cfg.Now()
	rec, run := newRecorder(), dryrun.With(ctx, ended...)
	if !rec.serve(p.cfg.Rehearsed, x.again(adapterPaths[x.route]).WithContext(run)) {
		return nil, false
	}
	if rec.status >= http.StatusInternalServerError || rec.status == http.StatusTooManyRequests || ctx.Err() != nil {
		return nil, false
	}
	return &answer{rec.status, rec.header, rec.body.Bytes(), dryrun.Reason(run), begun}, true
}

// recorder keeps an answer.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

// serve reports whether a handler has answered without a panic.
func (rec *recorder) serve(h http.Handler, r *http.Request) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	h.ServeHTTP(rec, r)
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	return true
}

// Header implements http.ResponseWriter.
func (rec *recorder) Header() http.Header { return rec.header }

// WriteHeader implements http.ResponseWriter.
func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 {
		rec.status = status
	}
}

// Write implements http.ResponseWriter.
func (rec *recorder) Write(b []byte) (int, error) {
	rec.WriteHeader(http.StatusOK)
	return rec.body.Write(b)
}
