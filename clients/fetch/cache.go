package fetch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"latchkey/storage"
)

// Config is the configuration of a Cache.
type Config[K comparable, V any] struct {
	Now func() time.Time
	// Size bounds the cache: the sum of what Weigh returns for its entries, or their number if Weigh is nil.
	Size  int
	Weigh func(key K, v V) int
	// Retry is the least time between two fetches of a key, and so how long a failure is remembered. Only ErrBusy is not.
	Retry time.Duration
	// Stale is how long after its freshness a value is still used if fetching it again fails.
	Stale time.Duration
}

// Cache fetches values once for all concurrent callers and keeps them while they are fresh. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	cfg     Config[K, V]
	flights singleflight.Group

	mu     sync.Mutex
	known  *simplelru.LRU[K, entry[V]]
	weight int
}

// entry is the outcome of the last fetch, with the value of the last one that succeeded.
type entry[V any] struct {
	value V
	err   error
	// fetched is the time of the last fetch; fresh and usable are the ends of the value's freshness and use.
	fetched, fresh, usable time.Time
}

// NewCache returns an empty cache.
func NewCache[K comparable, V any](cfg Config[K, V]) *Cache[K, V] {
	if cfg.Weigh == nil {
		cfg.Weigh = func(K, V) int { return 1 }
	}
	c := &Cache[K, V]{cfg: cfg}
	known, err := simplelru.NewLRU(cfg.Size, func(key K, e entry[V]) { c.weight -= cfg.Weigh(key, e.value) })
	if err != nil {
		panic(err) // only for a size below one
	}
	c.known = known
	return c
}

// Get returns the value of a key: from memory while it is fresh and wanted (a nil wanted accepts every value), else it
// fetches the value, unless the last fetch is too recent. A value that could not be fetched again is returned while it is
// usable, even if it is not wanted. The error is that of fetch, or storage.ErrUnavailable when ctx ends.
//
// fetch returns a value and how long it is fresh. It serves every caller, so its context does not end with a request.
func (c *Cache[K, V]) Get(
	ctx context.Context, key K, wanted func(V) bool, fetch func(context.Context) (V, time.Duration, error),
) (v V, err error) {
	e, ok := c.get(key, wanted)
	if !ok {
		fetched := c.flights.DoChan(fmt.Sprintf("%#v", key), func() (any, error) {
			if e, ok := c.get(key, wanted); ok {
				return e, nil // by a flight that has just landed
			}
			return c.fetch(context.WithoutCancel(ctx), key, fetch)
		})
		select {
		case result := <-fetched:
			if result.Err != nil {
				return v, result.Err
			}
			e = result.Val.(entry[V])
		case <-ctx.Done():
			return v, fmt.Errorf("%w: %w", storage.ErrUnavailable, ctx.Err())
		}
	}
	if c.cfg.Now().Before(e.usable) {
		return e.value, nil
	}
	return v, e.err
}

// get returns what is known of a key; ok reports whether that must do for now.
func (c *Cache[K, V]) get(key K, wanted func(V) bool) (e entry[V], ok bool) {
	c.mu.Lock()
	e, ok = c.known.Get(key)
	c.mu.Unlock()
	now := c.cfg.Now()
	if !ok || now.Before(e.fetched) { // the clock was set back
		return e, false
	}
	good := now.Before(e.fresh) && (wanted == nil || wanted(e.value))
	return e, good || now.Sub(e.fetched) < c.cfg.Retry
}

// fetch fetches a value and keeps it. The error is ErrBusy.
func (c *Cache[K, V]) fetch(ctx context.Context, key K, fetch func(context.Context) (V, time.Duration, error)) (entry[V], error) {
	value, fresh, err := fetch(ctx)
	if errors.Is(err, ErrBusy) {
		return entry[V]{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	e := entry[V]{value: value, fetched: now, fresh: now.Add(fresh), usable: now.Add(fresh + c.cfg.Stale)}
	if err != nil {
		e, _ = c.known.Peek(key)
		e.fetched, e.err = now, err
	}
	c.known.Remove(key)
	c.known.Add(key, e)
	for c.weight += c.cfg.Weigh(key, e.value); c.weight > c.cfg.Size; {
		c.known.RemoveOldest()
	}
	return e, nil
}
