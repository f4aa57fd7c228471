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
	"latchkey/clients/document"
	"latchkey/clients/fetch"
	"latchkey/clients/registry"
	"latchkey/storage"
)

// web is what there is to fetch.
type web struct {
	mu      sync.Mutex
	bodies  map[string]string // what is not here can't be fetched
	fresh   time.Duration
	fetches map[string]int
	now     int // under way
	most    int
	hold    chan struct{} // a fetch waits for it to close; nil = none does
}

func (w *web) Get(ctx context.Context, url string) ([]byte, time.Duration, error) {
	w.mu.Lock()
	w.fetches[url]++
	w.now++
	w.most = max(w.most, w.now)
	body, ok := w.bodies[url]
	fresh, hold := w.fresh, w.hold
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	w.mu.Lock()
	w.now--
	w.mu.Unlock()
	if !ok {
		return nil, 0, errors.New("connect: no route to secret-host")
	}
	return []byte(body), fresh, nil
}

func (w *web) set(url, body string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bodies[url] = body
}

func (w *web) gone(url string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.bodies, url)
}

func (w *web) count(url string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fetches[url]
}

// documents makes a registry that fetches.
func (b *bundle) documents(policy document.Policy, bodies map[string]string) (*web, *registry.Registry) {
	w := &web{bodies: bodies, fetches: map[string]int{}}
	return w, registry.New(registry.Config{
		Store: b.store, Now: b.clock.Now, MACKeys: [][]byte{[]byte(strings.Repeat("a", 32))}, Documents: policy, Fetcher: w,
	})
}

const agent = "https://agent.example/oauth/client.json"

func agentDocument(members string) string {
	return `{"client_id":"` + agent + `","redirect_uris":["http://127.0.0.1/cb","https://agent.example/cb"]` + members + `}`
}

func openly() document.Policy { return document.Policy{Open: true} }

func TestDocumentMakesAClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, r := b.documents(openly(), map[string]string{agent: agentDocument(`,"client_name":"Agent","scope":"read"`)})
	c, err := r.ForAuthorize(t.Context(), agent)
	if err != nil {
		t.Fatal(err)
	}
	if c.ID != agent || c.Origin != storage.OriginDocument || !c.Unverified() || !c.Public() || c.ClientName != "Agent" || c.Scopes()[0] != "read" {
		t.Errorf("%+v", c)
	}
	if !c.MatchRedirectURI("http://127.0.0.1:51234/cb") || c.MatchRedirectURI("http://127.0.0.1:51234/") {
		t.Error("a loopback redirect URI without a port is used with one")
	}
	if _, err := r.Client(t.Context(), agent); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("nobody has allowed it, and the token endpoint knows it: %v", err)
	}
	for range 10 {
		if _, err := r.ForAuthorize(t.Context(), agent); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.count(agent); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestStatement65RefusedDocuments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, body := range map[string]string{
		"another client's":        `{"client_id":"https://agent.example/other","redirect_uris":["https://agent.example/cb"]}`,
		"another spelling":        strings.Replace(agentDocument(""), "agent.example/oauth", "agent.example:443/oauth", 1),
		"without a client_id":     `{"redirect_uris":["https://agent.example/cb"]}`,
		"client_id a number":      `{"client_id":1,"redirect_uris":["https://agent.example/cb"]}`,
		"a secret":                agentDocument(`,"client_secret":"x"`),
		"a secret's end":          agentDocument(`,"client_secret_expires_at":0`),
		"a secret null":           agentDocument(`,"client_secret":null`),
		"client_secret_basic":     agentDocument(`,"token_endpoint_auth_method":"client_secret_basic"`),
		"client_secret_post":      agentDocument(`,"token_endpoint_auth_method":"client_secret_post"`),
		"client_secret_jwt":       agentDocument(`,"token_endpoint_auth_method":"client_secret_jwt"`),
		"shared secrets only":     agentDocument(`,"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post"]`),
		"private_key_jwt keyless": agentDocument(`,"token_endpoint_auth_method":"private_key_jwt"`),
		"private keys":            agentDocument(`,"jwks":{"keys":[{"kty":"EC","d":"x"}]}`),
		"longer than 5 KB":        agentDocument(`,"x":"` + strings.Repeat("x", 5<<10) + `"`),
		"not JSON":                "<html>",
		"an array":                "[" + agentDocument("") + "]",
		"no redirect URI":         `{"client_id":"` + agent + `"}`,
		"http redirect URI":       `{"client_id":"` + agent + `","redirect_uris":["http://agent.example/cb"]}`,
		"only password":           agentDocument(`,"grant_types":["password"]`),
	} {
		w, r := b.documents(openly(), map[string]string{agent: body})
		for range 3 {
			_, err := r.ForAuthorize(t.Context(), agent)
			var wrong *clients.MetadataError
			if !errors.As(err, &wrong) || wrong.Code != "invalid_client" || !strings.Contains(wrong.Description, "document") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := w.count(agent); n != 1 {
			t.Errorf("%s: %d fetches", name, n)
		}
	}
}

func TestDocumentURLs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, r := b.documents(openly(), map[string]string{})
	for id, good := range map[string]bool{
		"https://a.example/": true, "https://a.example/c": true, "https://a.example:8443/c": true, "https://a.example/c?v=1": true,
		"https://a.example": false, "https://a.example/c#x": false, "https://user@a.example/c": false, "https://a.example/../c": false,
		"https://a.example/./c": false, "https://a.example/%2e%2e/c": false, "https://": false, "https:///c": false, "https://a.example\\c": false,
		"https://a.example/ c": false, "https://a.example/" + strings.Repeat("c", 2048): false, "https://a..example/c": false,
		"https://a.example:x/c": false,
	} {
		_, err := r.ForAuthorize(t.Context(), id)
		var wrong *clients.MetadataError
		if !errors.As(err, &wrong) && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
		if n := w.count(id); (n == 1) != good {
			t.Errorf("%s: %d fetches", id, n)
		}
	}
	for _, id := range []string{"http://a.example/c", "HTTPS://a.example/c", "web"} {
		if _, err := r.ForAuthorize(t.Context(), id); !errors.Is(err, storage.ErrNotFound) || w.count(id) != 0 {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestDocumentPolicy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		policy document.Policy
		good   bool
	}{
		"off": {}, "open": {openly(), true}, "its host": {document.Policy{Hosts: []string{"other.example", "agent.example"}}, true},
		"other hosts": {document.Policy{Hosts: []string{"example", "oauth.agent.example", "agent.example:8443"}}, false},
	} {
		w, r := b.documents(c.policy, map[string]string{agent: agentDocument("")})
		_, err := r.ForAuthorize(t.Context(), agent)
		if (err == nil) != c.good || (w.count(agent) == 1) != c.good {
			t.Errorf("%s: %v, %d fetches", name, err, w.count(agent))
		}
	}
	if _, err := b.ForAuthorize(t.Context(), agent); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("without a fetcher: %v", err)
	}
	// An operator may add a client by such a name; nobody else's document changes it then.
	b.add(agent, clients.Metadata{RedirectURIs: []string{"https://operator.example/cb"}})
	w, r := b.documents(openly(), map[string]string{agent: agentDocument("")})
	if c, err := r.ForAuthorize(t.Context(), agent); err != nil || !c.Verified() || c.RedirectURIs[0] != "https://operator.example/cb" || w.count(agent) != 0 {
		t.Errorf("the operator's: %+v, %v", c, err)
	}
}

func TestDocumentIsFetchedAnewWhenItIsNotFresh(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct{ said, fresh time.Duration }{
		"nothing":  {0, 5 * time.Minute},
		"a second": {time.Second, 5 * time.Minute},
		"over":     {-time.Hour, 5 * time.Minute},
		"an hour":  {time.Hour, time.Hour},
		"a year":   {365 * 24 * time.Hour, 24 * time.Hour},
	} {
		w, r := b.documents(openly(), map[string]string{agent: agentDocument("")})
		w.fresh = c.said
		ask := func() int {
			if _, err := r.ForAuthorize(t.Context(), agent); err != nil {
				t.Fatal(name, err)
			}
			return w.count(agent)
		}
		ask()
		b.clock.Advance(c.fresh - time.Second)
		if ask() != 1 {
			t.Errorf("%s: fetched again before %s", name, c.fresh)
		}
		b.clock.Advance(time.Second)
		if ask() != 2 {
			t.Errorf("%s: not fetched again after %s", name, c.fresh)
		}
		b.clock.Advance(-time.Hour) // the clock was set back
		if ask() != 3 {
			t.Errorf("%s: believed since the future", name)
		}
	}
}

