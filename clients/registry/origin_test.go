package registry_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

func TestOriginsOfRedirectURIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("web", clients.Metadata{RedirectURIs: []string{
		"https://Spa.Example/cb", "https://spa.example/other", "https://port.example:8443/cb", "https://default.example:443/cb", "https://[2001:db8::1]/cb",
	}})
	b.add("native", clients.Metadata{ApplicationType: "native", RedirectURIs: []string{"http://127.0.0.1/cb", "com.example.app:/cb"}})
	for origin, want := range map[string]bool{
		"https://spa.example": true, "https://port.example:8443": true, "https://default.example": true, "https://[2001:db8::1]": true,
		"http://127.0.0.1": true, "http://127.0.0.1:3000": true, "http://127.0.0.1:65535": true,
		"": false, "null": false, "*": false, "http://spa.example": false, "https://spa.example:8443": false, "https://port.example": false,
		"https://spa.example/": false, "https://spa.example.evil": false, "https://evil-spa.example": false, "https://spa.example ": false,
		"http://localhost:3000": false, "http://[::1]:3000": false, "https://127.0.0.1:3000": false, "http://127.0.0.1:3000/": false,
		"http://127.0.0.1:*": false, "http://127.0.0.1:0": false, "http://127.0.0.1:3000@evil": false, "http://127.0.0.1.evil": false,
		"com.example.app:": false, "com.example.app://": false, "https://" + strings.Repeat("a", 5000): false,
	} {
		if got := b.HasOrigin(t.Context(), origin); got != want {
			t.Errorf("%q: %v", origin, got)
		}
	}
}

func TestOriginsFollowChanges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]storage.Change{
		"one client": changed("web"), "any client": changed(""), "anything": changedAll(),
	} {
		b := setup(t)
		other := b.registry("a")
		m := clients.Metadata{RedirectURIs: []string{"https://old.example/cb", "https://shared.example/cb"}}
		b.add("web", m)
		b.add("twin", clients.Metadata{RedirectURIs: []string{"https://shared.example/cb"}})
		check := func(step string, want map[string]bool) {
			t.Helper()
			other.Changed(change)
			for _, r := range []*registry.Registry{b.Registry, other} {
				for origin, want := range want {
					if got := r.HasOrigin(t.Context(), origin); got != want {
						t.Errorf("%s, %s: %s is %v", name, step, origin, got)
					}
				}
			}
		}
		check("at first", map[string]bool{"https://old.example": true, "https://new.example": false, "https://shared.example": true})
		_, err := b.Update(t.Context(), "web", func(reg *clients.Registration) error {
			reg.RedirectURIs = []string{"https://new.example/cb"}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		check("updated", map[string]bool{"https://old.example": false, "https://new.example": true, "https://shared.example": true})
		if err := b.SetDisabled(t.Context(), "web", true); err != nil {
			t.Fatal(err)
		}
		check("disabled", map[string]bool{"https://new.example": false, "https://shared.example": true})
		if err := b.SetDisabled(t.Context(), "web", false); err != nil {
			t.Fatal(err)
		}
		check("enabled", map[string]bool{"https://new.example": true})
		if err := b.Remove(t.Context(), "web"); err != nil {
			t.Fatal(err)
		}
		check("removed", map[string]bool{"https://new.example": false, "https://shared.example": true})
	}
}

// Clients that registered themselves and clients of documents count too, once they are known here.
func TestOriginsOfClientsThatDescribeThemselves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, r := b.documents(openly(), map[string]string{agent: agentDocument("")})
	if r.HasOrigin(t.Context(), "https://agent.example") || r.HasOrigin(t.Context(), "https://site.example") {
		t.Fatal("known at first")
	}
	c, err := r.ForAuthorize(t.Context(), agent)
	if err != nil || r.HasOrigin(t.Context(), "https://agent.example") {
		t.Errorf("a document that nobody has allowed: %v", err)
	}
	if _, err := r.KeepDocument(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	made, err := r.Register(t.Context(), registry.RegistrationRequest{Metadata: []byte(confidential), Open: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{"https://agent.example", "http://127.0.0.1:4000", "https://site.example"} {
		if !r.HasOrigin(t.Context(), origin) {
			t.Errorf("%s is not known", origin)
		}
	}
	if err := r.RemoveRegistration(t.Context(), made.Client.ID, made.AccessToken, registry.Caller{}); err != nil || r.HasOrigin(t.Context(), "https://site.example") {
		t.Errorf("removed: %v", err)
	}
}

// A change that arrives while an origin is looked up: later callers see it.
func TestChangeWhileAnOriginIsLookedUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.registry("a")
	b.add("web", clients.Metadata{RedirectURIs: []string{"https://old.example/cb"}})
	reached, release := make(chan struct{}), make(chan struct{})
	hold := func() { close(reached); <-release }
	b.store.afterOrigin.Store(&hold)
	early := make(chan bool, 1)
	go func() { early <- other.HasOrigin(t.Context(), "https://new.example") }()
	<-reached
	_, err := b.Update(t.Context(), "web", func(reg *clients.Registration) error {
		reg.RedirectURIs = []string{"https://new.example/cb"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	other.Changed(changed("web"))
	if !other.HasOrigin(t.Context(), "https://new.example") {
		t.Error("the change is not seen")
	}
	close(release)
	if <-early || !other.HasOrigin(t.Context(), "https://new.example") {
		t.Error("what was read before the change is kept")
	}
}

func TestOriginsAreLookedUpOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("web", clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}})
	for range 10 {
		if !b.HasOrigin(t.Context(), "https://a.example") || b.HasOrigin(t.Context(), "https://b.example") || b.HasOrigin(t.Context(), "null") {
			t.Fatal("the origins are wrong")
		}
	}
	if n := b.store.origins.Load(); n != 2 {
		t.Errorf("%d look-ups, want 2", n)
	}
}

func TestOriginsWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("web", clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}})
	cold := b.registry("a")
	b.HasOrigin(t.Context(), "https://a.example")
	b.store.away.Store(true)
	if !b.HasOrigin(t.Context(), "https://a.example") {
		t.Error("an origin in memory was forgotten")
	}
	if cold.HasOrigin(t.Context(), "https://a.example") {
		t.Error("an origin that nobody looked up is known")
	}
	b.store.away.Store(false)
	if !cold.HasOrigin(t.Context(), "https://a.example") {
		t.Error("the failure is remembered")
	}
}

