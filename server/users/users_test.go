package users

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/server/internal/metrics"
	"latchkey/server/internal/request"
	"latchkey/server/password"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
)

// bundle is a service on a store of its own, with a clock that stands still and a record of what was computed.
type bundle struct {
	*Service
	t       testing.TB
	store   storage.Store
	hasher  *password.Hasher
	metrics *metrics.Metrics

	clock *testclock.Clock

	mu    sync.Mutex
	costs []password.Cost
}

var cheap = password.Argon2{Memory: 64, Time: 1, Threads: 1}

const (
	home     = "198.51.100.7"
	right    = storage.Secret("correct horse")
	wrong    = storage.Secret("battery staple")
	imported = "pbkdf2_sha256$1000$abcdefghijklmnopqrstuv$vqafFtFOwJN9wrhga0SNKKw1GODAJgholvjeoMoWcZs=" // of ""
)

func setup(t testing.TB, changes ...func(*Config, *password.Config)) *bundle {
	t.Helper()
	b := &bundle{
		t: t, store: sqlitetest.SQLite(t), metrics: metrics.New(), clock: testclock.New(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
	}
	pool := password.Config{Argon2: cheap, Workers: 2, MaxWait: time.Minute, Metrics: b.metrics, Observe: b.observe}
	cfg := Config{Store: b.store, Now: b.now, ThrottleKey: make([]byte, 32), Throttle: true, Metrics: b.metrics}
	for _, change := range changes {
		change(&cfg, &pool)
	}
	b.hasher = password.NewHasher(pool)
	cfg.Hasher = b.hasher
	b.Service = New(cfg)
	return b
}

func unthrottled(c *Config, _ *password.Config) { c.Throttle = false }

func (b *bundle) now() time.Time { return b.clock.Now() }

func (b *bundle) advance(d time.Duration) { b.clock.Advance(d) }

func (b *bundle) observe(c password.Cost, _ time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.costs = append(b.costs, c)
}

// computed gives what was computed since the last call.
func (b *bundle) computed() []password.Cost {
	b.mu.Lock()
	defer b.mu.Unlock()
	costs := b.costs
	b.costs = nil
	return costs
}

// from is a request from an address; an empty one is not known.
func from(t testing.TB, address string) context.Context {
	info := &request.Info{ID: "request-1", Event: &request.Event{}}
	if address != "" {
		info.Address = netip.MustParseAddr(address)
	}
	return request.With(t.Context(), info)
}

func (b *bundle) add(name string) *storage.User {
	b.t.Helper()
	secret := right
	u, err := b.Add(b.t.Context(), NewUser{Username: name, Password: &secret, Active: true})
	if err != nil {
		b.t.Fatalf("add %q: %v", name, err)
	}
	return u
}

// try authenticates from an address and finishes the login when the password is right.
func (b *bundle) try(address, name string, secret storage.Secret) error {
	b.t.Helper()
	a, err := b.Authenticate(from(b.t, address), name, secret)
	if err != nil {
		return err
	}
	now := b.now()
	err = b.store.CreateGrant(b.t.Context(), &storage.Grant{
		ID: storage.NewID(now), ClientID: "c", UserID: a.User.ID, UserEpoch: a.User.AuthEpoch,
		AuthTime: now, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}, a.Login, b.LoginEvent(b.t.Context(), a.User, "c", storage.ID{}))
	if err != nil {
		b.t.Fatalf("create grant: %v", err)
	}
	return nil
}

func (b *bundle) events(action string) []*storage.AuditEvent {
	b.t.Helper()
	list, err := b.store.ListAudit(b.t.Context(), storage.AuditFilter{Action: action, Limit: 10000})
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

func isThrottled(err error) bool {
	var throttled *ThrottledError
	return errors.As(err, &throttled)
}

func TestRightPassword(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.add("Ålice")
	if err := b.try(home, "Ålice", right); err != nil {
		t.Fatal(err)
	}
	if costs := b.computed(); len(costs) != 2 { // one of add
		t.Errorf("computed %v", costs)
	}
	u, err := b.store.User(t.Context(), alice.ID)
	if err != nil || !u.LastLogin.Equal(b.now()) {
		t.Errorf("last login %v, %v", u.LastLogin, err)
	}
	if e := b.events("login_succeeded"); len(e) != 1 || e[0].UserID != alice.ID || e[0].ClientID != "c" || e[0].Actor != "user" {
		t.Errorf("events %+v", e)
	}
	if err := b.try(home, "ålice", right); !errors.Is(err, ErrCredentials) {
		t.Errorf("in lower case: %v", err)
	}
	for _, p := range []storage.Secret{"", right + " ", "Correct horse"} {
		if err := b.try(home, "Ålice", p); !errors.Is(err, ErrCredentials) {
			t.Errorf("another password: %v", err)
		}
	}
}

// TestFailuresAreAlike: same words, one computation of the same cost each, told apart only in the audit trail.
func TestFailuresAreAlike(t *testing.T) {
	t.Parallel()
	b := setup(t, unthrottled)
	secret := right
	add := func(n NewUser) int64 {
		t.Helper()
		u, err := b.Add(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		return u.ID
	}
	active := add(NewUser{Username: "active-1", Password: &secret, Active: true})
	inactive := add(NewUser{Username: "inactive-1", Password: &secret})
	none := add(NewUser{Username: "none-1", Active: true})
	unusable := add(NewUser{Username: "unusable-1", PasswordHash: "!x", Active: true})
	odd := &storage.User{Username: "odd-1", PasswordHash: "sha512_crypt$6$s$a", Active: true, CreatedAt: b.now()}
	if err := b.store.CreateUser(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	b.computed()
	for _, c := range []struct {
		name   string
		secret storage.Secret
		id     int64
		reason string
	}{
		{"active-1", wrong, active, "wrong_password"},
		{"active-1", "", active, "wrong_password"},
		{"active-1", storage.Secret(strings.Repeat("x", 1<<16)), active, "wrong_password"},
		{"active-1", right + "\x00", active, "wrong_password"},
		{"inactive-1", right, inactive, "inactive_user"},
		{"inactive-1", wrong, inactive, "wrong_password"},
		{"none-1", "", none, "no_password"},
		{"unusable-1", "!x", unusable, "no_password"},
		{"odd-1", right, odd.ID, "no_password"},
		{"nobody-1", right, 0, "unknown_user"},
		{"", right, 0, "unknown_user"},
		{"active-1\x00", right, 0, "unknown_user"},
		{"\xff", right, 0, "unknown_user"},
		{strings.Repeat("ü", 151), right, 0, "unknown_user"},
		{strings.Repeat("x", 1<<16), right, 0, "unknown_user"},
	} {
		err := b.try(home, c.name, c.secret)
		if err != ErrCredentials { //nolint:errorlint // nothing may be wrapped around it
			t.Errorf("%.20q: %v", c.name, err)
		}
		if costs := b.computed(); len(costs) != 1 || costs[0] != b.hasher.Preferred() {
			t.Errorf("%.20q computed %v", c.name, costs)
		}
		b.advance(time.Second)
		list := b.events("login_failed")
		e := list[len(list)-1]
		if e.UserID != c.id || e.Reason != c.reason || e.Outcome != "failure" || e.Address != home || e.RequestID != "request-1" {
			t.Errorf("%.20q: audited as %+v, want %s", c.name, e, c.reason)
		}
		if c.name != "" && strings.Contains(fmt.Sprintf("%s%+v", e.Details, e), c.name) {
			t.Errorf("the event holds the name, which may be a password typed into the wrong field: %+v", e)
		}
	}
}

// TestRehash: the first login after an import leaves a hash of ours, and the sessions live.
func TestRehash(t *testing.T) {
	t.Parallel()
	b := setup(t, unthrottled)
	u, err := b.Add(t.Context(), NewUser{Username: "old", PasswordHash: imported, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.try(home, "old", ""); err != nil {
		t.Fatal(err)
	}
	after, err := b.store.User(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if cost, _ := password.CostOf(after.PasswordHash); cost.Algorithm != "argon2id" || after.AuthEpoch != u.AuthEpoch {
		t.Errorf("after the login: %s, epoch %d, was %d", cost.Algorithm, after.AuthEpoch, u.AuthEpoch)
	}
	if err := b.try(home, "old", ""); err != nil {
		t.Fatalf("with the new hash: %v", err)
	}
	if again, _ := b.store.User(t.Context(), u.ID); again.PasswordHash != after.PasswordHash {
		t.Error("a hash of ours was replaced")
	}
}

// While another system reads the hashes, they stay as they are.
func TestNoRehash(t *testing.T) {
	t.Parallel()
	b := setup(t, unthrottled, func(c *Config, _ *password.Config) { c.KeepHashes = true })
	u, err := b.Add(t.Context(), NewUser{Username: "old", PasswordHash: imported, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.try(home, "old", ""); err != nil {
		t.Fatal(err)
	}
	if after, err := b.store.User(t.Context(), u.ID); err != nil || after.PasswordHash != imported {
		t.Errorf("after the login: %+v, %v", after, err)
	}
}

// TestRehashYields: while the pool is busy, the hash stays as it is and the login does not wait.
func TestRehashYields(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	var block atomic.Bool
	block.Store(true)
	b := setup(t, unthrottled, func(_ *Config, p *password.Config) {
		p.Argon2.Threads = 2 // a hash of ours takes both workers, an imported one takes one
		p.Observe = func(password.Cost, time.Duration) {
			if block.Swap(false) {
				close(entered)
				<-release
			}
		}
	})
	if _, err := b.Add(t.Context(), NewUser{Username: "old", PasswordHash: imported, Active: true}); err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	busy.Go(func() { _ = b.hasher.Burn(t.Context(), "p", b.cost(imported)) })
	<-entered
	a, err := b.Authenticate(from(t, home), "old", "")
	if err != nil || a.Login.NewHash != "" || a.Login.OldHash != "" {
		t.Errorf("while busy: %+v, %v", a, err)
	}
	close(release)
	busy.Wait()
	a, err = b.Authenticate(from(t, home), "old", "")
	if err != nil || a.Login.NewHash == "" || a.Login.OldHash != imported {
		t.Errorf("afterwards: %+v, %v", a, err)
	}
}

// away is a store whose database is away for some statements.
type away struct {
	storage.Store
	begin, audit bool
}

func (s *away) BeginLogin(ctx context.Context, a storage.LoginAttempt) (*storage.LoginCheck, error) {
	if s.begin {
		return nil, fmt.Errorf("begin login: %w", storage.ErrUnavailable)
	}
	return s.Store.BeginLogin(ctx, a)
}

func (s *away) AppendAudit(ctx context.Context, e ...*storage.AuditEvent) error {
	if s.audit {
		return fmt.Errorf("audit: %w", storage.ErrUnavailable)
	}
	return s.Store.AppendAudit(ctx, e...)
}

// TestOutage: a database that is away is never a statement about the password.
func TestOutage(t *testing.T) {
	t.Parallel()
	store := &away{}
	b := setup(t, func(c *Config, _ *password.Config) { store.Store, c.Store = c.Store.(storage.Store), store })
	b.add("alice")
	store.begin = true
	if err := b.try(home, "alice", right); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("BeginLogin fails: %v", err)
	}
	store.begin, store.audit = false, true
	if err := b.try(home, "alice", wrong); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, ErrCredentials) {
		t.Errorf("AppendAudit fails: %v", err)
	}
	if err := b.try(home, "alice", right); err != nil {
		t.Errorf("a right password needs no audit event of ours: %v", err)
	}
}

// TestAuditIsBounded: attackers choose how often they fail, not how many rows that makes.
func TestAuditIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, unthrottled)
	for i := range noiseBurst + 50 {
		if err := b.try(fmt.Sprintf("10.0.%d.1", i/50), "nobody", wrong); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
	}
	if n := len(b.events("login_failed")); n != noiseBurst {
		t.Errorf("%d events, want %d", n, noiseBurst)
	}
	b.advance(time.Second)
	if err := b.try("10.1.0.1", "nobody", wrong); !errors.Is(err, ErrCredentials) {
		t.Fatal(err)
	}
	list := b.events("login_failed")
	if last := list[len(list)-1]; len(list) != noiseBurst+1 || string(last.Details) != `{"suppressed_before":50}` {
		t.Errorf("%d events, the last with %s", len(list), last.Details)
	}
}

// A10: one network fills no more of the trail than its share, whatever the names.
func TestA10FailedLoginsOfOneNetwork(t *testing.T) {
	t.Parallel()
	b := setup(t, unthrottled)
	for i := range 3 * noiseNetworkBurst {
		if err := b.try(fmt.Sprintf("2001:db8:0:%x::1", i), fmt.Sprint("user", i), wrong); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
	}
	if n := len(b.events("login_failed")); n != noiseNetworkBurst {
		t.Errorf("%d events, want %d", n, noiseNetworkBurst)
	}
	if err := b.try("2001:db8:1::1", "alice", wrong); !errors.Is(err, ErrCredentials) {
		t.Fatal(err)
	}
	if n := len(b.events("login_failed")); n != noiseNetworkBurst+1 {
		t.Errorf("%d events after one from another network, want one more", n)
	}
}

// BenchmarkAuthenticate shows that the verdicts take the same time; compare them over many runs.
func BenchmarkAuthenticate(b *testing.B) {
	s := setup(b, unthrottled, func(_ *Config, p *password.Config) { p.Argon2 = password.DefaultArgon2 })
	s.add("active")
	inactive := s.add("inactive")
	if err := s.Disable(b.Context(), inactive.ID); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Add(b.Context(), NewUser{Username: "none", Active: true}); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		secret storage.Secret
	}{{"active", wrong}, {"unknown", wrong}, {"none", wrong}, {"inactive", right}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Authenticate(from(b, home), c.name, c.secret); !errors.Is(err, ErrCredentials) {
					b.Fatal(err)
				}
			}
		})
	}
}
