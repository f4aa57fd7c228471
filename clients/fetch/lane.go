package fetch

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"latchkey/storage"
)

// ErrBusy reports that too much would have to be fetched at once. It is a storage.ErrUnavailable: trying again later may
// succeed. A Cache does not remember it.
var ErrBusy = fmt.Errorf("too much is being fetched at once: %w", storage.ErrUnavailable)

// Lane bounds how often something is fetched, and how many fetches are under way.
type Lane struct {
	now   func() time.Time
	limit *rate.Limiter
	slots chan struct{}
	wait  time.Duration
}

// NewLane returns a lane for burst fetches at once and then one every interval, at most slots at the same time. Callers wait up
// to wait for a slot.
func NewLane(now func() time.Time, burst int, interval time.Duration, slots int, wait time.Duration) *Lane {
	return &Lane{now: now, limit: rate.NewLimiter(rate.Every(interval), burst), slots: make(chan struct{}, slots), wait: wait}
}

// Enter waits for a slot. leave must be called unless the error is ErrBusy.
func (l *Lane) Enter(ctx context.Context) (leave func(), err error) {
	if !l.limit.AllowN(l.now(), 1) {
		return nil, ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, l.wait)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots }, nil
	case <-ctx.Done():
		return nil, ErrBusy
	}
}