// A document that fails is not asked for again at once, and then is; whatever the reason, the words are the same.
func TestStatement60FailedFetches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, r := b.documents(openly(), map[string]string{})
	var words string
	for range 5 {
		_, err := r.ForAuthorize(t.Context(), agent)
		var wrong *clients.MetadataError
		if !errors.As(err, &wrong) || strings.Contains(wrong.Description, "secret-host") || strings.Contains(err.Error(), "connect") {
			t.Fatal(err)
		}
		words = wrong.Description
	}
	if _, err := r.ForAuthorize(t.Context(), "https://other.example/c"); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%v", err)
	}
	if n := w.count(agent); n != 1 {
		t.Errorf("%d fetches", n)
	}
	w.set(agent, agentDocument(""))
	b.clock.Advance(time.Minute)
	if _, err := r.ForAuthorize(t.Context(), agent); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

// What was kept serves the token endpoint, and never a new authorization.
func TestStatement65LastGoodDocumentNeverAuthorizes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, r := b.documents(openly(), map[string]string{agent: agentDocument(`,"scope":"read"`)})
	c, err := r.ForAuthorize(t.Context(), agent)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := r.KeepDocument(t.Context(), c)
	if err != nil || kept.AuthEpoch == 0 || kept.Version != 1 || kept.ExpiresAt.IsZero() {
		t.Fatalf("%+v, %v", kept, err)
	}
	b.used(agent)
	w.gone(agent)
	b.clock.Advance(25 * time.Hour)
	r.Changed(changedAll())
	if _, err := r.ForAuthorize(t.Context(), agent); err == nil {
		t.Error("authorized by a document that is not there")
	}
	if c := b.find(r, agent); c.Scope != "read" || c.Origin != storage.OriginDocument || !c.ExpiresAt.IsZero() {
		t.Errorf("for the token endpoint: %+v", c)
	}
	w.set(agent, agentDocument(`,"scope":"write"`))
	b.clock.Advance(time.Minute)
	c, err = r.ForAuthorize(t.Context(), agent)
	if err != nil || c.Scope != "write" || c.Scopes()[0] != "write" {
		t.Fatalf("%+v, %v", c, err)
	}
	if c := b.find(r, agent); c.Scope != "read" {
		t.Error("what nobody has allowed yet counts at the token endpoint")
	}
	if kept, err = r.KeepDocument(t.Context(), c); err != nil || kept.Scope != "write" || b.find(r, agent).Scope != "write" || !kept.ExpiresAt.IsZero() {
		t.Errorf("%+v, %v", kept, err)
	}
	before := b.store.reads.Load()
	if _, err := r.KeepDocument(t.Context(), c); err != nil || b.store.reads.Load() != before {
		t.Errorf("what is kept already costs a round trip: %v", err)
	}
	var actions []string
	for _, e := range b.audit() {
		actions = append(actions, e.Action+string(e.Details))
	}
	if got := strings.Join(actions, " "); got != `client_document_kept client_document_changed{"fields":["scope"]}` {
		t.Errorf("audit events: %s", got)
	}
}

func TestStatement65ChangedRedirectURIsChangeTheFingerprint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, r := b.documents(openly(), map[string]string{agent: agentDocument(`,"client_name":"A"`)})
	fingerprint := func() storage.Digest {
		t.Helper()
		b.clock.Advance(5 * time.Minute)
		c, err := r.ForAuthorize(t.Context(), agent)
		if err != nil {
			t.Fatal(err)
		}
		return c.Fingerprint()
	}
	first := fingerprint()
	w.set(agent, `{"client_id":"`+agent+`","redirect_uris":["https://agent.example/cb","http://127.0.0.1/cb"],"client_name":"B"}`)
	if fingerprint() != first {
		t.Error("another order, another name: the consent is gone")
	}
	for _, uris := range []string{`"https://agent.example/cb"`, `"https://agent.example/cb","http://127.0.0.1/cb","https://evil.example/cb"`, `"https://agent.example/cb","http://127.0.0.1/cc"`} {
		w.set(agent, `{"client_id":"`+agent+`","redirect_uris":[`+uris+`]}`)
		if fingerprint() == first {
			t.Errorf("%s: the consent stays", uris)
		}
	}
}

