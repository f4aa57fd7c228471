package registry

import (
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"sync/atomic"
	"time"

	"latchkey/clients"
	"latchkey/clients/document"
	"latchkey/storage"
)

// Defaults of a Config.
const (
	// DefaultSize is how many clients a Registry keeps in memory.
	DefaultSize = 20_000
	// DefaultMaxUnused is how many clients that were registered openly may wait for their first user.
	DefaultMaxUnused = 10_000
)

// originsSize is how many origins of browsers are kept in memory.
const originsSize = 4096

// Store is what a Registry needs of a database.
type Store interface {
	storage.Clients
	storage.Resources
	storage.RegistrationTokens
}

// Config is the configuration of a Registry.
type Config struct {
	Store Store
	// MACKeys are the keys of client secrets: the first makes MACs, all of them verify. At least one.
	MACKeys [][]byte
	Now     func() time.Time
	// Size is how many clients are kept in memory; zero means DefaultSize.
	Size int
	// MaxUnused is how many clients that were registered openly may wait for their first user; zero means
	// DefaultMaxUnused.
	MaxUnused int
	// Schemes are the private-use schemes without a dot that redirect URIs may have; nil means those of clients.RedirectSchemes.
	Schemes []string
	// Scopes are those that every resource server has: of OpenID Connect, and the operator's own. A client that registers itself gets
	// these and those of the protected resources, and no others; nil means any.
	Scopes []string
	// Documents configures clients whose client_id is the URL of their metadata document.
	Documents document.Policy
	// Fetcher fetches metadata documents. Without one they are not accepted.
	Fetcher document.Fetcher
	// Limited returns an event of what a client did to itself, or nil if it may not be written; by default it may.
	Limited func(context.Context, *storage.AuditEvent) *storage.AuditEvent
	// Stamp, if not nil, adds to an event of a change by an operator what the context says of the caller that asked for it.
	Stamp func(context.Context, *storage.AuditEvent)
	// Actor is who makes changes through this registry, for the audit events; empty means "operator".
	Actor string
}

// Registry finds and changes clients and protected resources. What it has read it keeps until [Registry.Changed] reports a
// change. It is safe for concurrent use.
type Registry struct {
	cfg       Config
	clients   *cache[*clients.Client]
	origins   *cache[bool]
	resources *cache[[]*storage.Resource]
	documents *document.Source
	selfKeys  [][]byte

	hits, misses atomic.Uint64
}

// New returns a registry with nothing in memory.
func New(cfg Config) *Registry {
	if cfg.Size <= 0 {
		cfg.Size = DefaultSize
	}
	if cfg.MaxUnused <= 0 {
		cfg.MaxUnused = DefaultMaxUnused
	}
	cfg.Documents.Schemes = cfg.Schemes
	cfg.Actor = cmp.Or(cfg.Actor, "operator")
	r := &Registry{cfg: cfg, selfKeys: selfKeys(cfg.MACKeys)}
	r.clients = newCache(cfg.Size, cfg.Now, r.readClient)
	r.origins = newCache(originsSize, cfg.Now, r.readOrigin)
	r.resources = newCache(1, cfg.Now, r.readResources)
	if cfg.Fetcher != nil {
		r.documents = document.NewSource(cfg.Documents, cfg.Fetcher, cfg.Now)
	}
	return r
}

// CacheStats counts the look-ups of clients.
type CacheStats struct {
	Hits, Misses uint64
	Size         int
}

// Stats returns how often a client was in memory, how often not, and how many are.
func (r *Registry) Stats() CacheStats {
	return CacheStats{Hits: r.hits.Load(), Misses: r.misses.Load(), Size: r.clients.known.Len()}
}

// Client returns a client, from memory or the database. storage.ErrNotFound; storage.ErrUnavailable: it is not in memory and
// the database is unavailable. Clients in memory stay usable meanwhile.
func (r *Registry) Client(ctx context.Context, id string) (*clients.Client, error) {
	if c, ok := r.clients.known.Get(id); ok {
		r.hits.Add(1)
		return c, nil
	}
	r.misses.Add(1)
	if !clients.ValidID(id) {
		return nil, errUnknown(id)
	}
	c, err := r.clients.load(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read client %.200q: %w", id, err)
	}
	return c, nil
}

func (r *Registry) readClient(ctx context.Context, id string) (*clients.Client, error) {
	row, err := r.cfg.Store.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	return clients.FromRow(row)
}

func errUnknown(id string) error { return fmt.Errorf("client %.200q: %w", id, storage.ErrNotFound) }

// Changed forgets what has changed; [storage.Store.Watch] calls it. Later callers get the new state. It does not block.
func (r *Registry) Changed(change storage.Change) {
	if change.Kind == storage.ChangeClient || change.Kind == storage.ChangeAll {
		r.clients.forget(change.ID)
		r.origins.forget("")
	}
	if change.Kind == storage.ChangeResources || change.Kind == storage.ChangeAll {
		r.resources.forget("")
	}
}

// isMAC reports whether one of two MACs is of a secret, in constant time. A zero MAC is of none.
func (r *Registry) isMAC(id string, secret storage.Secret, mac, other storage.Digest) bool {
	good := 0
	for _, key := range r.cfg.MACKeys {
		own := secretMAC(key, id, secret)
		good |= subtle.ConstantTimeCompare(own[:], mac[:])
		good |= subtle.ConstantTimeCompare(own[:], other[:])
	}
	return good == 1
}

// CheckSecret reports whether a secret is valid for the client now. It is false for a client without a secret, an empty
// secret and a nil client (an unknown one), after the same work.
func (r *Registry) CheckSecret(c *clients.Client, secret storage.Secret) bool {
	known := c != nil && secret != ""
	if c == nil {
		c = &clients.Client{}
	}
	var previous storage.Digest
	if r.cfg.Now().Before(c.PreviousSecretExpiresAt) {
		previous = c.PreviousSecretMAC
	}
	return r.isMAC(c.ID, secret, c.SecretMAC, previous) && known && c.UsesSecret()
}
