package registry_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// store is a real one that can go away, counts what is read, and can be held up.
type store struct {
	storage.Store
	away        atomic.Bool
	reads       atomic.Int64
	origins     atomic.Int64
	resources   atomic.Int64
	afterClient atomic.Pointer[func()] // runs between reading a client and returning it
	afterOrigin atomic.Pointer[func()] // runs between looking up an origin and returning the result
	beforeWrite atomic.Pointer[func()] // runs before a client is updated
}

func (s *store) Client(ctx context.Context, id string) (*storage.Client, error) {
	s.reads.Add(1)
	if s.away.Load() {
		return nil, storage.ErrUnavailable
	}
	c, err := s.Store.Client(ctx, id)
	if hook := s.afterClient.Load(); hook != nil {
		(*hook)()
	}
	if ctx.Err() != nil { // as a driver does that is still at work
		return nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, ctx.Err())
	}
	return c, err
}

func (s *store) UpdateClient(ctx context.Context, c *storage.Client, audit ...*storage.AuditEvent) error {
	if hook := s.beforeWrite.Swap(nil); hook != nil {
		(*hook)()
	}
	return s.Store.UpdateClient(ctx, c, audit...)
}

func (s *store) ClientHasOrigin(ctx context.Context, origin string) (bool, error) {
	s.origins.Add(1)
	if s.away.Load() {
		return false, storage.ErrUnavailable
	}
	known, err := s.Store.ClientHasOrigin(ctx, origin)
	if hook := s.afterOrigin.Swap(nil); hook != nil {
		(*hook)()
	}
	return known, err
}

func (s *store) ListResources(ctx context.Context) ([]*storage.Resource, error) {
	s.resources.Add(1)
	if s.away.Load() {
		return nil, storage.ErrUnavailable
	}
	return s.Store.ListResources(ctx)
}

type bundle struct {
	*testing.T
	clock *testclock.Clock
	store *store
	*registry.Registry
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{T: t, clock: testclock.New(epoch), store: &store{Store: sqlitetest.SQLite(t)}}
	b.Registry = b.registry("a")
	return b
}

// registry makes another one on the same database, as another process would, with the MAC keys of these root secrets.
func (b *bundle) registry(keys ...string) *registry.Registry {
	cfg := registry.Config{Store: b.store, Now: b.clock.Now}
	for _, key := range keys {
		cfg.MACKeys = append(cfg.MACKeys, []byte(strings.Repeat(key, 32)))
	}
	return registry.New(cfg)
}

// add registers a client.
func (b *bundle) add(id string, m clients.Metadata) (*clients.Client, storage.Secret) {
	b.Helper()
	c, secret, err := b.Add(b.Context(), clients.Registration{ID: id, Metadata: m})
	if err != nil {
		b.Fatalf("add client: %v", err)
	}
	return c, secret
}

// find reads a client through a registry.
func (b *bundle) find(r *registry.Registry, id string) *clients.Client {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second) // a test that hangs says nothing
	defer cancel()
	c, err := r.Client(ctx, id)
	if err != nil {
		b.Fatalf("client %q: %v", id, err)
	}
	return c
}

// audit lists the events, oldest first.
func (b *bundle) audit() []*storage.AuditEvent {
	b.Helper()
	events, err := b.store.ListAudit(b.Context(), storage.AuditFilter{Limit: 100})
	if err != nil {
		b.Fatal(err)
	}
	for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
		events[i], events[j] = events[j], events[i]
	}
	return events
}

// changed is what Watch tells.
func changed(id string) storage.Change {
	return storage.Change{Kind: storage.ChangeClient, ID: id}
}

func changedAll() storage.Change { return storage.Change{Kind: storage.ChangeAll} }

// service is valid metadata.
func service() clients.Metadata {
	return clients.Metadata{GrantTypes: []string{"client_credentials"}}
}

func redirecting(applicationType string, uris ...string) clients.Metadata {
	return clients.Metadata{ApplicationType: applicationType, RedirectURIs: uris}
}
