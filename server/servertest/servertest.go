package servertest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/factors"
	"latchkey/server/keys"
	"latchkey/server/keys/keystest"
	"latchkey/server/simplejwt"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/directory"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
	"latchkey/storage/teststore"
)

// What every server has unless [Bare] is given.
const (
	// Username has the ID UserID and logs in with Password.
	Username = "alice"
	Password = "correct horse battery staple"
	UserID   = 1
	// Origin is the browser origin of SPA's redirect URI.
	Origin = "https://app.example"
)

// rootSecret is the same in all tests, so that what one server wrote another one reads.
const rootSecret = storage.Secret("a root secret for tests, and tests alone")

// Server is a running server with what a test wants of it.
type Server struct {
	// URL is where it serves, and its issuer.
	URL string
	// Admin is the URL of the operator's side.
	Admin string
	Clock *testclock.Clock
	Log   *Log
	Store storage.Store
	// Server is the server itself, for its Clients, Users and Keys.
	*server.Server

	// Backend is a confidential client for the grants password, refresh_token and client_credentials.
	Backend Client
	// SPA is a public client for the grants password and refresh_token, with a redirect URI at Origin.
	SPA Client
	// Web is a confidential client for authorization_code and refresh_token, Portal the same without a consent page, Native a
	// public one on the user's device.
	Web, Portal, Native Client
	// Inspector is a resource server that may introspect every token.
	Inspector Client
	// SimpleJWT is the built-in client of the simplejwt routes.
	SimpleJWT Client

	t      testing.TB
	client *http.Client
}

// Client is a registered client with its secret, if it has one.
type Client struct {
	ID     string
	Secret storage.Secret
	// Redirect is the first redirect URI, if there is one.
	Redirect string
}

type options struct {
	store      storage.Store
	clock      *testclock.Clock
	change     []func(*server.Config)
	bare       bool
	elsewhere  bool
	background bool
	database   func() time.Time
}

// Option changes what New makes.
type Option func(*options)

// Store gives the server a store instead of an empty SQLite one; who opened it closes it.
func Store(s storage.Store) Option { return func(o *options) { o.store = s } }

// Configure changes the configuration, which is that of a server with defaults and cheap password hashes.
func Configure(change func(*server.Config)) Option {
	return func(o *options) { o.change = append(o.change, change) }
}

// Directory gives the server a store whose users are Django's. Those are the test's.
func Directory(d *directory.Store) Option {
	return func(o *options) {
		o.store, o.elsewhere = d, true
		o.change = append(o.change, func(c *server.Config) { c.Directory, c.Prepare = d, d.Check })
	}
}

// Bare leaves out the user and the clients.
func Bare() Option { return func(o *options) { o.bare = true } }

// Background runs the background work too: watching for the changes of other processes, and the cleaning.
func Background() Option { return func(o *options) { o.background = true } }

// DatabaseClock gives the database a clock of its own; otherwise it has the server's.
func DatabaseClock(now func() time.Time) Option { return func(o *options) { o.database = now } }

// New starts a server on a port of its own. It ends with the test.
func New(t testing.TB, opts ...Option) *Server {
	t.Helper()
	o := &options{}
	for _, opt := range opts {
		opt(o)
	}
	if o.store == nil {
		o.store = sqlitetest.SQLite(t)
	}
	if o.clock == nil {
		o.clock = testclock.New(testclock.Epoch)
	}
	if o.database == nil {
		o.database = o.clock.Now
	}
	s := &Server{Clock: o.clock, Log: new(Log), Store: o.store, t: t}
	s.serve(o)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.Log)
		}
	})
	if !o.bare {
		if !o.elsewhere {
			s.AddUser(users.NewUser{ID: UserID, Username: Username, Active: true}, Password)
		}
		s.addClients()
	}
	return s
}

// Replica starts another server on the same database, with the same clock and the same clients.
func (s *Server) Replica(t testing.TB, opts ...Option) *Server {
	t.Helper()
	shared := func(o *options) { o.store, o.clock, o.bare = s.Store, s.Clock, true }
	other := New(t, append([]Option{shared}, opts...)...)
	other.Backend, other.SPA, other.SimpleJWT = s.Backend, s.SPA, s.SimpleJWT
	other.Web, other.Portal, other.Native, other.Inspector = s.Web, s.Portal, s.Native, s.Inspector
	return other
}

