package keys

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"latchkey/storage"
)

// Defaults of a RingConfig.
const (
	DefaultRotateEvery = 90 * 24 * time.Hour
	DefaultOverlap     = time.Hour
)

// Errors of [Ring.Verify].
var (
	// ErrUnknownKey: no key of this name is in the key set.
	ErrUnknownKey = errors.New("unknown signing key")
	// ErrSignature: the signature is not that of the key, or the algorithm is not the key's own.
	ErrSignature = errors.New("wrong signature")
)

// Store is what a Ring needs of a database.
type Store interface {
	storage.SigningKeys
	AppendAudit(ctx context.Context, events ...*storage.AuditEvent) error
}

// RingConfig says how a Ring keeps its keys.
type RingConfig struct {
	Store Store
	Root  *Root
	Now   func() time.Time
	// MaxTokenTTL is the longest life of a token that is signed now: a key stays in the key set that long after it
	// stopped signing.
	MaxTokenTTL func() time.Duration
	// RotateEvery is the age at which Maintain replaces a key; zero means DefaultRotateEvery.
	RotateEvery time.Duration
	// Overlap is how long a new key is published before it signs; zero means DefaultOverlap. The key set may be
	// cached for no more than half of it.
	Overlap time.Duration
}

// Ring holds the signing keys of all algorithms in memory. Signer, Verify and JWKS take no lock and make no round trip
// once a key is there. Any number of rings, in any number of processes, may work on one database.
type Ring struct {
	cfg     RingConfig
	current atomic.Pointer[snapshot]
	// turn is held while the ring reads or changes the database, so that what was read later replaces what was read
	// earlier and not the other way round. A channel, because waiting for it ends with the context.
	turn chan struct{}
	// unknown guards the reloads that unknown key names cause.
	unknown chan *unknownReload
}

// NewRing makes a ring without keys; Load fills it.
func NewRing(cfg RingConfig) *Ring {
	if cfg.RotateEvery <= 0 {
		cfg.RotateEvery = DefaultRotateEvery
	}
	if cfg.Overlap <= 0 {
		cfg.Overlap = DefaultOverlap
	}
	r := &Ring{cfg: cfg, turn: make(chan struct{}, 1), unknown: make(chan *unknownReload, 1)}
	r.current.Store(&snapshot{})
	r.unknown <- &unknownReload{}
	return r
}

// Load reads all keys. Keys are there afterwards even when it returns ErrUnsealed, but some of them can't sign:
// a server must not start like that, and goes on working when it meets it later.
func (r *Ring) Load(ctx context.Context) error {
	done, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	return r.load(ctx)
}

// take waits for the turn to use the database; done gives it back.
func (r *Ring) take(ctx context.Context) (done func(), err error) {
	select {
	case r.turn <- struct{}{}:
		return func() { <-r.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("signing keys: %w: %w", storage.ErrUnavailable, ctx.Err())
	}
}

// load is Load for who has the turn.
func (r *Ring) load(ctx context.Context) error {
	rows, err := r.cfg.Store.ListSigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	next, err := readSnapshot(rows, r.current.Load(), r.cfg.Root, r.cfg.Now())
	r.current.Store(next)
	return err
}

// Signer gives the key that signs now for an algorithm; it makes the first one when there is none.
func (r *Ring) Signer(ctx context.Context, alg string) (*Signer, error) {
	if k := r.current.Load().signing(alg, r.cfg.Now()); k != nil {
		return k.signer, nil
	}
	if err := r.Ensure(ctx, alg); err != nil {
		return nil, err
	}
	if k := r.current.Load().signing(alg, r.cfg.Now()); k != nil {
		return k.signer, nil
	}
	return nil, fmt.Errorf("algorithm %s: %w", alg, ErrUnsealed)
}

// Verify checks a signature by the key of that name. The algorithm that the token claims must be the key's own:
// RFC 8725 §3.1. It never asks the database.
func (r *Ring) Verify(kid, alg string, signingInput, signature []byte) error {
	k := r.current.Load().byKID[kid]
	switch {
	case k == nil || !k.published(r.cfg.Now()):
		return ErrUnknownKey
	case k.row.Algorithm != alg || !verify(alg, k.public, signingInput, signature):
		return ErrSignature
	}
	return nil
}

// unknownEvery is how often an unknown key name may cause a read of the database.
const unknownEvery = 5 * time.Second

// unknownTimeout ends that read.
const unknownTimeout = 3 * time.Second

// unknownReload remembers the last read that an unknown key name caused.
type unknownReload struct {
	at  time.Time
	err error
}

// VerifyContext is Verify, but it reads the keys again when the name is unknown, since another replica may have made
// that key a moment ago. Names that anybody can make up cause one read in some seconds and no more.
// A database that is away is storage.ErrUnavailable, since then nothing is known about the key.
func (r *Ring) VerifyContext(ctx context.Context, kid, alg string, signingInput, signature []byte) error {
	err := r.Verify(kid, alg, signingInput, signature)
	if !errors.Is(err, ErrUnknownKey) || !plausibleKID(kid) || r.current.Load().byKID[kid] != nil {
		return err
	}
	if err := r.reloadForUnknown(ctx, kid); err != nil {
		return err
	}
	return r.Verify(kid, alg, signingInput, signature)
}

// reloadForUnknown makes callers wait for the read that one of them makes.
func (r *Ring) reloadForUnknown(ctx context.Context, kid string) error {
	var last *unknownReload
	select {
	case last = <-r.unknown:
	case <-ctx.Done():
		return fmt.Errorf("signing keys: %w: %w", storage.ErrUnavailable, ctx.Err())
	}
	defer func() { r.unknown <- last }()

	now := r.cfg.Now()
	if r.current.Load().byKID[kid] != nil {
		return nil
	}
	// A clock that was set back must not silence the reloads: age is negative then.
	if age := now.Sub(last.at); age >= 0 && age < unknownEvery {
		return last.err
	}
	// The read serves everybody who waits, so it does not end with the one request that happens to make it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unknownTimeout)
	defer cancel()
	err := r.Load(ctx)
	if !errors.Is(err, storage.ErrUnavailable) {
		err = nil // a key that can't be unsealed verifies all the same
	}
	last = &unknownReload{at: now, err: err}
	return err
}

// plausibleKID tells an RFC 7638 thumbprint (SHA-256, base64url) from other text.
func plausibleKID(kid string) bool {
	if len(kid) != 43 {
		return false
	}
	for _, c := range []byte(kid) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
