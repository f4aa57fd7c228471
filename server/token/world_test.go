package token_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/clientauth"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/metrics"
	"latchkey/server/keys"
	"latchkey/server/keys/keystest"
	"latchkey/server/password"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/simplejwt"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/token"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
)

func forEachStore(t *testing.T, test func(t *testing.T, store storage.Store)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqlitetest.SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, openPostgres(t, postgres.Config{URL: postgrestest.URL(t)}))
	})
}

func openPostgres(t testing.TB, cfg postgres.Config) *postgres.Store {
	store, err := postgres.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// world is a token service with a user and a client of each policy.
type world struct {
	t       testing.TB
	store   storage.Store
	clock   *testclock.Clock
	clients *registry.Registry
	users   *users.Service
	codec   *codec.Codec
	svc     *token.Service
	auth    *clientauth.Authenticator
	// simplejwt serves the routes of the built-in client.
	simplejwt *simplejwt.Service
	format    *simplejwt.Format
	user      *storage.User
	secrets   map[string]storage.Secret
	cfg       token.Config
	// claims are those of the SimpleJWT configuration, for the next build.
	claims []string
	// settings changes the others, for the next build.
	settings func(*simplejwt.Settings)
}

const (
	testPassword  = "wonderland-7"
	testLegacyKey = "legacy-hs256-signing-key-for-tests-0123456789abcdef"
)

func newWorld(t testing.TB, store storage.Store) *world {
	w := &world{t: t, store: store, clock: testclock.New(time.Now().UTC().Truncate(time.Microsecond)), secrets: map[string]storage.Secret{}}
	testclock.Set(store, w.clock.Now)
	w.build()
	cheap, err := password.ParseArgon2("m=8,t=1,p=1")
	if err != nil {
		t.Fatal(err)
	}
	w.users = users.New(users.Config{Store: store, Argon2: cheap, Now: w.clock.Now})
	pw := storage.Secret(testPassword)
	if w.user, err = w.users.Add(t.Context(), users.NewUser{ID: 1, Username: "alice", Password: &pw, Active: true}); err != nil {
		t.Fatal(err)
	}
	w.build()
	if err := w.clients.EnsureSimpleJWT(t.Context(), clients.Policy{}); err != nil {
		t.Fatal(err)
	}
	overlap := clients.Duration(10 * time.Second)
	strict := clients.Policy{Rotation: clients.RotationStrict}
	w.addClient("strict", strict)
	w.addClient("strict-overlap", clients.Policy{Rotation: clients.RotationStrict, RotationOverlap: &overlap})
	w.addClient("confirmed", clients.Policy{Rotation: clients.RotationConfirmed})
	w.addClient("changing", strict)
	w.addClient("reject", clients.Policy{Rotation: clients.RotationStrict, OnReuse: clients.OnReuseReject})
	w.addClient("opaque", clients.Policy{AccessTokenFormat: clients.FormatOpaque})
	w.addClient("server", clients.Policy{IntrospectAll: true})
	return w
}

// build makes the service and its parts over the store.
func (w *world) build() {
	t := w.t
	root, err := keys.NewRoot(storage.Secret(bytes.Repeat([]byte("s"), 32)))
	if err != nil {
		t.Fatal(err)
	}
	w.clients = registry.New(registry.Config{Store: w.store, MACKeys: root.Derive("client secrets"), Now: w.clock.Now})
	ring := keys.NewRing(keys.RingConfig{
		Store: w.store, Root: root, Now: w.clock.Now, MaxTokenTTL: func() time.Duration { return time.Hour },
		RotateEvery: 1000 * 24 * time.Hour, GenerateRSA: keystest.RSA(t),
	})
	w.codec = codec.New(codec.Config{Algorithm: "HS256", Key: testLegacyKey, Compat: codec.Compat52, UserIDInteger: true})
	instruments := metrics.New()
	log := &audit.Log{Store: w.store, Metrics: instruments, Now: w.clock.Now}
	settings := simplejwt.Settings{
		Rotation: clients.RotationConfirmed, OnReuse: clients.OnReuseRevoke,
		AccessTokenLifetime: 15 * time.Minute, RefreshTokenLifetime: 7 * 24 * time.Hour, Adopt: true,
		SlidingTokenLifetime: 5 * time.Minute, SlidingTokenRefreshLifetime: 24 * time.Hour,
		Claims: w.claims, SealKeys: root.Derive("simplejwt refresh seal"),
	}
	if w.settings != nil {
		w.settings(&settings)
	}
	format, err := simplejwt.NewFormat(w.codec, settings, w.store, log)
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = token.Config{
		Store: w.store, Clients: w.clients, Users: w.users, Keys: ring, Root: root, Audit: log, Metrics: instruments, Now: w.clock.Now,
		Issuer: "http://localhost:8000",
		Lifetimes: token.Lifetimes{
			AccessToken: 15 * time.Minute, RefreshToken: 30 * 24 * time.Hour, RefreshTokenIdle: 14 * 24 * time.Hour,
		},
		Formats: map[clients.AccessTokenFormat]token.Format{clients.FormatSimpleJWT: format},
	}
	w.serve(nil)
	w.format = format
	w.simplejwt = simplejwt.NewService(w.svc, format, w.clients, w.clock.Now)
}

// serve makes the service, with the keys that clients sign their assertions with.
func (w *world) serve(keys clientauth.Keys) {
	w.t.Helper()
	w.auth = clientauth.New(clientauth.Config{Clients: w.clients, Store: w.store, Keys: keys, Issuer: w.cfg.Issuer, Now: w.clock.Now})
	w.cfg.Auth = w.auth
	var err error
	if w.svc, err = token.New(w.cfg); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) addClient(id string, p clients.Policy) {
	w.t.Helper()
	_, secret, err := w.clients.Add(w.t.Context(), clients.Registration{
		ID: id,
		Metadata: clients.Metadata{
			ClientName: id, GrantTypes: []string{"password", "refresh_token", "client_credentials"}, Scope: "read write",
		},
		Policy: p,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.secrets[id] = secret
}

// clientsChanged stands for the change feed, which a running server listens to.
func (w *world) clientsChanged() { w.clients.Changed(storage.Change{Kind: storage.ChangeAll}) }

func (w *world) setRotation(id string, r clients.Rotation) {
	w.t.Helper()
	_, err := w.clients.Update(w.t.Context(), id, func(reg *clients.Registration) error {
		reg.Policy.Rotation = r
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.clientsChanged()
}

// restore gives the world on a new database, in which the grant is as it was in a backup.
func (w *world) restore(g storage.Grant) *world {
	w.t.Helper()
	other := &world{t: w.t, store: sqlitetest.SQLite(w.t), clock: w.clock, users: w.users, user: w.user, secrets: w.secrets}
	testclock.Set(other.store, w.clock.Now)
	other.build()
	user := *w.user
	if err := other.store.CreateUser(w.t.Context(), &user); err != nil {
		w.t.Fatal(err)
	}
	row, err := w.store.Client(w.t.Context(), g.ClientID)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := other.store.CreateClient(w.t.Context(), row, nil); err != nil {
		w.t.Fatal(err)
	}
	if err := other.store.CreateGrant(w.t.Context(), &g, nil); err != nil {
		w.t.Fatal(err)
	}
	return other
}

func (w *world) credentials(client string) clientauth.Credentials {
	if client == clients.SimpleJWTID {
		return clientauth.Credentials{Method: clients.AuthNone, ID: client}
	}
	return clientauth.Credentials{Method: clients.AuthBasic, ID: client, Secret: w.secrets[client]}
}

func (w *world) login(client string) *token.Response {
	w.t.Helper()
	return w.loginWith(client, func(*token.Request) {})
}

func (w *world) loginWith(client string, change func(*token.Request)) *token.Response {
	w.t.Helper()
	req := &token.Request{Client: w.credentials(client), GrantType: clients.GrantPassword, Username: "alice", Password: testPassword}
	change(req)
	resp, err := w.svc.Exchange(w.t.Context(), req)
	if err != nil {
		w.t.Fatalf("login at %s: %v", client, err)
	}
	return resp
}

func (w *world) tryRefresh(client string, r storage.Secret) (*token.Response, error) {
	return w.tryRefreshWith(client, r, func(*token.Request) {})
}

func (w *world) tryRefreshWith(client string, r storage.Secret, change func(*token.Request)) (*token.Response, error) {
	req := &token.Request{Client: w.credentials(client), GrantType: clients.GrantRefreshToken, RefreshToken: r}
	change(req)
	return w.svc.Exchange(w.t.Context(), req)
}

func (w *world) refresh(client string, r storage.Secret) *token.Response {
	w.t.Helper()
	return w.refreshWith(client, r, func(*token.Request) {})
}

func (w *world) refreshWith(client string, r storage.Secret, change func(*token.Request)) *token.Response {
	w.t.Helper()
	resp, err := w.tryRefreshWith(client, r, change)
	if err != nil {
		w.t.Fatalf("refresh at %s: %v", client, err)
	}
	return resp
}

// refusal is the answer to a refresh that must be refused with invalid_grant.
func (w *world) refusal(client string, r storage.Secret) *protocol.Error {
	w.t.Helper()
	_, err := w.tryRefresh(client, r)
	if err == nil {
		w.t.Fatalf("refresh at %s: accepted", client)
	}
	e := protocol.AsError(err)
	if e.Code != "invalid_grant" {
		w.t.Fatalf("refresh at %s: %v, want invalid_grant", client, err)
	}
	return e
}

func (w *world) refused(client string, r storage.Secret, reason reasons.Reason) {
	w.t.Helper()
	if e := w.refusal(client, r); e.Reason != reason {
		w.t.Fatalf("refresh at %s: refused for %q, want %q", client, e.Reason, reason)
	}
}

func (w *world) introspect(access storage.Secret) *token.Introspection {
	w.t.Helper()
	a, err := w.svc.Introspect(w.t.Context(), &token.IntrospectRequest{Client: w.credentials("server"), Token: access})
	if err != nil {
		w.t.Fatalf("introspect: %v", err)
	}
	return a
}

func (w *world) active(access storage.Secret) {
	w.t.Helper()
	if !w.introspect(access).Active {
		w.t.Fatal("the access token is not active")
	}
}

func (w *world) inactive(access storage.Secret) {
	w.t.Helper()
	if w.introspect(access).Active {
		w.t.Fatal("the access token is active")
	}
}

// audited makes sure that the security fact was recorded.
func (w *world) audited(action string) *storage.AuditEvent {
	w.t.Helper()
	events, err := w.store.ListAudit(w.t.Context(), storage.AuditFilter{Action: action, Limit: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(events) == 0 {
		w.t.Fatalf("no audit event %s", action)
	}
	return events[0]
}
