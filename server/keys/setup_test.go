package keys_test

import (
	"context"
	"crypto/rand"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/server/keys"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
)

const (
	overlap     = time.Hour
	maxTokenTTL = 24 * time.Hour
	rotateEvery = 90 * 24 * time.Hour
	skew        = time.Minute // what a key stays longer, for clocks that differ
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// store is a real one that can go away and counts what is read.
type store struct {
	storage.Store
	away  atomic.Bool
	lists atomic.Int64
}

func (s *store) ListSigningKeys(ctx context.Context) ([]*storage.SigningKey, error) {
	s.lists.Add(1)
	if s.away.Load() {
		return nil, storage.ErrUnavailable
	}
	return s.Store.ListSigningKeys(ctx)
}

type bundle struct {
	*testing.T
	clock *testclock.Clock
	store *store
	ttl   atomic.Int64 // the longest token life now
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{T: t, clock: testclock.New(epoch), store: &store{Store: sqlitetest.SQLite(t)}}
	b.ttl.Store(int64(maxTokenTTL))
	return b
}

func secret(letter string) storage.Secret { return storage.Secret(strings.Repeat(letter, 32)) }

// ring makes a replica: with the secret "a" when none are named.
func (b *bundle) ring(secrets ...storage.Secret) *keys.Ring {
	b.Helper()
	if len(secrets) == 0 {
		secrets = []storage.Secret{secret("a")}
	}
	root, err := keys.NewRoot(secrets[0], secrets[1:]...)
	if err != nil {
		b.Fatal(err)
	}
	return keys.NewRing(keys.RingConfig{
		Store: b.store, Root: root, Now: b.clock.Now,
		MaxTokenTTL: func() time.Duration { return time.Duration(b.ttl.Load()) },
		RotateEvery: rotateEvery, Overlap: overlap,
	})
}

// loaded is a replica that has just started.
func (b *bundle) loaded(secrets ...storage.Secret) *keys.Ring {
	b.Helper()
	r := b.ring(secrets...)
	if err := r.Load(b.Context()); err != nil {
		b.Fatalf("load: %v", err)
	}
	return r
}

func (b *bundle) signer(r *keys.Ring, alg string) *keys.Signer {
	b.Helper()
	s, err := r.Signer(b.Context(), alg)
	if err != nil {
		b.Fatalf("signer: %v", err)
	}
	return s
}

// token is something signed.
type token struct {
	kid, alg    string
	input, sign []byte
}

func (b *bundle) sign(r *keys.Ring, alg string) token {
	b.Helper()
	s := b.signer(r, alg)
	input := []byte("header." + rand.Text())
	signature, err := s.Sign(input)
	if err != nil {
		b.Fatalf("sign: %v", err)
	}
	return token{s.KID, s.Algorithm, input, signature}
}

func (t token) verify(r *keys.Ring) error {
	_, err := r.Verify(t.kid, t.alg, t.input, t.sign)
	return err
}

func (b *bundle) rows() []*storage.SigningKey {
	b.Helper()
	rows, err := b.store.Store.ListSigningKeys(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return rows
}

// states maps the keys of a replica to where they are in their lives.
func states(r *keys.Ring) map[string]keys.KeyState {
	m := map[string]keys.KeyState{}
	for _, k := range r.List() {
		m[k.KID] = k.State
	}
	return m
}

// audit lists the actions that were written, oldest first.
func (b *bundle) audit() []string {
	b.Helper()
	events, err := b.store.ListAudit(b.Context(), storage.AuditFilter{Limit: 100})
	if err != nil {
		b.Fatal(err)
	}
	var actions []string
	for i := range events {
		actions = append(actions, events[len(events)-1-i].Action)
	}
	return actions
}
