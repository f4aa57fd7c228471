package oauth_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/clients/document"
	"latchkey/server"
	"latchkey/server/internal/safehttp"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// publisher serves one client's metadata document, on loopback, over TLS.
type publisher struct {
	*httptest.Server
	mu       sync.Mutex
	document map[string]any
	hits     atomic.Int32
	down     atomic.Bool
	caching  string
}

func (p *publisher) id() string { return p.URL + "/client.json" }

func (p *publisher) set(name string, value any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.document[name] = value
}

func publish(t *testing.T) *publisher {
	p := &publisher{}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.hits.Add(1)
		if p.down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", p.caching)
		json.NewEncoder(w).Encode(p.document)
	}))
	t.Cleanup(p.Close)
	// As agents publish it: a loopback redirect without the port that is used, a foreign grant, a logo elsewhere.
	p.document = map[string]any{
		"client_id": p.id(), "client_name": "Agent", "redirect_uris": []string{servertest.NativeCallback, "https://app.example/callback"},
		"grant_types":                []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"response_types":             []string{"code"},
		"token_endpoint_auth_method": "none", "logo_uri": "https://cdn.example/logo.png",
	}
	return p
}

func accepting(p *publisher) servertest.Option {
	return servertest.Configure(func(c *server.Config) {
		c.ClientDocuments = document.Policy{Open: true}
		c.Outbound = func(o *safehttp.Config) {
			o.TestAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			o.Roots = p.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		}
	})
}

func TestADocumentIsAskedForAgainWhenItsHostSaysSo(t *testing.T) {
	t.Parallel()
	p := publish(t)
	p.caching = "max-age=3600"
	s := servertest.New(t, accepting(p))
	agent := servertest.Client{ID: p.id(), Redirect: "https://app.example/callback"}
	for _, c := range []struct {
		after time.Duration
		hits  int64
	}{{0, 1}, {59 * time.Minute, 1}, {time.Minute, 2}} {
		s.Clock.Advance(c.after)
		s.Browser().Authorize(agent)
		if got := int64(p.hits.Load()); got != c.hits {
			t.Errorf("after another %s: asked %d times, want %d", c.after, got, c.hits)
		}
	}
}

// An application that nobody has registered: its client_id is where its metadata are.
func TestStatement65AClientByItsDocument(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		p := publish(t)
		s := servertest.New(t, servertest.Store(open(t)), accepting(p))
		agent := servertest.Client{ID: p.id(), Redirect: "http://127.0.0.1:43210/callback"}
		b := s.Browser()
		page := b.Authorize(agent, "scope", "openid offline_access").Form("/login").
			Set("username", servertest.Username, "password", servertest.Password).Submit()
		if !page.Has("/consent") || !strings.Contains(page.Body, "127.0.0.1:43210") {
			t.Fatalf("no consent: %d %s", page.Status, page.Body)
		}
		code := page.Form("/consent").Press("decision", "allow").Response(agent.Redirect).Get("code")
		got := s.Redeem(agent, code).Expect(200)
		if !b.Authorize(agent, "scope", "openid").Has("/consent") { // asked each time: statement 14
			t.Error("not asked again")
		}
		token := got.String("refresh_token")

		// While the document is away or has changed for the worse: what is there goes on, nothing new begins.
		p.down.Store(true)
		s.Clock.Advance(25 * time.Hour)
		token = s.Refresh(agent, token).Expect(200).String("refresh_token")
		if page := b.Authorize(agent, "scope", "openid"); page.Status < 400 || page.Left != "" {
			t.Errorf("a stale document authorized: %d %s", page.Status, page.Left)
		}
		p.down.Store(false)
		p.set("redirect_uris", []string{"https://elsewhere.example/callback"})
		s.Clock.Advance(25 * time.Hour)
		if page := b.Authorize(agent, "scope", "openid"); page.Status != 400 || page.Left != "" {
			t.Errorf("a redirect URI that is gone: %d %s", page.Status, page.Left)
		}
		s.Refresh(agent, token).Expect(200)

		row, err := s.Clients().Client(t.Context(), agent.ID)
		if err != nil || slices.Contains(row.GrantTypes, "urn:ietf:params:oauth:grant-type:jwt-bearer") || row.Verified() {
			t.Errorf("the client is %+v (%v)", row, err)
		}
		if err := s.Clients().SetDisabled(t.Context(), agent.ID, true); err != nil {
			t.Fatal(err)
		}
		s.Refresh(agent, token).ExpectError(401, "invalid_client")
		if page := b.Authorize(agent, "scope", "openid"); page.Status != 400 {
			t.Errorf("disabled: %d", page.Status)
		}
	})
}

