package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/admin"
	"latchkey/server/authorize"
	"latchkey/server/backchannel"
	"latchkey/server/claims"
	"latchkey/server/clientauth"
	"latchkey/server/dpop"
	"latchkey/server/factors"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/breached"
	"latchkey/server/internal/jwks"
	"latchkey/server/internal/metrics"
	"latchkey/server/internal/outage"
	"latchkey/server/internal/outbox"
	"latchkey/server/internal/seal"
	"latchkey/server/keys"
	"latchkey/server/logo"
	"latchkey/server/mail"
	"latchkey/server/oauth"
	"latchkey/server/password"
	"latchkey/server/proof"
	"latchkey/server/protocol"
	"latchkey/server/replica"
	"latchkey/server/route"
	"latchkey/server/scim"
	"latchkey/server/session"
	"latchkey/server/simplejwt"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/token"
	"latchkey/server/users"
	"latchkey/server/users/external"
	"latchkey/server/web"
	"latchkey/server/webhooks"
	"latchkey/server/writeback"
	"latchkey/storage"
)

// Server is one authorization server. It keeps nothing but caches: any number of them may work on one database.
type Server struct {
	cfg      Config
	issuer   *url.URL
	metrics  *metrics.Metrics
	keys     *keys.Ring
	registry *registry.Registry
	users    *users.Service
	sweeper  *external.Sweeper // nil where no users are removed by themselves
	factors  *factors.Service
	audit    *audit.Log
	auth     *clientauth.Authenticator
	proofs   *dpop.Checker
	outages  *outage.Log
	tokens   *token.Service
	requests *authorize.Service
	// sealer seals what browsers carry.
	sealer *seal.Sealer
	// simplejwt is the format of the compatibility routes.
	simplejwt *simplejwt.Format
	// django is the key that Django signs with, if it is an asymmetric one and known here.
	django   *keys.SharedKey
	sessions *session.Manager
	logouts  *backchannel.Worker
	// writeback ends in Django what ended here; nil without Django's blacklist.
	writeback *writeback.Worker
	pages     *web.Pages
	logos     *logo.Proxy
	// mailer writes letters and post sends them; both are nil without mail.
	mailer *mail.Mailer
	post   *outbox.Sender
	// proof checks what letters bring; nil where the accounts are elsewhere. requested makes the letters that people ask for, alerts those that
	// notify them of changes of their credentials.
	proof             *proof.Service
	requested, alerts *outbox.Sender
	cleaned           *cleaning
	// webhooks delivers events to the targets of operators.
	webhooks *webhooks.Service

	tracer      trace.Tracer
	flushTraces func()

	router *route.Router
	admin  http.Handler
	// operators is the API for operators; nil if it is off.
	operators *admin.API
	scim      *scim.API
	ready     readiness
	// stopping is closed when Run begins to stop: what lasts ends then.
	stopping chan struct{}
	clock    *clock
	replica  *replica.Keeper
	// knownScopes are those of the last metadata document.
	knownScopes atomic.Pointer[[]string]

	listener, adminListener net.Listener
}

