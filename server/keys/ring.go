package keys

import (
	"context"
	"crypto/rsa"
	"encoding/json"
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
	// ErrUnknownKey means that the key set has no key with this kid.
	ErrUnknownKey = errors.New("unknown signing key")
	// ErrSignature means that the signature is invalid, or that the algorithm is not the key's.
	ErrSignature = errors.New("invalid signature")
)

// Store is the part of storage.Store that a Ring uses.
type Store interface {
	storage.SigningKeys
	AppendAudit(ctx context.Context, events ...*storage.AuditEvent) error
	Clock(ctx context.Context) (time.Time, error)
}

// RingConfig configures a Ring.
type RingConfig struct {
	Store Store
	Root  *Root
	Now   func() time.Time
	// GenerateRSA makes the RSA keys; nil means rsa.GenerateKey.
	GenerateRSA func() (*rsa.PrivateKey, error)
	// MaxTokenTTL returns the longest lifetime of a token that is signed now: a key stays in the key set that long after it
	// has stopped signing.
	MaxTokenTTL func() time.Duration
	// RotateEvery is the age at which Maintain replaces a key; zero means DefaultRotateEvery.
	RotateEvery time.Duration
	// Overlap is how long a new key is published before it signs; zero means DefaultOverlap. The key set may be
	// cached for no more than half of it.
	Overlap time.Duration
	// Published are public keys that are in the key set besides those of the ring, which neither signs nor verifies with them.
	Published []json.RawMessage
}

// Ring holds the signing keys of all algorithms in memory. Signer, Verify and JWKS take no lock and make no round trip
// once a key is there. Any number of rings, in any number of processes, may work on one database.
type Ring struct {
	cfg     RingConfig
	current atomic.Pointer[snapshot]
	// turn is a lock, held while the ring reads or changes the database, so that an older read never replaces a newer one.
	// It is a channel, so that waiting for it can end with the context.
	turn chan struct{}
	// unknown guards reloads for unknown kids.
	unknown  chan *unknownReload
	verified remembered
}

// NewRing returns a ring without keys; Load reads them.
func NewRing(cfg RingConfig) *Ring {
	if cfg.RotateEvery <= 0 {
		cfg.RotateEvery = DefaultRotateEvery
	}
	if cfg.Overlap <= 0 {
		cfg.Overlap = DefaultOverlap
	}
	if cfg.GenerateRSA == nil {
		cfg.GenerateRSA = generateRSA
	}
	r := &Ring{cfg: cfg, turn: make(chan struct{}, 1), unknown: make(chan *unknownReload, 1), verified: newRemembered()}
	r.current.Store(&snapshot{})
	r.unknown <- &unknownReload{}
	return r
}

// Load reads all keys. If it returns ErrUnsealed, the keys are loaded but some of them can't sign: a server must not
// start in that state, but continues to work if it occurs later.
func (r *Ring) Load(ctx context.Context) error {
	done, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	return r.load(ctx)
}

// Loaded reports whether there are keys.
func (r *Ring) Loaded() bool { return len(r.current.Load().keys) > 0 }

// take acquires the lock turn; done releases it.
func (r *Ring) take(ctx context.Context) (done func(), err error) {
	select {
	case r.turn <- struct{}{}:
		return func() { <-r.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("signing keys: %w: %w", storage.ErrUnavailable, ctx.Err())
	}
}

// load is Load for callers that hold turn.
func (r *Ring) load(ctx context.Context) error {
	rows, err := r.cfg.Store.ListSigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	next, err := readSnapshot(rows, r.current.Load(), r.cfg.Root, r.cfg.Now())
	r.current.Store(next)
	return err
}

// Signer returns the current signer of an algorithm, and creates the first key if there is none.
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

// Verify checks a signature with the key kid. The token's algorithm must be the key's (RFC 8725 §3.1). It never reads the
// database.
func (r *Ring) Verify(kid, alg string, signingInput, signature []byte) (*Verified, error) {
	k := r.current.Load().byKID[kid]
	if k == nil || !k.published(r.cfg.Now()) {
		return nil, ErrUnknownKey
	}
	if k.row.Algorithm == alg {
		if v := r.verified.verify(kid, alg, k, signingInput, signature); v != nil {
			return v, nil
		}
	}
	return nil, ErrSignature
}

// unknownEvery is how often an unknown kid may cause a read of the database.
const unknownEvery = 5 * time.Second

// unknownTimeout limits that read.
const unknownTimeout = 3 * time.Second

// unknownReload is the last read that an unknown kid caused.
type unknownReload struct {
	at  time.Time
	err error
}

// VerifyContext is Verify, but reads the keys again if the kid is unknown, since another replica may have just created
// the key. Made-up kids cause at most one read per unknownEvery. If the database is unavailable it returns
// storage.ErrUnavailable, since the key may exist.
func (r *Ring) VerifyContext(ctx context.Context, kid, alg string, signingInput, signature []byte) (*Verified, error) {
	v, err := r.Verify(kid, alg, signingInput, signature)
	if !errors.Is(err, ErrUnknownKey) || !plausibleKID(kid) || r.current.Load().byKID[kid] != nil {
		return v, err
	}
	if err := r.reloadForUnknown(ctx, kid); err != nil {
		return nil, err
	}
	return r.Verify(kid, alg, signingInput, signature)
}

// reloadForUnknown reads the keys again. Concurrent callers share one read.
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
	// If the clock was set back, age is negative; that must not suppress reloads.
	if age := now.Sub(last.at); age >= 0 && age < unknownEvery {
		return last.err
	}
	// Other requests wait for this read, so it is not cancelled with the request that makes it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unknownTimeout)
	defer cancel()
	err := r.Load(ctx)
	if !errors.Is(err, storage.ErrUnavailable) {
		err = nil // a key that can't be unsealed can still verify
	}
	last = &unknownReload{at: now, err: err}
	return err
}

// plausibleKID reports whether kid has the form of an RFC 7638 thumbprint (SHA-256, base64url).
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
