package password

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"latchkey/server/internal/metrics"
	"latchkey/storage"
)

// ErrOverload: no worker became free in time. Nothing was computed; trying again later may succeed.
var ErrOverload = errors.New("too many password checks at once")

// slotMemory is the memory that goes with a slot of the pool, unless one hash of ours takes more.
const slotMemory = 64 << 20

// queuePerWorker bounds the checks that wait. A worker does about 40 of the default cost in a second; what stands behind
// more than that would wait in vain.
const queuePerWorker = 128

// Config says how a Hasher works; the zero value is a good one.
type Config struct {
	// Argon2 is the cost of new hashes; zero means DefaultArgon2.
	Argon2 Argon2
	// Workers is how many cores hash at the same time. Zero means all but one, at least one: the scheduler lets a
	// computation run for 10 ms at a stretch, and with all cores taken a refresh would wait for that at each of its steps.
	Workers int
	// MaxWait is the longest wait for a worker; zero means a second.
	MaxWait time.Duration
	// Metrics may be nil.
	Metrics *metrics.Metrics
	// Observe, when set, is told of each computation: what it cost and how long it took.
	Observe func(Cost, time.Duration)

	// freeMemory stands in for debug.FreeOSMemory in tests.
	freeMemory func()
}

// Hasher computes and verifies password hashes. No more than Workers cores compute at once, and what the computations
// hold in memory stays below Workers times 64 MiB (or the memory of one hash of the preferred cost, if that is more);
// a hash that needs more than all of that is computed alone. After some seconds without a computation that memory is
// given back to the operating system.
type Hasher struct {
	cfg     Config
	pool    *semaphore.Weighted
	perSlot int
	waiting atomic.Int64
	idle    *time.Timer
}

// NewHasher makes a Hasher.
func NewHasher(cfg Config) *Hasher {
	if cfg.Argon2 == (Argon2{}) {
		cfg.Argon2 = DefaultArgon2
	}
	if cfg.Workers <= 0 {
		cfg.Workers = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if cfg.MaxWait <= 0 {
		cfg.MaxWait = time.Second
	}
	return &Hasher{
		cfg:     cfg,
		pool:    semaphore.NewWeighted(int64(cfg.Workers)),
		perSlot: max(slotMemory, cfg.Argon2.cost().memory()),
		idle:    newIdleTimer(cfg.freeMemory),
	}
}

// Preferred is the cost of new hashes.
func (h *Hasher) Preferred() Cost { return h.cfg.Argon2.cost() }

// Hash gives the PHC string of a password, with a salt of its own. Errors: ErrOverload, ctx's.
func (h *Hasher) Hash(ctx context.Context, password storage.Secret) (string, error) {
	if err := h.acquire(ctx, h.Preferred()); err != nil {
		return "", err
	}
	defer h.release(h.Preferred())
	return h.hash(password)
}

// TryHash is Hash when a worker is free and nobody waits, else false at once.
func (h *Hasher) TryHash(password storage.Secret) (string, bool) {
	if !h.pool.TryAcquire(h.weight(h.Preferred())) {
		return "", false
	}
	defer h.release(h.Preferred())
	encoded, err := h.hash(password)
	return encoded, err == nil
}

func (h *Hasher) hash(password storage.Secret) (string, error) {
	started := time.Now()
	fresh := hashed{Cost: h.Preferred(), salt: make([]byte, 16)} // RFC 9106 §3.1: 16 bytes of salt, 32 of tag
	rand.Read(fresh.salt)
	tag, err := fresh.derive(password.Reveal(), fresh.salt, 32)
	fresh.tag = tag
	h.observe(h.Preferred(), time.Since(started))
	return fresh.phc(), err
}

// Verify tells whether encoded is a hash of the password, and whether it should be replaced by one of Hash: when
// algorithm or parameters are not the preferred ones. Also when they are more expensive: then the operator has lowered
// them, and means it; the memory of a login is what the configuration says, and accounts of unequal cost can be told
// apart by the time they take.
//
// A string that can't verify is worth one computation of the preferred cost and false.
// Errors: ErrOverload, ctx's. Then nothing was computed.
func (h *Hasher) Verify(ctx context.Context, password storage.Secret, encoded string) (ok, needsRehash bool, err error) {
	parsed, err := parse(encoded)
	if err != nil || parsed.Algorithm == unusable {
		return false, false, h.Burn(ctx, password, h.Preferred())
	}
	ok, _, err = h.compare(ctx, password, parsed)
	return ok, ok && (parsed.Cost != h.Preferred() || len(parsed.salt) < 16 || len(parsed.tag) < 32), err
}

// Burn does the work of Verify with a hash of the given cost that nothing matches.
func (h *Hasher) Burn(ctx context.Context, password storage.Secret, cost Cost) error {
	_, _, err := h.compare(ctx, password, decoy(cost))
	return err
}

// Measure does the work of Verify and says how long it took, without the wait for a worker.
func (h *Hasher) Measure(ctx context.Context, cost Cost) (time.Duration, error) {
	_, took, err := h.compare(ctx, "measured", decoy(cost))
	return took, err
}

func (h *Hasher) compare(ctx context.Context, password storage.Secret, parsed hashed) (ok bool, took time.Duration, err error) {
	if err := h.acquire(ctx, parsed.Cost); err != nil {
		return false, 0, err
	}
	defer h.release(parsed.Cost)
	started := time.Now()
	ok, err = parsed.matches(password.Reveal())
	took = time.Since(started)
	h.observe(parsed.Cost, took)
	if err != nil {
		return false, took, fmt.Errorf("verify a password: %w", err)
	}
	return ok, took, nil
}

func (h *Hasher) observe(cost Cost, took time.Duration) {
	if h.cfg.Observe != nil {
		h.cfg.Observe(cost, took)
	}
}

// weight is how many slots a computation takes: its cores or its share of the memory, whichever is more.
func (h *Hasher) weight(c Cost) int64 {
	slots := max(c.lanes(), (c.memory()+h.perSlot-1)/h.perSlot, 1)
	return int64(min(slots, h.cfg.Workers))
}

// acquire waits for its turn, first come first served.
func (h *Hasher) acquire(ctx context.Context, c Cost) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if h.pool.TryAcquire(h.weight(c)) {
		h.observeWait(0)
		return nil
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > int64(queuePerWorker*h.cfg.Workers) {
		return ErrOverload
	}
	if m := h.cfg.Metrics; m != nil {
		m.PasswordQueue.Inc()
		defer m.PasswordQueue.Dec()
	}
	started := time.Now()
	limited, cancel := context.WithTimeout(ctx, h.cfg.MaxWait)
	defer cancel()
	err := h.pool.Acquire(limited, h.weight(c))
	h.observeWait(time.Since(started))
	if err != nil && ctx.Err() == nil {
		return ErrOverload
	}
	return err
}

func (h *Hasher) observeWait(d time.Duration) {
	if m := h.cfg.Metrics; m != nil {
		m.PasswordWait.Observe(d.Seconds())
	}
}

func (h *Hasher) release(c Cost) {
	if c.memory() > 0 {
		h.idle.Reset(idleTime)
	}
	h.pool.Release(h.weight(c))
}
