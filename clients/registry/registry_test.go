package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/storage"
)

func TestClientsStayInMemory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("web", service())
	before := b.store.reads.Load()
	first := b.find(b.Registry, "web")
	for range 10 {
		if b.find(b.Registry, "web") != first {
			t.Fatal("another copy")
		}
	}
	if n := b.store.reads.Load() - before; n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
	if s := b.Stats(); s.Hits != 10 || s.Misses != 1 || s.Size != 1 {
		t.Errorf("%+v", s)
	}
	b.store.away.Store(true)
	b.find(b.Registry, "web")
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	small := registry.New(registry.Config{Store: b.store, Now: b.clock.Now, Size: 3})
	for i := range 10 {
		id := fmt.Sprint("c", i)
		b.add(id, service())
		b.find(small, id)
	}
	if s := small.Stats(); s.Size != 3 {
		t.Errorf("%d in memory", s.Size)
	}
}

func TestParallelQuestionsAreOneRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("web", service())
	before := b.store.reads.Load()
	release := make(chan struct{})
	hold := func() { <-release }
	b.store.afterClient.Store(&hold)
	var started, wg sync.WaitGroup
	for range 50 {
		started.Add(1)
		wg.Go(func() {
			started.Done()
			if _, err := b.Client(t.Context(), "web"); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	close(release)
	wg.Wait()
	if n := b.store.reads.Load() - before; n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
}

// One caller gives up; the others that wait for the same read do not care.
func TestReadOutlivesItsFirstCaller(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("web", service())
	reached, release := make(chan struct{}), make(chan struct{})
	hold := func() { close(reached); <-release }
	b.store.afterClient.Store(&hold)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := b.Client(ctx, "web"); first <- err }()
	<-reached
	second := make(chan error, 1)
	go func() { _, err := b.Client(t.Context(), "web"); second <- err }()
	cancel()
	if err := <-first; !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that gave up: %v", err)
	}
	b.store.afterClient.Store(nil)
	for b.Stats().Misses < 2 {
		runtime.Gosched()
	}
	time.Sleep(20 * time.Millisecond) // nothing tells that the second caller has joined the read; it is a step away
	close(release)
	if err := <-second; err != nil {
		t.Errorf("the other caller: %v", err)
	}
}

func TestChangeIsSeenByEveryRegistry(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]storage.Change{
		"one client": changed("web"), "any client": changed(""), "anything": changedAll(),
	} {
		b := setup(t)
		other := b.registry("a")
		b.add("web", service())
		b.find(other, "web")
		if err := b.SetDisabled(t.Context(), "web", true); err != nil {
			t.Fatal(err)
		}
		if !b.find(b.Registry, "web").Disabled {
			t.Error("the registry that made the change does not see it at once")
		}
		if b.find(other, "web").Disabled {
			t.Error("not in memory: the test proves nothing")
		}
		other.Changed(storage.Change{Kind: storage.ChangeSigningKeys})
		other.Changed(change)
		if !b.find(other, "web").Disabled {
			t.Errorf("%s: the change is not seen", name)
		}
	}
}

// A change that arrives while the row is on its way: neither those who ask later nor the memory may get the old row.
func TestChangeDuringReadLeavesNothingStale(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.registry("a")
	b.add("web", service())
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	hold := func() {
		first := false
		once.Do(func() { first = true })
		if first {
			close(reached)
			<-release
		}
	}
	b.store.afterClient.Store(&hold)
	early := make(chan *clients.Client, 1)
	go func() { c, _ := other.Client(t.Context(), "web"); early <- c }()
	<-reached // the old row was read and is not kept yet
	if err := b.SetDisabled(t.Context(), "web", true); err != nil {
		t.Fatal(err)
	}
	other.Changed(changed("web"))
	if !b.find(other, "web").Disabled {
		t.Error("who asks after the change joins the read of before")
	}
	close(release)
	if c := <-early; c.Disabled {
		t.Fatal("the early read was not early: the test proves nothing")
	}
	if !b.find(other, "web").Disabled {
		t.Error("the old row was kept")
	}
}