// A logo that does not come, which anybody can register, holds up no document.
func TestStatement65SlowLogosHoldUpNoDocument(t *testing.T) {
	t.Parallel()
	p := publish(t)
	slow, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	s := servertest.New(t, accepting(p), servertest.Configure(func(c *server.Config) {
		c.Registration = "open"
		trusting := c.Outbound
		c.Outbound = func(o *safehttp.Config) {
			trusting(o)
			o.MaxConcurrent = 1
		}
	}))
	made := s.PostJSON("/oauth2/register", app("logo_uri", "https://"+slow.Addr().String()+"/logo.png")).Expect(201)
	var wg sync.WaitGroup
	wg.Go(func() { s.Get("/logo?client_id=" + made.String("client_id")).Expect(404) })
	held, err := slow.Accept() // the one place for logos is taken
	if err != nil {
		t.Fatal(err)
	}
	s.Get(servertest.Client{ID: p.id(), Redirect: servertest.NativeCallback}.AuthorizePath("scope", "openid")).Expect(303)
	held.Close()
	wg.Wait()
}

// A cold document costs one fetch, however many wait for it.
func TestADocumentIsFetchedOnce(t *testing.T) {
	t.Parallel()
	p := publish(t)
	s := servertest.New(t, accepting(p))
	path := servertest.Client{ID: p.id(), Redirect: servertest.NativeCallback}.AuthorizePath("scope", "openid")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { s.Get(path).Expect(303) })
	}
	wg.Wait()
	if n := p.hits.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestAPushedRequestOfAClientByItsDocument(t *testing.T) {
	t.Parallel()
	p := publish(t)
	s := servertest.New(t, accepting(p))
	agent := servertest.Client{ID: p.id(), Redirect: servertest.NativeCallback}
	var all []string
	for name, values := range agent.AuthorizeParams("scope", "openid") {
		all = append(all, name, values[0])
	}
	uri := s.PostAs(agent, "/oauth2/par", all...).Expect(201).String("request_uri")
	page := s.Browser().Follow("/oauth2/authorize?" + servertest.Form("client_id", agent.ID, "request_uri", uri).Encode())
	s.Redeem(agent, page.Through().Response(agent.Redirect).Get("code")).Expect(200)
}

// Whoever registers gets no power from it: where no user is asked, neither scopes nor resources.
func TestClientCredentialsOfUnverifiedClientsAreWorthLittle(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	made := s.PostJSON("/oauth2/register", map[string]any{
		"grant_types": []string{"client_credentials"}, "scope": "admin read", "token_endpoint_auth_method": "client_secret_basic",
	}).Expect(201)
	c := servertest.Client{ID: made.String("client_id"), Secret: storage.Secret(made.String("client_secret"))}
	if a := s.Token(c, "grant_type", "client_credentials").Expect(200); a.String("scope") != "" {
		t.Errorf("the scope is %q", a.String("scope"))
	}
	s.Token(c, "grant_type", "client_credentials", "scope", "admin").ExpectError(400, "invalid_scope")
	s.Token(c, "grant_type", "client_credentials", "resource", "https://api.example").ExpectError(400, "invalid_scope")
}
