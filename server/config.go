package server

import (
	"cmp"
	"context"
	"crypto/rsa"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"latchkey/clients"
	"latchkey/clients/document"
	"latchkey/server/admin"
	"latchkey/server/claims"
	"latchkey/server/factors"
	"latchkey/server/internal/safehttp"
	"latchkey/server/keys"
	"latchkey/server/mail"
	"latchkey/server/selfhelp"
	"latchkey/server/simplejwt"
	"latchkey/server/users"
	"latchkey/server/web/look"
	"latchkey/server/writeback"
	"latchkey/storage"
)

// Config configures a Server. The caller of New (cmd/latchkey, servertest) checks the values and fills in the defaults; New
// checks only what would be unsafe to miss.
type Config struct {
	// Listen and AdminListen are host:port; an empty AdminListen means no admin listener.
	Listen      string
	AdminListen string
	// Issuer is the issuer identifier (RFC 8414 §2), without a slash at its end.
	Issuer string

	Store storage.Store
	// Release and Schema are the version of this build and of its newest migration, for operators.
	Release string
	Schema  int64
	// Prepare, unless nil, checks or makes the schema of the database. It runs before anything else is read; an error that is not
	// storage.ErrUnavailable ends Run.
	Prepare func(context.Context) error
	Root    *keys.Root
	// GenerateRSA makes the RSA signing keys; nil means rsa.GenerateKey. Tests share them: making one takes longer than most tests.
	GenerateRSA func() (*rsa.PrivateKey, error)
	Logger      *slog.Logger
	Now         func() time.Time

	TrustedProxies []netip.Prefix
	// CORSOrigins are browser origins allowed besides those of registered clients;
	// AllowLoopbackOrigins adds every http origin on a loopback host.
	CORSOrigins          []string
	AllowLoopbackOrigins bool
	// CORSCredentials lets pages of CORSOrigins send credentials, as libraries do that are configured for it (withCredentials).
	CORSCredentials bool

	AccessTokenTTL      time.Duration
	RefreshTokenTTL     time.Duration
	RefreshTokenIdleTTL time.Duration
	// Rotation is that of clients that have none of their own; empty means confirmed. The simplejwt routes have their own.
	Rotation clients.Rotation
	// RotationOverlap is that of clients that have none of their own; nil means 10 s with confirmed, none with strict.
	RotationOverlap *time.Duration

	// BrowserSessionTTL is the absolute lifetime of a browser's sign-in, BrowserSessionIdleTTL the lifetime without use.
	// A user who chooses to be remembered gets BrowserSessionRememberTTL, without an idle limit.
	BrowserSessionTTL         time.Duration
	BrowserSessionIdleTTL     time.Duration
	BrowserSessionRememberTTL time.Duration
	// Look is how the pages look; it goes before what the files of PagesDir say.
	Look look.Service
	// PagesDir is a folder whose files replace those of the pages (see server/web); empty = none.
	PagesDir string

	// Mail is how letters are sent.
	Mail Mail
	// Television is the client of the demo's device; empty = there is none.
	Television string
	// SignUp says which people can make an account; empty = none.
	SignUp selfhelp.SignUp

	// BreachedPasswordsURL is where the beginning of a password's SHA-1 hash is appended to learn which hashes are known from data breaches;
	// empty = off.
	BreachedPasswordsURL string

	// OutboundAllow are private networks that the URLs of the operator's own clients may point to. URLs that
	// other clients supply never reach them.
	OutboundAllow []netip.Prefix

	LoginThrottle bool
	// AuditRetention is how long audit events are kept; 0 means for ever.
	AuditRetention time.Duration
	// Directory is where the accounts of the users are, if not in Store, which reads them there.
	Directory users.Directory
	// AbsentUsersAfter is for how long an account must have been missing in Directory before what is kept of its user is removed; 0 = never.
	AbsentUsersAfter time.Duration
	// AccountURL is where people change what is kept of them there; empty = not known.
	AccountURL string
	// LoginNames are the names that a login may give.
	LoginNames storage.LoginNames
	// Argon2 is the cost of new password hashes, as "m=19456,t=2,p=1".
	Argon2 string
	// KeepPasswordHashes leaves a hash of another format or cost as it is at a login.
	KeepPasswordHashes bool

	// SecondFactor says whether logins need a second factor; empty = factors.Off, as where the accounts are in Directory. Members of one of
	// SecondFactorGroups need one in any case, unless it is Off.
	SecondFactor       factors.Policy
	SecondFactorGroups []string

	// RequirePKCE requires PKCE (RFC 7636) of every client; otherwise RFC 9700 §2.1.1 and the client's own setting decide.
	RequirePKCE bool
	// Claims are the claims about users and the scopes that ask for them; nil means the standard ones.
	Claims *claims.Catalog
	// AssertionsForIssuerOnly accepts client assertions only with the issuer as their audience, as a single string.
	AssertionsForIssuerOnly bool
	// RequireDPoPNonce demands a nonce of this server in each DPoP proof (RFC 9449 §8); otherwise it is offered.
	RequireDPoPNonce bool
	// AnyResource lets clients without a list of their own ask for any resource (RFC 8707).
	AnyResource bool
	// Registration is off, token or open (RFC 7591).
	Registration string
	// Outbound, when not nil, changes how URLs that others supply are fetched. It is for tests, whose servers are on loopback.
	Outbound func(*safehttp.Config)
	// RegistrationUnusedLimit is the maximum number of clients that registered themselves and are still unused.
	RegistrationUnusedLimit int
	// RegistrationLimit is how many clients may register without an initial access token from one network in an hour; zero
	// means 20.
	RegistrationLimit int
	// AccountFields are those of users.OwnFields that users may change on the account page; nil means all.
	AccountFields []string
	// RedirectSchemes are the private-use schemes without a dot that redirect URIs may have; nil means those of
	// clients.RedirectSchemes.
	RedirectSchemes []string
	// ClientDocuments says whose metadata documents make a client.
	ClientDocuments document.Policy

	// AdminAPI is where the API for operators is: off, admin or public; empty = off. AdminGroup is the group whose members may use it.
	AdminAPI, AdminGroup string
	// Console serves the operators' console to people in AdminGroup.
	Console bool

	SimpleJWT SimpleJWT

	// Front, if it is not nil, returns what the public listener serves in place of the server's own routes, which it is given.
	Front func(own http.Handler) http.Handler

	// Traces receives the spans of requests; nil turns tracing off. See TraceExporter.
	Traces sdktrace.SpanExporter

	// ShutdownDelay is how long the server goes on serving, not ready, before it stops: the time that a load balancer needs to
	// notice.
	ShutdownDelay time.Duration

	// Timeouts are those of the sockets; zero ones get a default.
	Timeouts Timeouts
}