// New makes a server. It asks the database nothing; Start does.
func New(cfg Config) (*Server, error) {
	issuer, err := checkConfig(&cfg)
	if err != nil {
		return nil, err
	}
	if cfg.AccountFields == nil {
		cfg.AccountFields = users.OwnFields()
	}
	if cfg.Claims == nil {
		cfg.Claims = claims.Standard()
	}
	s := &Server{cfg: cfg, issuer: issuer, metrics: metrics.New(), stopping: make(chan struct{})}
	s.clock = &clock{now: cfg.Now, database: cfg.Store.Clock, logger: cfg.Logger}
	s.replica = &replica.Keeper{Store: cfg.Store, Self: self(&cfg), Now: cfg.Now, Ahead: s.clock.ahead, Logger: cfg.Logger}
	s.audit = &audit.Log{Store: cfg.Store, Metrics: s.metrics, Now: cfg.Now}
	argon2, err := password.ParseArgon2(cfg.Argon2)
	if err != nil {
		return nil, fmt.Errorf("argon2: %w", err)
	}
	s.registry = registry.New(registry.Config{
		Store: cfg.Store, MACKeys: cfg.Root.Derive("client secrets"), Now: cfg.Now,
		MaxUnused: cfg.RegistrationUnusedLimit, Schemes: cfg.RedirectSchemes, Scopes: cfg.Claims.Scopes(),
		Documents: cfg.ClientDocuments, Fetcher: documents{outbound(&cfg)},
		Limited: s.audit.Limited, Stamp: audit.Stamp,
	})
	if s.django, err = cfg.SimpleJWT.DjangoKey(); err != nil {
		return nil, fmt.Errorf("simplejwt: the key of Django %w", err)
	}
	ring := keys.RingConfig{Store: cfg.Store, Root: cfg.Root, Now: cfg.Now, GenerateRSA: cfg.GenerateRSA, MaxTokenTTL: s.maxTokenTTL}
	if s.django != nil && s.django.CanSign() && cfg.SimpleJWT.Enabled {
		ring.Published = append(ring.Published, s.django.Public)
	}
	s.keys = keys.NewRing(ring)
	if cfg.SimpleJWT.Blacklist != nil {
		s.writeback = writeback.New(writeback.Config{
			Store: cfg.Store, Blacklist: cfg.SimpleJWT.Blacklist, Now: cfg.Now, Logger: cfg.Logger, Registry: s.metrics.Registry,
		})
	}
	var leaked func(context.Context, storage.Secret) (bool, error)
	if url := cfg.BreachedPasswordsURL; url != "" {
		leaked = breached.New(outbound(&cfg), url).Has
	}
	notifier := &session.Notifier{Store: cfg.Store, Clients: s.registry, Now: cfg.Now}
	s.users = users.New(users.Config{
		Breached: leaked,
		Store:    cfg.Store, Argon2: argon2, KeepHashes: cfg.KeepPasswordHashes, Now: cfg.Now, Directory: cfg.Directory, AccountURL: cfg.AccountURL,
		ThrottleKey: cfg.Root.Derive("login throttle")[0], Throttle: cfg.LoginThrottle, Names: cfg.LoginNames, Metrics: s.metrics,
		Notices: notifier.Notices, Noticed: func() { s.logouts.Wake() }, Alerts: cfg.sendsLetters(),
	})
	s.auth = clientauth.New(clientauth.Config{
		Clients: s.registry, Store: cfg.Store, Keys: jwks.New(jwks.Config{HTTP: outbound(&cfg), Now: cfg.Now}), Issuer: cfg.Issuer, Now: cfg.Now,
		Endpoints: []string{ // where clients authenticate: some libraries write the one that they call
			cfg.Issuer + oauth.TokenPath, cfg.Issuer + oauth.PushPath, cfg.Issuer + oauth.DevicePath,
			cfg.Issuer + oauth.RevokePath, cfg.Issuer + oauth.IntrospectPath,
		},
		OnlyIssuer: cfg.AssertionsForIssuerOnly,
		Refused:    s.clientRefused,
	})
	if s.simplejwt, err = simplejwt.NewFormat(codec.New(s.codecConfig()), s.simplejwtSettings(), cfg.Store, s.audit); err != nil {
		return nil, fmt.Errorf("simplejwt: %w", err)
	}
	s.factors, err = factors.New(factors.Config{
		Store: cfg.Store, Root: cfg.Root, Audit: s.audit, Issuer: cfg.Issuer, Policy: cfg.SecondFactor, Groups: cfg.SecondFactorGroups, Now: cfg.Now,
		Ending: s.users.Ending, Alerts: cfg.sendsLetters(),
	})
	if err != nil {
		return nil, err
	}
	s.proofs = dpop.New(dpop.Config{Store: cfg.Store, NonceKeys: cfg.Root.Derive("dpop nonces"), RequireNonce: cfg.RequireDPoPNonce, Now: cfg.Now})
	s.outages = outage.NewLog(cfg.Now)
	s.tokens, err = token.New(token.Config{
		Store: cfg.Store, Outages: s.outages, Clients: s.registry, Auth: s.auth, Users: s.users, Factors: s.factors, Keys: s.keys, Proofs: s.proofs, Root: cfg.Root,
		Audit: s.audit, Metrics: s.metrics, Now: cfg.Now, Issuer: cfg.Issuer,
		Lifetimes: token.Lifetimes{
			AccessToken: cfg.AccessTokenTTL, RefreshToken: cfg.RefreshTokenTTL, RefreshTokenIdle: cfg.RefreshTokenIdleTTL,
		},
		Rotation: cfg.Rotation, Overlap: cfg.RotationOverlap,
		Claims:   cfg.Claims,
		AdminAPI: adminResource(&cfg), AnyResource: cfg.AnyResource, AccountsElsewhere: cfg.Directory != nil,
		Formats: map[clients.AccessTokenFormat]token.Format{clients.FormatSimpleJWT: s.simplejwt},
	})
	if err != nil {
		return nil, fmt.Errorf("token service: %w", err)
	}
	s.sealer, err = seal.New(cfg.Root.Derive("browser state"))
	if err != nil {
		return nil, fmt.Errorf("browser state: %w", err)
	}
	s.requests = authorize.New(authorize.Config{
		Store: cfg.Store, Clients: s.registry, Auth: s.auth, Tokens: s.tokens, Proofs: s.proofs, Root: cfg.Root, Sealer: s.sealer, Issuer: cfg.Issuer,
		Claims: cfg.Claims, ACRs: s.factors.ACRs(), RequirePKCE: cfg.RequirePKCE, Now: cfg.Now,
	})
	s.logouts = backchannel.New(backchannel.Config{
		Store: cfg.Store, Clients: s.registry, Tokens: s.tokens, HTTP: outbound(&cfg), Now: cfg.Now, Logger: cfg.Logger, Metrics: s.metrics,
		Paused: func() bool { return s.clock.err() != nil },
	})
	s.sessions = session.New(session.Config{
		Store: cfg.Store, Users: s.users, Audit: s.audit, Clients: s.registry, Keys: cfg.Root.Derive("browser sessions"),
		TTL: cfg.BrowserSessionTTL, IdleTTL: cfg.BrowserSessionIdleTTL, RememberTTL: cfg.BrowserSessionRememberTTL,
		SecondFactors: !s.factors.Off(), NeedsSecondFactor: s.factors.RequiredOfAll(),
		Now: cfg.Now, Noticed: s.logouts.Wake,
	})
	s.sweeper = newSweeper(&cfg, s.metrics, notifier, s.logouts.Wake)
	s.pages, err = web.New(web.Config{Dir: cfg.PagesDir, BasePath: issuer.Path, Host: issuer.Host, Look: cfg.Look, LookOf: s.lookOfError})
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	if err := s.letters(); err != nil {
		return nil, err
	}
	if err := s.deliveries(); err != nil {
		return nil, err
	}
	s.tracer, s.flushTraces = startTracing(&cfg)
	s.cleaned = registerParts(s.metrics, cfg.Store, s.registry, cfg.LoginThrottle)
	s.router = s.routes()
	if adminResource(&cfg) != "" {
		s.operators, s.scim = s.operatorAPI(argon2), s.provisioning()
	}
	s.admin = s.adminRoutes()
	return s, nil
}

