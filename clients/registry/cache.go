package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"latchkey/storage"
)

// Bounds of what untrusted names can cause.
const (
	missingSize = 4096            // names remembered as unknown
	missingTTL  = time.Second     // for that long
	maxLoads    = 8               // reads of the database at the same time
	loadTimeout = 5 * time.Second // for one of them
)

// cache keeps what was read from the database under a name until it changes.
type cache[V any] struct {
	now   func() time.Time
	read  func(ctx context.Context, name string) (V, error)
	known *lru.Cache[string, V]
	// missing maps names that do not exist to the end of that knowledge. It is apart from known, so that made-up names evict
	// nothing.
	missing *lru.Cache[string, time.Time]
	flights singleflight.Group
	loads   chan struct{}

	// mu makes "nothing has changed since the read" and "keep the result" one step.
	mu sync.Mutex
	// generation counts the changes. It is written under mu.
	generation atomic.Uint64
}

func newCache[V any](size int, now func() time.Time, read func(context.Context, string) (V, error)) *cache[V] {
	return &cache[V]{
		now: now, read: read, known: newLRU[V](size), missing: newLRU[time.Time](missingSize), loads: make(chan struct{}, maxLoads),
	}
}

func newLRU[V any](size int) *lru.Cache[string, V] {
	x, err := lru.New[string, V](size)
	if err != nil {
		panic(err) // only for a size below one
	}
	return x
}

// load returns what the database has under a name that is not known: storage.ErrNotFound, storage.ErrUnavailable.
func (x *cache[V]) load(ctx context.Context, name string) (V, error) {
	var none V
	if x.isMissing(name) {
		return none, storage.ErrNotFound
	}
	// The generation is part of the flight's name: a caller that comes after a change must not get what was read before it.
	generation := x.generation.Load()
	flight := strconv.FormatUint(generation, 36) + " " + name
	loaded := x.flights.DoChan(flight, func() (any, error) {
		// The read serves every caller, so it does not end with the request that happens to be the first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return x.fly(ctx, name, generation)
	})
	select {
	case result := <-loaded:
		if result.Err != nil {
			return none, result.Err
		}
		return result.Val.(V), nil
	case <-ctx.Done():
		return none, fmt.Errorf("%w: %w", storage.ErrUnavailable, ctx.Err())
	}
}

// fly reads and keeps the result, unless something has changed since the given generation.
func (x *cache[V]) fly(ctx context.Context, name string, generation uint64) (v V, err error) {
	// Made-up names must not take every connection of the pool.
	select {
	case x.loads <- struct{}{}:
		defer func() { <-x.loads }()
	case <-ctx.Done():
		return v, fmt.Errorf("%w: %w", storage.ErrUnavailable, ctx.Err())
	}
	if v, ok := x.known.Get(name); ok { // a flight has landed since the caller looked
		return v, nil
	}
	v, err = x.read(ctx, name)
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.generation.Load() != generation:
	case err == nil:
		x.known.Add(name, v)
	case isNotFound(err):
		x.missing.Add(name, x.now().Add(missingTTL))
	}
	return v, err
}

func (x *cache[V]) isMissing(name string) bool {
	until, ok := x.missing.Get(name)
	if !ok {
		return false
	}
	left := until.Sub(x.now())
	return left > 0 && left <= missingTTL // more: the clock was set back
}

// forget forgets one name; all of them if it is empty.
func (x *cache[V]) forget(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.generation.Add(1)
	if name != "" {
		x.known.Remove(name)
		x.missing.Remove(name)
		return
	}
	x.known.Purge()
	x.missing.Purge()
}

func isNotFound(err error) bool { return errors.Is(err, storage.ErrNotFound) }