// What an operator makes of a client of a document stays, whatever the document says, but for the trust in what it said (A2).
func TestOperatorRulesDocumentClients(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, r := b.documents(openly(), map[string]string{agent: agentDocument("")})
	c, err := r.ForAuthorize(t.Context(), agent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.KeepDocument(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	_, err = r.Update(t.Context(), agent, func(reg *clients.Registration) error {
		reg.Policy.Verified, reg.Rotation = true, clients.RotationStrict
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.set(agent, agentDocument(`,"client_name":"New","rotation":"off"`))
	b.clock.Advance(5 * time.Minute)
	c, err = r.ForAuthorize(t.Context(), agent)
	if err != nil || c.Verified() || c.Rotation != clients.RotationStrict || c.ClientName != "New" {
		t.Fatalf("%+v, %v", c, err)
	}
	if kept, err := r.KeepDocument(t.Context(), c); err != nil || kept.Verified() || kept.Rotation != clients.RotationStrict || kept.ClientName != "New" {
		t.Errorf("%+v, %v", kept, err)
	}
	if err := r.SetDisabled(t.Context(), agent, true); err != nil {
		t.Fatal(err)
	}
	fetches := w.count(agent)
	b.clock.Advance(5 * time.Minute)
	if c, err := r.ForAuthorize(t.Context(), agent); err != nil || !c.Disabled || w.count(agent) != fetches {
		t.Errorf("disabled: %+v, %v", c, err)
	}
	if c := b.find(r, agent); !c.Disabled {
		t.Error("not disabled for the token endpoint")
	}
	// It is not one of the clients that can manage themselves.
	if _, err := r.ReadRegistration(t.Context(), agent, "lk_rat_x"); !errors.Is(err, registry.ErrRegistrationToken) {
		t.Error(err)
	}
}

// Who allows a client that is soon to be removed has it for another while.
func TestKeptDocumentStaysWhileItIsAllowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, r := b.documents(openly(), map[string]string{agent: agentDocument("")})
	for range 5 {
		c, err := r.ForAuthorize(t.Context(), agent)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := r.KeepDocument(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if left := kept.ExpiresAt.Sub(b.clock.Now()); left < 3*24*time.Hour {
			t.Errorf("%s are left", left)
		}
		b.clock.Advance(3 * 24 * time.Hour)
	}
}

func TestKeepDocumentRaces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bodies := map[string]string{agent: agentDocument("")}
	_, one := b.documents(openly(), bodies)
	_, two := b.documents(openly(), map[string]string{agent: agentDocument(`,"client_name":"Newer"`)})
	c, err := one.ForAuthorize(t.Context(), agent)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := two.ForAuthorize(t.Context(), agent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.KeepDocument(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if kept, err := two.KeepDocument(t.Context(), newer); err != nil || kept.ClientName != "Newer" { // it believes that there is none
		t.Errorf("%+v, %v", kept, err)
	}
	// Others come back as they are.
	web, _ := b.add("web", clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}})
	if same, err := one.KeepDocument(t.Context(), web); err != nil || same != web {
		t.Errorf("%+v, %v", same, err)
	}
}

func TestParallelAuthorizationsFetchOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, r := b.documents(openly(), map[string]string{agent: agentDocument("")})
	w.hold = make(chan struct{})
	var started, wg sync.WaitGroup
	for range 100 {
		started.Add(1)
		wg.Go(func() {
			started.Done()
			if _, err := r.ForAuthorize(t.Context(), agent); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	close(w.hold)
	wg.Wait()
	if n := w.count(agent); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestStatement65TenThousandURLs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, r := b.documents(openly(), map[string]string{agent: agentDocument("")})
	c, err := r.ForAuthorize(t.Context(), agent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.KeepDocument(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var busy int
	for k := range 20 {
		wg.Go(func() {
			for i := range 500 {
				_, err := r.ForAuthorize(t.Context(), fmt.Sprintf("https://host%d.example/%d", k, i))
				if errors.Is(err, fetch.ErrBusy) {
					mu.Lock()
					busy++
					mu.Unlock()
				}
				if err == nil {
					t.Error("a client of no document")
				}
			}
		})
	}
	wg.Wait()
	if len(w.fetches) > 100 || w.most > 8 || busy < 9900 || !errors.Is(fetch.ErrBusy, storage.ErrUnavailable) {
		t.Errorf("%d fetches, %d at a time, %d refused", len(w.fetches), w.most, busy)
	}
	// Who is known already is served, from memory and anew.
	for range 2 {
		if _, err := r.ForAuthorize(t.Context(), agent); err != nil {
			t.Errorf("a known client: %v", err)
		}
		b.clock.Advance(5 * time.Minute)
		for i := range 200 {
			_, _ = r.ForAuthorize(t.Context(), fmt.Sprintf("https://late.example/%d", i))
		}
	}
}

// A host that is slow, or an address that is refused, which takes as long, holds up nobody whom a user has allowed.
func TestStatement65SlowHostsHoldUpNobodyWhoIsKnown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, r := b.documents(openly(), map[string]string{agent: agentDocument("")})
	c, err := r.ForAuthorize(t.Context(), agent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.KeepDocument(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(48 * time.Hour)
	hold := make(chan struct{})
	w.mu.Lock()
	w.hold, w.most = hold, 0
	w.mu.Unlock()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { _, _ = r.ForAuthorize(t.Context(), fmt.Sprintf("https://slow.example/%d", i)) })
	}
	for busy := false; !busy; {
		w.mu.Lock()
		busy = w.now == 8
		w.mu.Unlock()
		runtime.Gosched()
	}
	w.mu.Lock()
	w.hold = nil // those that come now are answered
	w.mu.Unlock()
	if _, err := r.ForAuthorize(t.Context(), agent); err != nil {
		t.Errorf("a known client: %v", err)
	}
	close(hold)
	wg.Wait()
}

// The documents that common clients publish, in shape.
func TestPublishedDocuments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		id, body      string
		redirect      string
		grants        string
		method, title string
	}{
		"an editor: loopback without a port, several hosts": {
			"https://editor.example/oauth/client-metadata.json",
			`{"application_type":"native","client_id":"https://editor.example/oauth/client-metadata.json","client_name":"Example Editor",
			"client_uri":"https://editor.example/product","grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],
			"redirect_uris":["http://127.0.0.1/","http://127.0.0.1:33418/","http://localhost/","https://editor.example/redirect","https://insiders.editor.example/redirect"],
			"response_types":["code"],"token_endpoint_auth_method":"none"}`,
			"http://127.0.0.1:61000/", "authorization_code refresh_token urn:ietf:params:oauth:grant-type:device_code", "none", "Example Editor",
		},
		"an assistant: a public client that lists jwt-bearer, a logo elsewhere": {
			"https://assistant.example/oauth/mcp-oauth-client-metadata",
			`{"client_id":"https://assistant.example/oauth/mcp-oauth-client-metadata","client_name":"Assistant","client_uri":"https://assistant.example",
			"logo_uri":"https://cdn.example.net/logo.svg","redirect_uris":["https://assistant.example/api/mcp/auth_callback"],
			"grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:jwt-bearer"],"response_types":["code"],
			"token_endpoint_auth_method":"none","scope":"","contacts":["support@assistant.example"],"policy_uri":"https://assistant.example/privacy","tos_uri":"https://assistant.example/terms"}`,
			"https://assistant.example/api/mcp/auth_callback", "authorization_code refresh_token", "none", "Assistant",
		},
		"a command line: localhost with any port, nothing but what is needed": {
			"https://assistant.example/oauth/cli",
			`{"client_id":"https://assistant.example/oauth/cli","client_name":"CLI","redirect_uris":["http://localhost/callback","http://127.0.0.1/callback"],
			"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`,
			"http://localhost:3118/callback", "authorization_code refresh_token", "none", "CLI",
		},
		"a chat: keys of its own": {
			"https://chat.example/connector/client.json",
			`{"client_id":"https://chat.example/connector/client.json","client_name":"Chat","redirect_uris":["https://chat.example/connector_platform_oauth_redirect"],
			"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_signing_alg":"ES256","jwks_uri":"https://chat.example/jwks.json",
			"token_endpoint_auth_methods_supported":["private_key_jwt","none"],"grant_types":["authorization_code","refresh_token"],"subject_type":"public","x-vendor":{"a":1}}`,
			"https://chat.example/connector_platform_oauth_redirect", "authorization_code refresh_token", "private_key_jwt", "Chat",
		},
		"keys, and no method": {
			"https://keys.example/client",
			`{"client_id":"https://keys.example/client","redirect_uris":["https://keys.example/cb"],"jwks":{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}`,
			"https://keys.example/cb", "authorization_code", "private_key_jwt", "",
		},
		"the least": {
			"https://least.example/",
			`{"client_id":"https://least.example/","redirect_uris":["com.example.least:/cb"]}`,
			"com.example.least:/cb", "authorization_code", "none", "",
		},
	} {
		_, r := b.documents(openly(), map[string]string{c.id: c.body})
		client, err := r.ForAuthorize(t.Context(), c.id)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !client.MatchRedirectURI(c.redirect) || strings.Join(client.GrantTypes, " ") != c.grants || client.TokenEndpointAuthMethod != c.method || client.ClientName != c.title {
			t.Errorf("%s: %+v", name, client.Metadata)
		}
		kept, err := r.KeepDocument(t.Context(), client)
		if err != nil || kept.TokenEndpointAuthMethod != c.method {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a stranger sends: no panic, and what passes is what a client that describes itself may have.
func FuzzDescribed(f *testing.F) {
	f.Add([]byte(public))
	f.Add([]byte(confidential))
	f.Add([]byte(agentDocument(`,"grant_types":["password","authorization_code"],"jwks":{"keys":[{"kty":"EC"}]},"client_name":"\u202e"`)))
	f.Add([]byte(`{"client_id":null,"redirect_uris":["com.a:/"],"token_endpoint_auth_methods_supported":["none"],"default_max_age":0}`))
	key := [][]byte{make([]byte, 32)}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &room{byKey: map[storage.Digest]*storage.Client{}}
		w := &web{bodies: map[string]string{agent: string(body)}, fetches: map[string]int{}}
		r := registry.New(registry.Config{Store: absent{s}, Now: time.Now, MACKeys: key, Documents: openly(), Fetcher: w})
		var wrong *clients.MetadataError
		made, err := r.Register(t.Context(), registry.RegistrationRequest{Metadata: body, Open: true})
		switch {
		case err == nil:
			check(t, made.Client, clients.AuthBasic, clients.AuthPost)
		case !errors.As(err, &wrong) || wrong.Description == "":
			t.Fatal(err)
		}
		c, err := r.ForAuthorize(t.Context(), agent)
		switch {
		case err == nil:
			check(t, c)
			var own struct {
				ClientID string `json:"client_id"`
			}
			if json.Unmarshal(body, &own) != nil || len(body) > clients.MaxDocument {
				t.Fatalf("%q is a document", body)
			}
		case !errors.As(err, &wrong) || wrong.Code != "invalid_client":
			t.Fatal(err)
		}
	})
}

// absent is a database without any client to find.
type absent struct{ *room }

func (absent) Client(context.Context, string) (*storage.Client, error) {
	return nil, storage.ErrNotFound
}

// check holds a client that described itself to what it may have.
func check(t *testing.T, c *clients.Client, methods ...string) {
	t.Helper()
	for _, grant := range c.GrantTypes {
		if grant != clients.GrantAuthorizationCode && grant != clients.GrantRefreshToken && (grant != clients.GrantClientCredentials || c.Public()) {
			t.Fatalf("grant type %q", grant)
		}
	}
	if m := c.TokenEndpointAuthMethod; !strings.Contains(strings.Join(append(methods, clients.AuthNone, clients.AuthPrivateKeyJWT), " "), m) || m == "" {
		t.Fatalf("method %q", m)
	}
	if c.Verified() || c.FirstParty || c.IntrospectAll || strings.ContainsAny(c.ClientName, "\u202e\u200b\n\x00") {
		t.Fatalf("%+v", c)
	}
	if m, _, err := clients.Validate(c.Metadata, clients.Policy{}); err != nil || len(m.RedirectURIs) != len(c.RedirectURIs) {
		t.Fatalf("it does not pass again: %v", err)
	}
}
