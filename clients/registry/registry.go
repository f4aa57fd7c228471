package clients

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"latchkey/storage"
)

// DefaultSize is how many clients a Registry keeps in memory.
const DefaultSize = 100_000

// hotSize is how many of them lie ready for use; the others are packed.
const hotSize = 4096

// Bounds of what strangers can cause with names of clients that are not there.
const (
	missingSize = 4096            // names remembered as unknown
	missingTTL  = time.Second     // for that long
	maxLoads    = 8               // clients read from the database at the same time
	loadTimeout = 5 * time.Second // for one read
)

// Store is what a Registry needs of a database.
type Store interface {
	storage.Clients
	storage.Resources
	storage.RegistrationTokens
}

// RegistryConfig says what a Registry works with.
type RegistryConfig struct {
	Store Store
	// MACKeys are the keys of client secrets: the first makes, all check. At least one.
	MACKeys [][]byte
	Now     func() time.Time
	// Size is how many clients are kept in memory; zero means DefaultSize.
	Size int
	// MaxUnused is how many clients that were registered openly may wait for their first user; zero means
	// DefaultMaxUnused.
	MaxUnused int
	// Documents says whose metadata documents make a client; Fetcher gets them. Without a Fetcher none do.
	Documents DocumentPolicy
	Fetcher   Fetcher
	// Actor is who makes changes through this registry, for the audit events; empty means "operator".
	Actor string
}

// Registry finds and changes clients and protected resources. It keeps what it has read until it is told of a change;
// see [Registry.Changed].
type Registry struct {
	cfg RegistryConfig
	// cache has every client that is in memory, hot those of them that were asked for lately.
	cache *lru.Cache[string, packed]
	hot   *lru.Cache[string, *Client]
	// missing holds the names that were not there, until when that is believed. It is apart from cache, so that
	// made-up names push out no client.
	missing *lru.Cache[string, time.Time]
	flights singleflight.Group
	loads   chan struct{}

	// mu makes "nothing has changed since the row was read" and "keep it" one act.
	mu sync.Mutex
	// generation counts the changes that Changed was told of. It is written under mu.
	generation atomic.Uint64

	hits, misses atomic.Uint64
	selfKeys     [][]byte
	documents    *documentCache
	resources    atomic.Pointer[resourceList]
	origins      originIndex
}

// NewRegistry makes a registry with nothing in memory.
func NewRegistry(cfg RegistryConfig) *Registry {
	if cfg.Size <= 0 {
		cfg.Size = DefaultSize
	}
	if cfg.MaxUnused <= 0 {
		cfg.MaxUnused = DefaultMaxUnused
	}
	if cfg.Actor == "" {
		cfg.Actor = "operator"
	}
	r := &Registry{
		cfg:     cfg,
		cache:   newCache[packed](cfg.Size),
		hot:     newCache[*Client](min(cfg.Size, hotSize)),
		missing: newCache[time.Time](missingSize),
		loads:   make(chan struct{}, maxLoads),

		selfKeys:  selfKeys(cfg.MACKeys),
		documents: newDocumentCache(),
	}
	r.origins.table = newOriginTable()
	r.origins.changedAll()
	return r
}

func newCache[V any](size int) *lru.Cache[string, V] {
	cache, err := lru.New[string, V](size)
	if err != nil {
		panic(err) // only for a size below one
	}
	return cache
}

// CacheStats counts what the memory was good for.
type CacheStats struct {
	Hits, Misses uint64
	Size         int
}

// Stats tells how often a client was in memory, how often not, and how many are.
func (r *Registry) Stats() CacheStats {
	return CacheStats{Hits: r.hits.Load(), Misses: r.misses.Load(), Size: r.cache.Len()}
}

// Client finds a client. storage.ErrNotFound: there is none of that name. storage.ErrUnavailable: it is not in memory
// and the database is away. What is in memory is good while the database is away.
func (r *Registry) Client(ctx context.Context, id string) (*Client, error) {
	if c, ok := r.hot.Get(id); ok {
		r.hits.Add(1)
		return c, nil
	}
	generation := r.generation.Load()
	if p, ok := r.cache.Get(id); ok {
		r.hits.Add(1)
		c := p.unpack()
		r.keep(generation, func() { r.hot.Add(c.ID, c) })
		return c, nil
	}
	r.misses.Add(1)
	if !ValidID(id) || r.isMissing(id) {
		return nil, errUnknown(id)
	}
	// The generation is part of the flight's name: who comes after a change must not get what was read before it.
	flight := strconv.FormatUint(generation, 36) + " " + id
	loaded := r.flights.DoChan(flight, func() (any, error) {
		// The read serves everybody who asks, so it does not end with the request that happens to be the first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return r.load(ctx, id, generation)
	})
	select {
	case result := <-loaded:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*Client), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("read client: %w: %w", storage.ErrUnavailable, ctx.Err())
	}
}

func errUnknown(id string) error {
	return fmt.Errorf("client %q: %w", shorten(id), storage.ErrNotFound)
}

// load reads one client and keeps it, unless something has changed since the given generation.
func (r *Registry) load(ctx context.Context, id string, generation uint64) (*Client, error) {
	// Names that anybody can make up must not take every connection of the pool.
	select {
	case r.loads <- struct{}{}:
		defer func() { <-r.loads }()
	case <-ctx.Done():
		return nil, fmt.Errorf("read client: %w: %w", storage.ErrUnavailable, ctx.Err())
	}
	if p, ok := r.cache.Get(id); ok { // a flight has landed since this one's caller looked
		return p.unpack(), nil
	}
	c, err := r.read(ctx, id)
	switch {
	case err == nil:
		p := c.pack()
		r.keep(generation, func() { r.cache.Add(p.id(), p); r.hot.Add(c.ID, c) })
	case isNotFound(err):
		until := r.cfg.Now().Add(missingTTL)
		r.keep(generation, func() { r.missing.Add(id, until) })
	}
	return c, err
}

// read asks the database for one client.
func (r *Registry) read(ctx context.Context, id string) (*Client, error) {
	row, err := r.cfg.Store.Client(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read client: %w", err)
	}
	return fromRow(row)
}

// keep does what puts something into memory, if nothing has changed since it was read.
func (r *Registry) keep(generation uint64, put func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.generation.Load() == generation {
		put()
	}
}

func (r *Registry) isMissing(id string) bool {
	until, ok := r.missing.Get(id)
	if !ok {
		return false
	}
	left := until.Sub(r.cfg.Now())
	return left > 0 && left <= missingTTL // more: the clock was set back
}

// Changed forgets what has changed; [storage.Store.Watch] calls it. Who asks from now on gets the new state. It does not
// block.
func (r *Registry) Changed(change storage.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation.Add(1)
	clients := change.Kind == storage.ChangeClient || change.Kind == storage.ChangeAll
	switch {
	case clients && change.ID != "":
		r.cache.Remove(change.ID)
		r.hot.Remove(change.ID)
		r.missing.Remove(change.ID)
		r.origins.changed(change.ID)
	case clients:
		r.cache.Purge()
		r.hot.Purge()
		r.missing.Purge()
		r.origins.changedAll()
	}
	if change.Kind == storage.ChangeResources || change.Kind == storage.ChangeAll {
		r.resources.Store(nil)
	}
}