// clientRefused notes that a client did not prove who it is.
func (s *Server) clientRefused(ctx context.Context, clientID string, known bool, e *protocol.Error) {
	r := audit.Refusal{ClientID: clientID, Known: known, Error: e.Code, Reason: string(e.Reason)}
	r.Details.Description = e.Description
	s.audit.Refused(ctx, r)
}

// checkConfig refuses what would be unsafe to miss.
func checkConfig(cfg *Config) (*url.URL, error) {
	if cfg.Store == nil || cfg.Root == nil || cfg.Logger == nil || cfg.Now == nil {
		return nil, errors.New("server: Store, Root, Logger and Now are needed")
	}
	// RFC 8414 §2: no query, no fragment. Braces would be variables of a route.
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.ForceQuery ||
		strings.ContainsAny(cfg.Issuer, "#{}") || strings.HasSuffix(cfg.Issuer, "/") {
		return nil, fmt.Errorf("server: the issuer %q must be http(s)://host[:port][/path] without a slash at its end", cfg.Issuer)
	}
	if cfg.AccessTokenTTL <= 0 || cfg.RefreshTokenTTL <= 0 || cfg.RefreshTokenIdleTTL <= 0 {
		return nil, errors.New("server: the lifetimes of tokens must be positive")
	}
	cfg.Timeouts = cfg.Timeouts.withDefaults()
	return u, nil
}

