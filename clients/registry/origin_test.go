package clients_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/storage"
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
		if got := b.Origins(t.Context(), origin); got != want {
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
			for _, r := range []*clients.Registry{b.Registry, other} {
				for origin, want := range want {
					if got := r.Origins(t.Context(), origin); got != want {
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
	if r.Origins(t.Context(), "https://agent.example") || r.Origins(t.Context(), "https://site.example") {
		t.Fatal("known at first")
	}
	c, err := r.ForAuthorize(t.Context(), agent)
	if err != nil || r.Origins(t.Context(), "https://agent.example") {
		t.Errorf("a document that nobody has allowed: %v", err)
	}
	if _, err := r.KeepDocument(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	made, err := r.Register(t.Context(), clients.RegisterRequest{Metadata: []byte(confidential), Open: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{"https://agent.example", "http://127.0.0.1:4000", "https://site.example"} {
		if !r.Origins(t.Context(), origin) {
			t.Errorf("%s is not known", origin)
		}
	}
	if err := r.RemoveRegistered(t.Context(), made.Client.ID, made.AccessToken, clients.Caller{}); err != nil || r.Origins(t.Context(), "https://site.example") {
		t.Errorf("removed: %v", err)
	}
}

// A change that arrives while all clients are read: who asks after it must see it.
func TestChangeWhileOriginsAreRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.registry("a")
	b.add("web", clients.Metadata{RedirectURIs: []string{"https://old.example/cb"}})
	reached, release := make(chan struct{}), make(chan struct{})
	hold := func() { close(reached); <-release }
	b.store.afterList.Store(&hold)
	early, late := make(chan bool, 1), make(chan bool, 1)
	go func() { early <- other.Origins(t.Context(), "https://new.example") }()
	<-reached
	_, err := b.Update(t.Context(), "web", func(reg *clients.Registration) error {
		reg.RedirectURIs = []string{"https://new.example/cb"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	other.Changed(changed("web"))
	go func() { late <- other.Origins(t.Context(), "https://new.example") }()
	time.Sleep(20 * time.Millisecond) // nothing tells that the caller waits for the read
	close(release)
	<-early
	if !<-late || other.Origins(t.Context(), "https://old.example") {
		t.Error("the change is not seen")
	}
}

func TestOriginsAreAnsweredFromMemory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("web", clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}})
	b.Origins(t.Context(), "https://a.example")
	lists, reads := b.store.lists.Load(), b.store.reads.Load()
	for i := range 100 {
		b.Origins(t.Context(), fmt.Sprintf("https://%d.example", i))
	}
	if b.store.lists.Load() != lists || b.store.reads.Load() != reads {
		t.Error("strangers' origins reach the database")
	}
	b.add("more", clients.Metadata{RedirectURIs: []string{"https://b.example/cb"}})
	if !b.Origins(t.Context(), "https://b.example") || b.store.lists.Load() != lists || b.store.reads.Load() != reads+1 {
		t.Error("one changed client must cost one read")
	}
}

func TestOriginsWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("web", clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}})
	cold := b.registry("a")
	b.Origins(t.Context(), "https://a.example")
	b.store.away.Store(true)
	b.Changed(changed("web"))
	lists, reads := b.store.lists.Load(), b.store.reads.Load()
	for range 10 {
		if !b.Origins(t.Context(), "https://a.example") {
			t.Fatal("what is known was forgotten")
		}
		if cold.Origins(t.Context(), "https://a.example") {
			t.Fatal("nothing is known yet")
		}
	}
	if n := b.store.lists.Load() + b.store.reads.Load() - lists - reads; n != 2 {
		t.Errorf("%d reads within a second, want one of each registry", n)
	}
	if err := b.SetDisabled(t.Context(), "web", true); !errors.Is(err, storage.ErrUnavailable) {
		t.Fatal(err)
	}
	b.store.away.Store(false)
	b.clock.advance(time.Second)
	if !cold.Origins(t.Context(), "https://a.example") || !b.Origins(t.Context(), "https://a.example") {
		t.Error("the database is back")
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

func (m many) ListClients(_ context.Context, after string, limit int) ([]*storage.Client, error) {
	first := 0
	if after != "" {
		fmt.Sscanf(after, "client-%d", &first)
		first++
	}
	var rows []*storage.Client
	for i := first; i < m.n && len(rows) < limit; i++ {
		rows = append(rows, m.row(i))
	}
	return rows, nil
}

// A hundred thousand clients are in memory with their origins, in at most 100 MB. It measures the heap of half of them,
// and so runs before the parallel tests.
func TestMemoryOfClients(t *testing.T) { //nolint:paralleltest // see above
	const n, most = 50_000, 100_000_000 / 100_000
	perClient, perOrigin := memoryOfClients(t, n)
	t.Logf("%.0f bytes a client, %.0f bytes for its origins", perClient, perOrigin)
	if perClient+perOrigin > most {
		t.Errorf("%.0f bytes a client, want at most %d", perClient+perOrigin, most)
	}
}

// 100,000 clients in memory: 57 MB, and 19 MB for the index of origins.
func BenchmarkMemoryOfClients(b *testing.B) {
	for b.Loop() {
		perClient, perOrigin := memoryOfClients(b, 100_000)
		b.ReportMetric(perClient, "B/client")
		b.ReportMetric(perOrigin, "B/origin")
	}
}

func memoryOfClients(tb testing.TB, n int) (perClient, perOrigin float64) {
	tb.Helper()
	r := clients.NewRegistry(clients.RegistryConfig{Store: many{n: n}, Now: time.Now, MACKeys: [][]byte{make([]byte, 32)}})
	before := heap()
	if err := r.LoadOrigins(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	origins := heap()
	for i := range n {
		if _, err := r.Client(tb.Context(), fmt.Sprintf("client-%014d", i)); err != nil {
			tb.Fatal(err)
		}
	}
	all := heap()
	if r.Stats().Size != n || !r.Origins(tb.Context(), fmt.Sprintf("https://app-%d.example.com", n-1)) {
		tb.Fatal("not all are there")
	}
	return float64(all-origins) / float64(n), float64(origins-before) / float64(n)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkClient(b *testing.B) {
	r := clients.NewRegistry(clients.RegistryConfig{Store: many{n: 1}, Now: time.Now, MACKeys: [][]byte{make([]byte, 32)}})
	b.ReportAllocs()
	for b.Loop() {
		c, err := r.Client(b.Context(), "client-00000000000000")
		if err != nil || r.CheckSecret(c, "lk_cs_0000000000000000000000000000000000000000000000000") {
			b.Fatal(err)
		}
	}
}

// A client that was not asked for lately is unpacked: two microseconds.
func BenchmarkColdClient(b *testing.B) {
	const n = 20_000
	r := clients.NewRegistry(clients.RegistryConfig{Store: many{n: n}, Now: time.Now, MACKeys: [][]byte{make([]byte, 32)}})
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("client-%014d", i)
		if _, err := r.Client(b.Context(), ids[i]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := r.Client(b.Context(), ids[i%n]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOrigins(b *testing.B) {
	r := clients.NewRegistry(clients.RegistryConfig{Store: many{n: 1000}, Now: time.Now})
	b.ReportAllocs()
	for b.Loop() {
		if !r.Origins(b.Context(), "https://app-999.example.com") {
			b.Fatal("unknown")
		}
	}
}
