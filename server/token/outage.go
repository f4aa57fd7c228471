package token

import (
	"context"
	"errors"
	"sync"
	"time"

	"latchkey/storage"
)

// outage is a time during which a server could not write to the database.
type outage struct{ from, to time.Time }

// away returns how much of the time between two moments the outages took. They do not overlap.
func away(outages []outage, from, to time.Time) (sum time.Duration) {
	for _, o := range outages {
		begin, end := o.from, o.to
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

// outages remembers when this server could not write. A client that lost an answer then could not ask again: that time counts neither for
// the overlap nor for the window (docs/rotation.md, "Outages").
type outages struct {
	clock func() time.Time

	mu sync.Mutex
	// wrote is when the last write succeeded, or when the server started.
	wrote time.Time
	// cut is set while writes fail. The outage began at wrote.
	cut  bool
	past []outage
}

const (
	// maxOutages bounds how many are remembered; the oldest goes.
	maxOutages = 16
	// shortOutage is what is not worth remembering.
	shortOutage = time.Second
)

func newOutages(clock func() time.Time) *outages { return &outages{clock: clock, wrote: clock()} }

// failed notes that the database did not answer. A request that its client cancelled proves nothing, or any client could begin an
// outage.
func (o *outages) failed(ctx context.Context, err error) {
	if !errors.Is(err, storage.ErrUnavailable) || ctx.Err() != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cut = true
}

// NoteOutage notes an error of the database that another part of the server got, such as its probe. A server that a load balancer
// sends no requests to learns of an outage in no other way, and would count it for the overlap. Other errors are ignored.
func (s *Service) NoteOutage(ctx context.Context, err error) { s.outages.failed(ctx, err) }

// tried notes the outcome of a write. A conflict has written nothing, so it says nothing about an outage.
func (o *outages) tried(ctx context.Context, err error) {
	if err != nil {
		o.failed(ctx, err)
		return
	}
	now := o.clock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cut && now.Sub(o.wrote) >= shortOutage {
		o.past = append(o.past, outage{o.wrote, now})
		if len(o.past) > maxOutages {
			o.past = append(o.past[:0:0], o.past[1:]...)
		}
	}
	o.cut, o.wrote = false, now
}

// at returns the outages in the time of the database, which shows now.
func (o *outages) at(now time.Time) []outage {
	local := o.clock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.past) == 0 && !o.cut {
		return nil
	}
	all := make([]outage, 0, len(o.past)+1)
	for _, past := range o.past {
		all = append(all, outage{now.Add(past.from.Sub(local)), now.Add(past.to.Sub(local))})
	}
	if o.cut {
		all = append(all, outage{now.Add(o.wrote.Sub(local)), now})
	}
	return all
}

// calm reports whether no outage has ended recently enough to count for a window that is open.
func (o *outages) calm() bool {
	now := o.clock()
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.cut && (len(o.past) == 0 || now.Sub(o.past[len(o.past)-1].to) > coalesce)
}

// watchedStore is a Store whose outages are noted.
type watchedStore struct {
	Store
	outages *outages
}

func (s watchedStore) Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	live, err := s.Store.Grant(ctx, id)
	s.outages.failed(ctx, err)
	return live, err
}

func (s watchedStore) GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	live, err := s.Store.GrantWithProfile(ctx, id)
	s.outages.failed(ctx, err)
	return live, err
}

func (s watchedStore) AttemptGrant(ctx context.Context, a storage.GrantAttempt) (*storage.LiveGrant, int, error) {
	moved, which, err := s.Store.AttemptGrant(ctx, a)
	s.outages.tried(ctx, err)
	return moved, which, err
}

func (s watchedStore) MoveGrant(ctx context.Context, m storage.GrantMove, event *storage.AuditEvent) (*storage.LiveGrant, error) {
	moved, err := s.Store.MoveGrant(ctx, m, event)
	s.outages.tried(ctx, err)
	return moved, err
}

func (s watchedStore) CreateGrant(ctx context.Context, g *storage.Grant, login *storage.Login, events ...*storage.AuditEvent) error {
	err := s.Store.CreateGrant(ctx, g, login, events...)
	s.outages.tried(ctx, err)
	return err
}

func (s watchedStore) RedeemAuthorizationCode(ctx context.Context, hash storage.Digest, g *storage.Grant, events ...*storage.AuditEvent) error {
	err := s.Store.RedeemAuthorizationCode(ctx, hash, g, events...)
	s.outages.tried(ctx, err)
	return err
}

func (s watchedStore) RedeemDeviceCode(ctx context.Context, hash storage.Digest, g *storage.Grant, until time.Time, events ...*storage.AuditEvent) error {
	err := s.Store.RedeemDeviceCode(ctx, hash, g, until, events...)
	s.outages.tried(ctx, err)
	return err
}
