package server

import (
	"log/slog"
	"net/netip"
	"time"

	"latchkey/clients"
	"latchkey/server/keys"
	"latchkey/storage"
)

// Config is what a server is made of. Every value is checked and its default filled in by who makes it (cmd/latchkey,
// servertest); New checks only what would be unsafe to miss.
type Config struct {
	// Listen and AdminListen are host:port; an empty AdminListen means no admin listener.
	Listen      string
	AdminListen string
	// Issuer is the issuer identifier (RFC 8414 §2), without a slash at its end.
	Issuer string

	Store  storage.Store
	Root   *keys.Root
	Logger *slog.Logger
	Now    func() time.Time

	TrustedProxies []netip.Prefix
	// CORSOrigins are browser origins allowed besides those of registered clients;
	// AllowLoopbackOrigins adds every http origin on a loopback host.
	CORSOrigins          []string
	AllowLoopbackOrigins bool

	AccessTokenTTL      time.Duration
	RefreshTokenTTL     time.Duration
	RefreshTokenIdleTTL time.Duration

	LoginThrottle bool
	// Argon2 is the cost of new password hashes, as "m=19456,t=2,p=1".
	Argon2 string

	// AnyResource lets clients without a list of their own ask for any resource (RFC 8707).
	AnyResource bool
	// Registration is off, token or open (RFC 7591).
	Registration string

	SimpleJWT SimpleJWT
}

// SimpleJWT configures the compatibility routes; the names are those of djangorestframework-simplejwt's settings.
type SimpleJWT struct {
	Enabled   bool
	Algorithm string // HS256, HS384, HS512, RS256, …, ES256, EdDSA
	// SigningKey is for HS*; empty means a key derived from the root secret. When it is set, refresh tokens that
	// Django signed with it are accepted.
	SigningKey           storage.Secret
	AccessTokenLifetime  time.Duration
	RefreshTokenLifetime time.Duration
	Compat               string // "5.2" or "5.5"
	Rotation             clients.Rotation
	RotationOverlap      *time.Duration // nil: 10 s for confirmed, 0 for strict
	OnReuse              clients.OnReuse
	UserIDClaim          string
	UserIDInteger        bool
	Issuer               string
	Audience             string
	Leeway               time.Duration
}
