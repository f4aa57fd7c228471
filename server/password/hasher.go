package password

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"time"

	"latchkey/server/internal/metrics"
	"latchkey/storage"
)

// slotMemory is the memory per slot of the pool, unless a hash of the preferred cost needs more.
const slotMemory = 64 << 20

// queuePerWorker limits the waiting checks. A worker does about 40 of the default cost in a second, so checks beyond that
// would time out anyway.
const queuePerWorker = 128

// knownPatience is how many times longer known callers may wait: they come first, so that only other known ones are before them.
const knownPatience = 5

// Config configures a Hasher; the zero value has good defaults.
type Config struct {
	// Argon2 is the cost of new hashes; zero means DefaultArgon2.
	Argon2 Argon2
	// Workers is how many cores hash at the same time. Zero means all but one, at least one: the scheduler lets a
	// computation run for 10 ms at a stretch, and with all cores taken a refresh would wait for that at each of its steps.
	Workers int
	// MaxWait is the longest wait for a worker, of known callers [knownPatience] times as long; zero means a second.
	MaxWait time.Duration
	// Metrics may be nil.
	Metrics *metrics.Metrics
	// Observe, if set, is called after each computation with its cost and duration.
	Observe func(Cost, time.Duration)

	// freeMemory replaces debug.FreeOSMemory in tests.
	freeMemory func()
}

// Hasher computes and verifies password hashes. It uses at most Workers cores at once, and at most Workers times 64 MiB of
// memory (or the memory of one hash of the preferred cost, if that is more); a hash that needs more than that is computed
// alone. After some seconds without a computation the memory is returned to the operating system.
type Hasher struct {
	*pool
	caller Caller
}

type pool struct {
	cfg     Config
	queue   queue
	perSlot int
	idle    *time.Timer
}

// NewHasher returns a Hasher.
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
	return &Hasher{pool: &pool{
		cfg:     cfg,
		queue:   queue{slots: int64(cfg.Workers), longest: queuePerWorker * cfg.Workers},
		perSlot: max(slotMemory, cfg.Argon2.cost().memory()),
		idle:    newIdleTimer(cfg.freeMemory),
	}}
}

// For returns the same pool for a caller, whose network and standing decide about its place in the queue.
func (h *Hasher) For(c Caller) *Hasher { return &Hasher{pool: h.pool, caller: c} }

// Preferred returns the cost of new hashes.
func (h *Hasher) Preferred() Cost { return h.cfg.Argon2.cost() }

// Hash returns the PHC string of a password, with a random salt. Errors: ErrOverload, ctx's.
func (h *Hasher) Hash(ctx context.Context, password storage.Secret) (string, error) {
	if err := h.acquire(ctx, h.Preferred()); err != nil {
		return "", err
	}
	defer h.release(h.Preferred())
	return h.hash(password)
}

// TryHash is Hash if a worker is free and no caller waits; otherwise it returns false at once.
func (h *Hasher) TryHash(password storage.Secret) (string, bool) {
	if !h.queue.tryAcquire(h.weight(h.Preferred())) {
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

// Verify reports whether encoded is a hash of the password, and whether it should be replaced by one of Hash, because its
// algorithm or parameters are not the preferred ones. This includes more expensive parameters: the operator has lowered the
// cost on purpose, and accounts with different costs could be distinguished by the time of a login.
//
// For a string that can't verify it does one computation of the preferred cost and returns false.
// With an error (ErrOverload, ctx's) it has computed nothing.
func (h *Hasher) Verify(ctx context.Context, password storage.Secret, encoded string) (ok, needsRehash bool, err error) {
	parsed, err := parse(encoded)
	if err != nil || parsed.Algorithm == unusable {
		return false, false, h.Burn(ctx, password, h.Preferred())
	}
	ok, _, err = h.compare(ctx, password, parsed)
	return ok, ok && (parsed.Cost != h.Preferred() || len(parsed.salt) < 16 || len(parsed.tag) < 32), err
}

// Burn does the work of Verify with a hash of the given cost that no password matches.
func (h *Hasher) Burn(ctx context.Context, password storage.Secret, cost Cost) error {
	_, _, err := h.compare(ctx, password, decoy(cost))
	return err
}

// Measure does the work of Verify and returns how long it took, without the wait for a worker.
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

// weight returns how many slots a computation takes: its cores or its share of the memory, whichever is more.
func (h *Hasher) weight(c Cost) int64 {
	slots := max(c.lanes(), (c.memory()+h.perSlot-1)/h.perSlot, 1)
	return int64(min(slots, h.cfg.Workers))
}

// acquire waits for slots; see queue for the order.
func (h *Hasher) acquire(ctx context.Context, c Cost) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	started := time.Now()
	place := h.queue.enter(h.caller, h.weight(c), started)
	if place == nil {
		h.observeWait(0)
		return nil
	}
	if m := h.cfg.Metrics; m != nil {
		m.PasswordQueue.Inc()
		defer m.PasswordQueue.Dec()
	}
	longest := h.cfg.MaxWait
	if h.caller.Known {
		longest *= knownPatience
	}
	err := h.queue.wait(ctx, place, longest)
	h.observeWait(time.Since(started))
	return err
}

func (h *Hasher) observeWait(d time.Duration) {
	if m := h.cfg.Metrics; m != nil {
		m.PasswordWait.Observe(d.Seconds())
	}
}

func (h *Hasher) release(c Cost) {
	if c.memory() >= worthFreeing {
		h.idle.Reset(idleTime)
	}
	h.queue.release(h.weight(c))
}