func TestUnknownClients(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("web", service())
	b.find(b.Registry, "web")
	before := b.store.reads.Load()
	for range 20 {
		if _, err := b.Client(t.Context(), "nobody"); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("unknown client: %v", err)
		}
	}
	if n := b.store.reads.Load() - before; n != 1 {
		t.Errorf("%d reads of one unknown name, want 1", n)
	}
	for _, id := range []string{"", "a\x00", "ä", strings.Repeat("a", 256), "\xff"} {
		if _, err := b.Client(t.Context(), id); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if n := b.store.reads.Load() - before; n != 1 {
		t.Errorf("%d reads: impossible names must not reach the database", n)
	}
	for i := range 5000 { // more than are remembered
		_, _ = b.Client(t.Context(), fmt.Sprint("made-up-", i))
	}
	before = b.store.reads.Load()
	b.find(b.Registry, "web")
	if n := b.store.reads.Load() - before; n != 0 || b.Stats().Size != 1 {
		t.Error("made-up names push out a client")
	}
}

func TestUnknownClientIsFoundOnceItIsThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.registry("a")
	for _, tell := range []bool{true, false} {
		id := fmt.Sprint("late-", tell)
		if _, err := other.Client(t.Context(), id); !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
		b.add(id, service())
		if _, err := other.Client(t.Context(), id); !errors.Is(err, storage.ErrNotFound) {
			t.Fatal("not remembered as unknown: the test proves nothing")
		}
		if tell {
			other.Changed(changed(id))
		} else {
			b.clock.Advance(time.Second)
		}
		b.find(other, id)
	}
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("web", service())
	b.add("other", service())
	b.find(b.Registry, "web")
	b.store.away.Store(true)
	b.find(b.Registry, "web")
	for _, id := range []string{"other", "nobody"} {
		_, err := b.Client(t.Context(), id)
		if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	b.store.away.Store(false)
	b.find(b.Registry, "other")
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c, secret := b.add("web", service())
	twin, _ := b.add("twin", service())
	public, none := b.add("spa", clients.Metadata{GrantTypes: []string{"password"}, TokenEndpointAuthMethod: "none"})
	if none != "" {
		t.Error("a public client has a secret")
	}
	good := secret.Reveal()
	for text, want := range map[string]bool{
		good: true, "": false, good[:len(good)-1]: false, good + "x": false, strings.ToUpper(good): false, "web": false,
	} {
		if got := b.CheckSecret(c, storage.Secret(text)); got != want {
			t.Errorf("a secret of %d characters: %v", len(text), got)
		}
	}
	for name, c := range map[string]*clients.Client{"another": twin, "a public": public, "no": nil, "an empty": {}} {
		for _, s := range []storage.Secret{secret, ""} {
			if b.CheckSecret(c, s) {
				t.Errorf("%s client passes", name)
			}
		}
	}
	row, err := b.store.Client(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	row.Metadata = json.RawMessage(`{"token_endpoint_auth_method":"none"}`) // past Update, which takes the secret away
	if err := b.store.UpdateClient(t.Context(), row, nil); err != nil {
		t.Fatal(err)
	}
	if b.CheckSecret(b.find(b.registry("a"), "web"), secret) {
		t.Error("a public client passes with the secret that it had")
	}
	// The root secret was replaced; the retired one still checks, a foreign one does not.
	if !b.registry("b", "a").CheckSecret(c, secret) || b.registry("b").CheckSecret(c, secret) {
		t.Error("MAC keys of root secrets")
	}
}

// RFC 6749 §10.10: nobody guesses a secret, and who reads the database learns none.
func TestSecretsAreLongDistinctAndNotStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	seen := map[string]bool{}
	for range 20 {
		c, secret := b.add("", service())
		text := secret.Reveal()
		if len(text) != len("lk_cs_")+43+6 || !strings.HasPrefix(text, "lk_cs_") || seen[text] || seen[c.ID] || len(c.ID) != 22 {
			t.Fatalf("id %q, a secret of %d characters", c.ID, len(text))
		}
		seen[text], seen[c.ID] = true, true
		row, err := b.store.Client(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(row.SecretMAC[:])+string(row.Metadata), text[6:20]) {
			t.Error("the secret is stored")
		}
		if b.CheckSecret(c, storage.Secret(fmt.Sprintf("%x", row.SecretMAC[:]))) || b.CheckSecret(c, storage.Secret(row.SecretMAC[:])) {
			t.Error("what is stored is good as a secret")
		}
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.registry("a")
	names := func(r *registry.Registry) (names []string) {
		list, err := r.Resources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, resource := range list {
			names = append(names, resource.Identifier)
		}
		return names
	}
	if got := names(other); len(got) != 0 {
		t.Fatal(got)
	}
	added, err := b.AddResource(t.Context(), storage.Resource{Identifier: "https://api.example/", Name: "API", Scopes: []string{"read", "read"}})
	if err != nil || len(added.Scopes) != 1 || !added.CreatedAt.Equal(b.clock.Now()) {
		t.Fatalf("%+v, %v", added, err)
	}
	if got := names(b.Registry); len(got) != 1 {
		t.Errorf("the own change is not seen: %v", got)
	}
	other.Changed(storage.Change{Kind: storage.ChangeResources})
	before := b.store.resources.Load()
	for range 3 {
		if got := names(other); len(got) != 1 {
			t.Errorf("%v", got)
		}
	}
	if n := b.store.resources.Load() - before; n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
	b.store.away.Store(true)
	names(other)
	b.store.away.Store(false)
	if _, err := b.AddResource(t.Context(), storage.Resource{Identifier: "https://api.example/"}); !errors.Is(err, storage.ErrExists) {
		t.Errorf("again: %v", err)
	}
	for _, bad := range []storage.Resource{
		{Identifier: "api"},
		{Identifier: "https://api.example/#x"},
		{Identifier: ""},
		{Identifier: "urn:x", Scopes: []string{"a b"}},
		{Identifier: "urn:x", Name: "\x00"},
	} {
		var wrong *clients.MetadataError
		if _, err := b.AddResource(t.Context(), bad); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := b.RemoveResource(t.Context(), "https://api.example/"); err != nil {
		t.Fatal(err)
	}
	if err := b.RemoveResource(t.Context(), "https://api.example/"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("remove again: %v", err)
	}
	if got := names(b.Registry); len(got) != 0 {
		t.Errorf("%v", got)
	}
	var actions []string
	for _, e := range b.audit() {
		actions = append(actions, e.Action+" "+string(e.Details))
	}
	for _, want := range []string{`resource_added {"resource":"https://api.example/"}`, `resource_removed {"resource":"https://api.example/"}`} {
		if !strings.Contains(strings.Join(actions, "\n"), want) {
			t.Errorf("no audit event %s in %v", want, actions)
		}
	}
}

// Registries, changes and questions at once, for the race detector; at the end everybody agrees.
func TestRegistryUnderParallelChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.registry("a")
	b.add("web", service())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 15 {
				if err := b.SetDisabled(t.Context(), "web", (i+n)%2 == 0); err != nil && !errors.Is(err, storage.ErrConflict) {
					t.Error(err)
				}
				other.Changed(changed("web"))
			}
		})
		wg.Go(func() {
			for range 200 {
				if _, err := other.Client(t.Context(), "web"); err != nil {
					t.Error(err)
				}
				other.HasOrigin(t.Context(), "https://a.example")
			}
		})
	}
	wg.Wait()
	row, err := b.store.Client(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	if got := b.find(other, "web"); got.Version != row.Version || got.Disabled != row.Disabled {
		t.Errorf("version %d is in memory, %d is stored", got.Version, row.Version)
	}
}
