package session

import (
	"cmp"
	"context"
	"slices"
	"time"

	"latchkey/clients/registry"
	"latchkey/server/internal/audit"
	"latchkey/server/users"
	"latchkey/storage"
)

// CookieName is that of the session cookie. Its prefix makes a browser refuse it unless it comes over TLS (or from this
// machine), from this very host and for all of its paths, so that no other host of the domain can plant one
// (RFC 6265bis §4.1.3.2).
const CookieName = "__Host-latchkey_session"

// The default lengths of a session.
const (
	DefaultTTL         = 24 * time.Hour
	DefaultIdleTTL     = 8 * time.Hour
	DefaultRememberTTL = 30 * 24 * time.Hour
)

// seenEvery is how often LastSeenAt is updated. The idle end comes early by at most that.
const seenEvery = time.Minute

// Store is the part of storage.Store that browser sessions need.
type Store interface {
	storage.BrowserSessions
	ListGrants(ctx context.Context, f storage.GrantFilter) ([]*storage.LiveGrant, error)
	UserBySubject(ctx context.Context, subject string) (*storage.User, error)
}

// Config configures a Manager.
type Config struct {
	Store Store
	// Users ends the sessions of a user.
	Users *users.Service
	Audit *audit.Log
	// Clients are looked up for their back-channel logout URLs.
	Clients *registry.Registry
	// Keys key the MACs of the cookies: the first makes, all find. At least one, each of at least 32 bytes, the same for all
	// replicas.
	Keys [][]byte
	// TTL is the absolute end, IdleTTL the idle one; RememberTTL is the absolute end of a session that has no idle one.
	// Zero means the default.
	TTL, IdleTTL, RememberTTL time.Duration
	// SecondFactors means that logins ask those who have a second factor for it.
	SecondFactors bool
	// NeedsSecondFactor means that a session whose login had no second factor is none, such as one from before the operator required it.
	NeedsSecondFactor bool
	// Now returns the current time; nil means time.Now.
	Now func() time.Time
	// Noticed, if not nil, is called after logout notices were stored, so that they are sent at once.
	Noticed func()
}

// Manager begins, finds and ends browser sessions.
type Manager struct{ cfg Config }

// New returns a Manager. It panics without a key or if one is short: then write access to the database would suffice to sign in.
func New(cfg Config) *Manager {
	if len(cfg.Keys) == 0 || slices.ContainsFunc(cfg.Keys, func(key []byte) bool { return len(key) < 32 }) {
		panic("session: the MACs of cookies need keys of 32 bytes")
	}
	cfg.TTL = cmp.Or(cfg.TTL, DefaultTTL)
	cfg.IdleTTL = cmp.Or(cfg.IdleTTL, DefaultIdleTTL)
	cfg.RememberTTL = cmp.Or(cfg.RememberTTL, DefaultRememberTTL)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Noticed == nil {
		cfg.Noticed = func() {}
	}
	return &Manager{cfg: cfg}
}

// Now returns the time by which sessions are judged, in UTC and whole microseconds.
func (m *Manager) Now() time.Time { return m.cfg.Now().UTC().Truncate(time.Microsecond) }

// RememberTTL returns how long a session lasts if the user wants to be remembered.
func (m *Manager) RememberTTL() time.Duration { return m.cfg.RememberTTL }