// many is a database of many clients that are made when they are read.
type many struct {
	storage.Store
	n int
}

func (m many) row(i int) *storage.Client {
	id := fmt.Sprintf("client-%014d", i)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &storage.Client{
		ID: id, Version: 1, AuthEpoch: at.UnixMicro(), CreatedAt: at, UpdatedAt: at, Origin: storage.OriginRegistration, ExpiresAt: at,
		SecretMAC: storage.Digest{1}, RegistrationMAC: storage.Digest{1}, RegistrationKey: storage.Digest{1}, Metadata: fmt.Appendf(nil,
			`{"client_name":"Application number %[1]d","application_type":"native","client_uri":"https://app-%[1]d.example.com/",`+
				`"logo_uri":"https://app-%[1]d.example.com/logo.png","contacts":["admin@app-%[1]d.example.com"],`+
				`"redirect_uris":["https://app-%[1]d.example.com/callback","http://127.0.0.1/callback"],`+
				`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"scope":"openid profile email offline_access",`+
				`"token_endpoint_auth_method":"client_secret_basic","id_token_signed_response_alg":"RS256","rotation":"strict"}`, i),
	}
}

func (m many) Client(_ context.Context, id string) (*storage.Client, error) {
	var i int
	if _, err := fmt.Sscanf(id, "client-%d", &i); err != nil {
		return nil, storage.ErrNotFound
	}
	return m.row(i), nil
}

func (m many) ClientHasOrigin(_ context.Context, origin string) (bool, error) {
	return origin == "https://app-999.example.com", nil
}

// The clients in memory take at most 50 MB, however many there are. It measures the heap, and so runs before the parallel tests.
func TestMemoryOfClients(t *testing.T) { //nolint:paralleltest // see above
	const n, limit = registry.DefaultSize + 1000, 50_000_000
	bytes := memoryOfClients(t, n)
	t.Logf("%d clients of %d in memory: %d bytes", registry.DefaultSize, n, bytes)
	if bytes > limit {
		t.Errorf("%d bytes, want at most %d", bytes, limit)
	}
}

func BenchmarkMemoryOfClients(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(float64(memoryOfClients(b, 100_000)), "B")
	}
}

// memoryOfClients returns what a registry takes after n clients were looked up.
func memoryOfClients(tb testing.TB, n int) int64 {
	tb.Helper()
	r := registry.New(registry.Config{Store: many{n: n}, Now: time.Now, MACKeys: [][]byte{make([]byte, 32)}})
	before := heap()
	for i := range n {
		if _, err := r.Client(tb.Context(), fmt.Sprintf("client-%014d", i)); err != nil {
			tb.Fatal(err)
		}
	}
	all := heap()
	if r.Stats().Size != min(n, registry.DefaultSize) {
		tb.Fatalf("%d are in memory", r.Stats().Size)
	}
	return all - before
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkClient(b *testing.B) {
	r := registry.New(registry.Config{Store: many{n: 1}, Now: time.Now, MACKeys: [][]byte{make([]byte, 32)}})
	b.ReportAllocs()
	for b.Loop() {
		c, err := r.Client(b.Context(), "client-00000000000000")
		if err != nil || r.CheckSecret(c, "lk_cs_0000000000000000000000000000000000000000000000000") {
			b.Fatal(err)
		}
	}
}

// A client that is not in memory is read from the database, here SQLite.
func BenchmarkColdClient(b *testing.B) {
	const n = 1000
	r, ids := filled(b, n)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := r.Client(b.Context(), ids[i%n]); err != nil {
			b.Fatal(err)
		}
	}
}

// filled returns a registry with one client in memory over a database of n clients.
func filled(b *testing.B, n int) (*registry.Registry, []string) {
	b.Helper()
	db := sqlitetest.SQLite(b)
	ids := make([]string, n)
	for i := range ids {
		row := many{}.row(i)
		row.RegistrationKey, ids[i] = storage.Digest{}, row.ID
		if err := db.CreateClient(b.Context(), row, nil); err != nil {
			b.Fatal(err)
		}
	}
	return registry.New(registry.Config{Store: db, Now: time.Now, Size: 1, MACKeys: [][]byte{make([]byte, 32)}}), ids
}

// An origin that is not in memory is looked up in the database, here SQLite.
func BenchmarkColdOrigin(b *testing.B) {
	const n = 1000
	r, _ := filled(b, n)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Changed(changedAll())
		if !r.HasOrigin(b.Context(), fmt.Sprintf("https://app-%d.example.com", i%n)) {
			b.Fatal("unknown")
		}
	}
}

func BenchmarkOrigins(b *testing.B) {
	r := registry.New(registry.Config{Store: many{n: 1000}, Now: time.Now})
	b.ReportAllocs()
	for b.Loop() {
		if !r.HasOrigin(b.Context(), "https://app-999.example.com") {
			b.Fatal("unknown")
		}
	}
}
