package outage

import (
	"context"
	"errors"
	"sync"
	"time"

	"latchkey/storage"
)

// Outage is a time during which a server could not write to the database.
type Outage struct{ From, To time.Time }

// Taken returns how much of the time between two moments the outages took. They do not overlap.
func Taken(outages []Outage, from, to time.Time) (sum time.Duration) {
	for _, o := range outages {
		begin, end := o.From, o.To
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		if end.After(begin) {
			sum += end.Sub(begin)
		}
	}
	return sum
}

// Log remembers when this server could not write. A client that lost an answer then could not ask again: that time counts neither for
// the overlap nor for the window (docs/rotation.md, "Outages").
type Log struct {
	clock func() time.Time

	mu sync.Mutex
	// wrote is when the last write succeeded, or when the server started.
	wrote time.Time
	// cut is set while writes fail. The outage began at wrote.
	cut  bool
	past []Outage
}

const (
	// maxOutages bounds how many are remembered; the oldest goes.
	maxOutages = 16
	// shortOutage is what is not worth remembering.
	shortOutage = time.Second
)

// NewLog returns a Log of a server that starts now.
func NewLog(clock func() time.Time) *Log { return &Log{clock: clock, wrote: clock()} }

// Note notes an error of the database. The probe's count too: a server that a load balancer sends no requests to learns of an outage in no
// other way, and would count it for the overlap. A request that its client cancelled proves nothing, or any client could begin an outage.
// Other errors, and none, are ignored.
func (l *Log) Note(ctx context.Context, err error) {
	if !errors.Is(err, storage.ErrUnavailable) || ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
}

// tried notes the outcome of a write, and returns it. A conflict has written nothing, so it says nothing about an outage.
func (l *Log) tried(ctx context.Context, err error) error {
	if err != nil {
		l.Note(ctx, err)
		return err
	}
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut && now.Sub(l.wrote) >= shortOutage {
		l.past = append(l.past, Outage{l.wrote, now})
		if len(l.past) > maxOutages {
			l.past = append(l.past[:0:0], l.past[1:]...)
		}
	}
	l.cut, l.wrote = false, now
	return nil
}

// At returns the outages in the time of the database, which shows now.
func (l *Log) At(now time.Time) []Outage {
	local := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.past) == 0 && !l.cut {
		return nil
	}
	all := make([]Outage, 0, len(l.past)+1)
	for _, past := range l.past {
		all = append(all, Outage{now.Add(past.From.Sub(local)), now.Add(past.To.Sub(local))})
	}
	if l.cut {
		all = append(all, Outage{now.Add(l.wrote.Sub(local)), now})
	}
	return all
}

// Calm reports whether writes succeed, and did for the given time before now. A server that has started since knows of no outage.
func (l *Log) Calm(since time.Duration) bool {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.cut && (len(l.past) == 0 || now.Sub(l.past[len(l.past)-1].To) > since)
}
