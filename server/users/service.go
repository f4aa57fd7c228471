package users

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"latchkey/server/internal/audit"
	"latchkey/server/internal/metrics"
	"latchkey/server/password"
	"latchkey/storage"
)

// ErrOverload: too many password checks at once. Trying again later may succeed.
var ErrOverload = password.ErrOverload

// Config configures a Service.
type Config struct {
	Store Store
	// Directory is nil if the accounts are in the Store.
	Directory Directory
	// AccountURL is the page on which people change their account in the Directory; empty if it is not known.
	AccountURL string
	// Hasher is the pool that checks passwords; nil makes one with Argon2.
	Hasher *password.Hasher
	Argon2 password.Argon2
	// KeepHashes leaves a hash of another format or cost as it is at a login. Those in the Directory always stay.
	KeepHashes bool
	// Now returns the current time; nil means time.Now.
	Now func() time.Time
	// ThrottleKey keys the MACs of names and addresses. It has at least 32 bytes, the same for all replicas. Commands that don't
	// authenticate users don't need it.
	ThrottleKey []byte
	// Names are those that a login may give.
	Names storage.LoginNames
	// Throttle limits password guesses. If false they are unlimited.
	Throttle bool
	// Breached reports whether a password is known from a data breach; nil = that is not looked up.
	Breached func(context.Context, storage.Secret) (bool, error)
	// Notices returns the logout notices for the clients of a user's browser sessions (OpenID Connect Back-Channel Logout 1.0), and Noticed is called
	// once they are stored. Nil: no client is notified.
	Notices func(ctx context.Context, userID int64) ([]*storage.LogoutNotice, error)
	Noticed func()
	// Alerts means that letters are sent, which notify users of new passwords.
	Alerts bool
	// Metrics may be nil.
	Metrics *metrics.Metrics
}

// Service adds, changes and authenticates users.
type Service struct {
	cfg    Config
	audit  *audit.Log
	decoys decoys
	noise  limiter
}

// New returns a Service. It panics if Throttle is on and the key is short: then names and addresses could be recovered.
func New(cfg Config) *Service {
	if cfg.Throttle && len(cfg.ThrottleKey) < 32 {
		panic("users: throttling needs a key of 32 bytes")
	}
	if len(cfg.ThrottleKey) == 0 {
		cfg.ThrottleKey = make([]byte, 32)
		rand.Read(cfg.ThrottleKey)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Hasher == nil {
		cfg.Hasher = password.NewHasher(password.Config{Argon2: cfg.Argon2, Metrics: cfg.Metrics})
	}
	if cfg.Notices == nil {
		cfg.Notices = func(context.Context, int64) ([]*storage.LogoutNotice, error) { return nil, nil }
	}
	if cfg.Noticed == nil {
		cfg.Noticed = func() {}
	}
	s := &Service{cfg: cfg, audit: &audit.Log{Store: cfg.Store, Metrics: cfg.Metrics, Now: cfg.Now}}
	s.noise.bucket = rate.NewLimiter(noiseRate, noiseBurst)
	s.decoys.init(cfg.Store, cfg.Directory, cfg.Hasher)
	return s
}

// Run measures what the stored password hashes cost, until ctx ends; it returns ctx's error then. Every server calls it
// once. Without it an unknown name takes the time of a new hash.
func (s *Service) Run(ctx context.Context) error { return s.decoys.run(ctx) }

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// LoginEvent returns the audit event of a login that leads to a grant. It is written together with that grant.
func (s *Service) LoginEvent(ctx context.Context, u *storage.User, clientID string, grant storage.ID) *storage.AuditEvent {
	e := s.event(ctx, "login_succeeded", "user", u.ID)
	e.ClientID, e.GrantID = clientID, grant
	return e
}

func (s *Service) event(ctx context.Context, action, actor string, userID int64) *storage.AuditEvent {
	e := s.audit.Event(ctx, action, actor)
	e.UserID = userID
	return e
}

// limiter bounds the audit events of failed attempts, since attackers choose how often they happen: from one network (an IPv4 /24 or an
// IPv6 /48) a hundred at once and then one every ten seconds, and in all a thousand at once and then one a second, per process. It counts
// those that were not written.
type limiter struct {
	bucket *rate.Limiter

	mu         sync.Mutex
	suppressed int
	networks   map[string]*rate.Limiter
	throttled  map[storage.Digest]time.Time
}

const (
	noiseBurst        = 1000
	noiseRate         = 1 // a second
	noiseNetworkBurst = 100
	noiseNetworkRate  = .1
	// noiseNetworks bounds the memory; beyond it all networks begin anew, within the limit of all.
	noiseNetworks = 10_000
	// throttledMax bounds the accounts that are remembered as being reported.
	throttledMax = 4096
)

// allow reports whether one more event may be written, and how many were suppressed since the last one.
func (l *limiter) allow(network string, now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.networks == nil || len(l.networks) >= noiseNetworks {
		l.networks = make(map[string]*rate.Limiter)
	}
	own := l.networks[network]
	if own == nil {
		own = rate.NewLimiter(noiseNetworkRate, noiseNetworkBurst)
		l.networks[network] = own
	}
	if !own.AllowN(now, 1) || !l.bucket.AllowN(now, 1) {
		l.suppressed++
		return 0, false
	}
	suppressed, l.suppressed = l.suppressed, 0
	return suppressed, true
}

// first reports whether this is the first throttled attempt on the account for an hour.
func (l *limiter) first(account storage.Digest, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.throttled[account]; ok && now.Sub(at) < time.Hour {
		return false
	}
	if l.throttled == nil || len(l.throttled) >= throttledMax {
		l.throttled = make(map[storage.Digest]time.Time)
	}
	l.throttled[account] = now
	return true
}

// ErrCredentials: unknown user, wrong password, inactive user or no password. It never reveals which.
var ErrCredentials = errors.New("no active user with these credentials")