// MaxTokenTTL is the longest life of a token that a server of this configuration signs with its own keys: a retired key
// stays published that long. simplejwt is the built-in client, for what the operator has set for it; nil when it is not there.
func MaxTokenTTL(cfg Config, simplejwt *clients.Client) time.Duration {
	longest := max(clients.MaxAccessTokenTTL, cfg.AccessTokenTTL, cfg.SimpleJWT.AccessTokenLifetime, cfg.SimpleJWT.SlidingTokenLifetime)
	if cfg.SimpleJWT.symmetric() {
		return longest
	}
	// Refresh tokens of the simplejwt routes are signed too.
	longest = max(longest, cfg.SimpleJWT.RefreshTokenLifetime)
	if simplejwt != nil {
		longest = max(longest, simplejwt.RefreshTokenIdleTTL.Std())
	}
	return longest
}

// maxTokenTTL ignores the built-in client while the database is unavailable: the lifetime of retiring keys is extended later if
// necessary.
func (s *Server) maxTokenTTL() time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, _ := s.registry.Client(ctx, clients.SimpleJWTID)
	return MaxTokenTTL(s.cfg, c)
}

// Handler is the public side, Start having been called.
func (s *Server) Handler() http.Handler {
	return cutPath(s.issuer.Path, s.withOperatorAPI(AdminAPIPublic, s.router))
}

// AdminHandler is the operator's side: /healthz, /readyz, /metrics and, unless it is public, /admin/v1.
func (s *Server) AdminHandler() http.Handler { return s.admin }

// Clients is the registry of clients and resources; what is changed through it holds here at once.
func (s *Server) Clients() *registry.Registry { return s.registry }

// Users adds, changes and authenticates users.
func (s *Server) Users() *users.Service { return s.users }

// Keys are the signing keys.
func (s *Server) Keys() *keys.Ring { return s.keys }

// cutPath serves what lies under the issuer's path, whether or not a proxy has cut it off already.
func cutPath(path string, next http.Handler) http.Handler {
	if path == "" {
		return next
	}
	cut := http.StripPrefix(path, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, path+"/"):
			cut.ServeHTTP(w, r)
		case r.URL.Path == path: // the issuer itself, as people type it
			http.Redirect(w, r, path+"/", http.StatusPermanentRedirect)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// self is what this server says of itself to the others on its database.
func self(cfg *Config) storage.Replica {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return storage.Replica{ID: storage.NewID(cfg.Now()), Host: strings.ToValidUTF8(host, ""), Release: cfg.Release, Schema: cfg.Schema, Issuer: cfg.Issuer}
}

// newSweeper returns nil where users are not removed by themselves.
func newSweeper(cfg *Config, m *metrics.Metrics, notifier *session.Notifier, noticed func()) *external.Sweeper {
	accounts, ok := cfg.Directory.(external.Accounts)
	if !ok || cfg.AbsentUsersAfter <= 0 {
		return nil
	}
	return &external.Sweeper{
		Store: cfg.Store, Accounts: accounts, After: cfg.AbsentUsersAfter, Logger: cfg.Logger, Metrics: m,
		Notices: notifier.OfAbsent, Noticed: noticed,
	}
}