// Timeouts bound how long a client can hold a connection, and a shutdown the operator.
type Timeouts struct {
	ReadHeader time.Duration // from the first byte of a request to the end of its headers
	Read       time.Duration // to the end of its body
	Write      time.Duration // from the end of the headers to the end of the answer
	Idle       time.Duration // between two requests
	Shutdown   time.Duration // for the requests in flight when the server stops
}

// withDefaults fills in what is zero. A request is 64 KiB at most, and a password check waits a second at most.
func (t Timeouts) withDefaults() Timeouts {
	t.ReadHeader = cmp.Or(t.ReadHeader, 5*time.Second)
	t.Read = cmp.Or(t.Read, 15*time.Second)
	t.Write = cmp.Or(t.Write, 30*time.Second)
	t.Idle = cmp.Or(t.Idle, 90*time.Second)
	t.Shutdown = cmp.Or(t.Shutdown, 20*time.Second)
	return t
}

// SimpleJWT configures the compatibility routes; the names are those of djangorestframework-simplejwt's settings.
type SimpleJWT struct {
	Enabled bool
	// Settings are those of the sessions. New sets Mapped, Hook, Adopt, Record, SealKeys and Off by the rest of the Config.
	simplejwt.Settings
	// Sunset is announced as the time at which the routes go away (RFC 8594); zero = no such plan.
	Sunset    time.Time
	Algorithm string // HS256, HS384, HS512, RS256, …, ES256, …, EdDSA
	// SigningKey is the secret of HS*, or a private key in PEM; empty means one derived from the root secret, or Latchkey's own keys. When
	// it is set, refresh tokens that Django signed with it are accepted.
	SigningKey storage.Secret
	// VerifyingKey is a public key in PEM: tokens that Django signed are accepted, and Latchkey signs with its own keys.
	VerifyingKey string
	// Blacklist is Django's: sessions that end here are ended there until AdoptUntil; nil = they are not.
	Blacklist       writeback.Blacklist
	Compat          string // "5.2" or "5.5"
	UserIDClaim     string
	UsernameField   string // in bodies; empty = username
	UserIDInteger   bool
	Issuer          string
	Audience        []string
	UpdateLastLogin bool
	// Sliding serves sliding tokens too.
	Sliding bool
	// HookURL is asked at each login for more claims, with a MAC by HookKey.
	HookURL string
	HookKey storage.Secret
	// RefreshCookie names the cookie that the refresh token travels in, without its prefix __Host-; empty = in the bodies.
	RefreshCookie string
	// LegacyCookies are Django's refresh cookies, which are read and kept in step until AdoptUntil.
	LegacyCookies []simplejwt.LegacyCookie
}

// Mail configures how letters are sent.
type Mail struct {
	// Transport delivers letters; nil turns off all that needs them.
	Transport mail.Transport
	// From is the sender's address, Templates the operator's folder of templates, or empty.
	From, Templates string
}

// The values of Config.AdminAPI.
const (
	AdminAPIOff    = "off"
	AdminAPIAdmin  = "admin"
	AdminAPIPublic = "public"
)

// adminResource returns the resource identifier of the API for operators; empty if it is off.
func adminResource(cfg *Config) string {
	if cfg.AdminAPI != AdminAPIAdmin && cfg.AdminAPI != AdminAPIPublic {
		return ""
	}
	return admin.Resource(cfg.Issuer)
}