// serve makes the server and its two listeners.
func (s *Server) serve(o *options) {
	public := httptest.NewUnstartedServer(nil)
	s.URL = "http://" + public.Listener.Addr().String()
	cfg := s.config()
	cfg.Store = teststore.Clocked(s.Store, o.database)
	for _, change := range o.change {
		change(&cfg)
	}
	srv, err := server.New(cfg)
	if err != nil {
		s.t.Fatalf("make server: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := srv.Start(ctx); err != nil {
		s.t.Fatalf("start server: %v", err)
	}
	wait := func() {}
	if o.background {
		wait = srv.Background(ctx)
	}
	public.Config.Handler = srv.Handler()
	public.Start()
	admin := httptest.NewServer(srv.AdminHandler())
	s.t.Cleanup(func() {
		public.Close()
		admin.Close()
		cancel()
		wait()
	})
	s.Server, s.Admin, s.client = srv, admin.URL, public.Client()
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

// Root returns the root of the server's keys.
func (s *Server) Root() *keys.Root {
	root, err := keys.NewRoot(rootSecret)
	if err != nil {
		s.t.Fatal(err)
	}
	return root
}

func (s *Server) config() server.Config {
	return server.Config{
		Issuer: s.URL,
		Store:  s.Store, Root: s.Root(), Now: s.Clock.Now, GenerateRSA: keystest.RSA(s.t),
		Logger:         slog.New(slog.NewJSONHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		AccessTokenTTL: 15 * time.Minute, RefreshTokenTTL: 30 * 24 * time.Hour, RefreshTokenIdleTTL: 14 * 24 * time.Hour,
		BrowserSessionTTL: 24 * time.Hour, BrowserSessionIdleTTL: 8 * time.Hour, BrowserSessionRememberTTL: 30 * 24 * time.Hour,
		LoginThrottle: true,
		SecondFactor:  factors.Optional,
		Argon2:        "m=8,t=1,p=1",
		AdminAPI:      server.AdminAPIAdmin, AdminGroup: "operators",
		Registration: "token", RegistrationUnusedLimit: 10_000,
		SimpleJWT: server.SimpleJWT{
			Enabled: true, Algorithm: "HS256", Compat: "5.2", UserIDInteger: true, UserIDClaim: "user_id",
			Settings: simplejwt.Settings{
				AccessTokenLifetime: 5 * time.Minute, RefreshTokenLifetime: 24 * time.Hour,
				Rotation: clients.RotationConfirmed, OnReuse: clients.OnReuseRevoke,
			},
		},
	}
}

func (s *Server) addClients() {
	s.t.Helper()
	s.Backend = s.AddClient(clients.Registration{ID: "backend", Metadata: clients.Metadata{
		ClientName: "Backend", GrantTypes: []string{"password", "refresh_token", "client_credentials"}, Scope: "read write",
		TokenEndpointAuthMethod: "client_secret_basic",
	}})
	s.SPA = s.AddClient(clients.Registration{ID: "spa", Metadata: clients.Metadata{
		ClientName: "Single-page application", GrantTypes: []string{"password", "refresh_token"}, Scope: "read write",
		TokenEndpointAuthMethod: "none", RedirectURIs: []string{Origin + "/callback"},
	}})
	code := []string{"authorization_code", "refresh_token"}
	s.Web = s.AddClient(clients.Registration{ID: "web", Metadata: clients.Metadata{
		ClientName: "Web application", GrantTypes: code, Scope: "openid profile email read write",
		RedirectURIs: []string{Callback}, PostLogoutRedirectURIs: []string{Origin + "/goodbye"},
	}})
	s.Portal = s.AddClient(clients.Registration{ID: "portal", Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
		ClientName: "Portal", GrantTypes: code, Scope: "openid profile email read write", TokenEndpointAuthMethod: "none",
		RedirectURIs: []string{Callback}, PostLogoutRedirectURIs: []string{Origin + "/goodbye"},
	}})
	s.Native = s.AddClient(clients.Registration{ID: "native", Metadata: clients.Metadata{
		ClientName: "Native application", GrantTypes: code, Scope: "openid read", TokenEndpointAuthMethod: "none",
		ApplicationType: "native", RedirectURIs: []string{NativeCallback},
	}})
	s.Inspector = s.AddClient(clients.Registration{ID: "inspector", Policy: clients.Policy{IntrospectAll: true}, Metadata: clients.Metadata{
		GrantTypes: []string{"client_credentials"},
	}})
	s.SimpleJWT = Client{ID: clients.SimpleJWTID}
}

// AddUser adds a user with a password.
func (s *Server) AddUser(n users.NewUser, password storage.Secret) *storage.User {
	s.t.Helper()
	n.Password = &password
	u, err := s.Users().Add(s.t.Context(), n)
	if err != nil {
		s.t.Fatalf("add user: %v", err)
	}
	return u
}

// AddClient registers a client.
func (s *Server) AddClient(r clients.Registration) Client {
	s.t.Helper()
	c, secret, err := s.Clients().Add(s.t.Context(), r)
	if err != nil {
		s.t.Fatalf("add client: %v", err)
	}
	client := Client{ID: c.ID, Secret: secret}
	if len(c.RedirectURIs) > 0 {
		client.Redirect = c.RedirectURIs[0]
	}
	return client
}
