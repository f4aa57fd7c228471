package backchannel_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/backchannel"
	"latchkey/server/internal/metrics"
	"latchkey/server/internal/safehttp"
	"latchkey/server/keys"
	"latchkey/server/keys/keystest"
	"latchkey/server/token"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
)

const issuer = "https://login.example"

// party is a relying party's back channel.
type party struct {
	*httptest.Server
	mu     sync.Mutex
	status []int // what it answers, one after the other, the last for ever; 0 = nothing
	got    []url.Values
}

func newParty(t *testing.T, status ...int) *party {
	t.Helper()
	p := &party{status: status}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.ParseForm() != nil {
			t.Errorf("%s", r.Method)
		}
		p.mu.Lock()
		p.got = append(p.got, r.PostForm)
		status := p.status[0]
		if len(p.status) > 1 {
			p.status = p.status[1:]
		}
		p.mu.Unlock()
		if status == 0 {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(status)
	}))
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(p.Close)
	return p
}

func (p *party) tokens() (tokens []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, form := range p.got {
		tokens = append(tokens, form.Get("logout_token"))
	}
	return tokens
}

// bundle is a worker with everything that it needs.
type bundle struct {
	t        *testing.T
	store    storage.Store
	registry *registry.Registry
	tokens   *token.Service
	outbound safehttp.Config
	metrics  *metrics.Metrics
	log      *syncBuffer
	clock    *testclock.Clock
	user     int64
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// setup trusts the certificates of one party, which are those of all.
func setup(t *testing.T, p *party) *bundle {
	t.Helper()
	b := &bundle{t: t, store: sqlitetest.SQLite(t), clock: testclock.New(time.Now().UTC().Truncate(time.Microsecond)), metrics: metrics.New(), log: &syncBuffer{}}
	root, err := keys.NewRoot(storage.Secret(strings.Repeat("s", 32)))
	if err != nil {
		t.Fatal(err)
	}
	b.registry = registry.New(registry.Config{Store: b.store, MACKeys: root.Derive("client secrets"), Now: b.clock.Now})
	b.tokens, err = token.New(token.Config{
		Store: b.store, Clients: b.registry, Users: users.New(users.Config{Store: b.store, Now: b.clock.Now}), Root: root, Metrics: b.metrics, Now: b.clock.Now,
		Keys: keys.NewRing(keys.RingConfig{
			Store: b.store, Root: root, Now: b.clock.Now, GenerateRSA: keystest.RSA(t), MaxTokenTTL: func() time.Duration { return time.Hour },
		}),
		Issuer: issuer,
	})
	if err != nil {
		t.Fatal(err)
	}
	u := &storage.User{Username: "ada", Active: true, CreatedAt: b.clock.Now()}
	if err := b.store.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	b.user = u.ID
	roots := p.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	b.outbound = safehttp.Config{Timeout: 30 * time.Second, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: roots}
	return b
}

// impatient is for parties that don't answer. The others have more time than a busy machine needs.
func (b *bundle) impatient() { b.outbound.Timeout = 2 * time.Second }

func (b *bundle) worker() *backchannel.Worker { return b.workerThatPolls(0) }

func (b *bundle) workerThatPolls(every time.Duration) *backchannel.Worker {
	return backchannel.New(backchannel.Config{
		Store: b.store, Clients: b.registry, Tokens: b.tokens, HTTP: safehttp.New(b.outbound), Now: b.clock.Now, PollEvery: every,
		Logger: slog.New(slog.NewTextHandler(b.log, nil)), Metrics: b.metrics,
	})
}

func (b *bundle) addClient(id, uri string) {
	b.t.Helper()
	m := clients.Metadata{RedirectURIs: []string{"https://app.example/cb"}, Scope: "openid", BackchannelLogoutURI: uri}
	if _, _, err := b.registry.Add(b.t.Context(), clients.Registration{ID: id, Metadata: m}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) notice(client string) *storage.LogoutNotice {
	b.t.Helper()
	now := b.clock.Now()
	n := &storage.LogoutNotice{
		ID: storage.NewID(now), ClientID: client, UserID: 42, Subject: "6f1c-slug", SessionID: storage.NewID(now),
		CreatedAt: now, NextAttemptAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}
	if err := b.store.RaiseUserEpoch(b.t.Context(), b.user, now, nil, n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *bundle) flush(w *backchannel.Worker) {
	b.t.Helper()
	if err := w.Flush(b.t.Context()); err != nil {
		b.t.Error(err)
	}
}

func (b *bundle) want(outcome string, n float64) {
	b.t.Helper()
	if got := testutil.ToFloat64(b.metrics.BackchannelLogouts.WithLabelValues(outcome)); got != n {
		b.t.Errorf("%v × %s, want %v", got, outcome, n)
	}
}

// left is how many notices there are, due or not.
func (b *bundle) left() int {
	b.t.Helper()
	claimed, err := b.store.ClaimLogoutNotices(b.t.Context(), b.clock.Now().Add(23*time.Hour), time.Nanosecond, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(claimed)
}

// OpenID Connect Back-Channel Logout 1.0 §2.4, §2.5.
func TestStatement45LogoutToken(t *testing.T) {
	t.Parallel()
	p := newParty(t, 200)
	b := setup(t, p)
	b.addClient("app", p.URL)
	n := b.notice("app")
	b.flush(b.worker())
	b.flush(b.worker())
	tokens := p.tokens()
	if len(tokens) != 1 {
		t.Fatalf("it was told %d times", len(tokens))
	}
	parts := strings.Split(tokens[0], ".")
	if len(parts) != 3 {
		t.Fatal("no JWT")
	}
	var header, claims map[string]any
	for i, object := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, object)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	now := float64(b.clock.Now().Unix())
	for name, want := range map[string]any{"iss": issuer, "aud": "app", "sub": "6f1c-slug", "sid": n.SessionID.String(), "iat": now} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if header["typ"] != "logout+jwt" || header["alg"] == "none" {
		t.Errorf("the header is %v", header)
	}
	if exp, _ := claims["exp"].(float64); exp <= now || exp > now+120 {
		t.Errorf("exp is %v", claims["exp"])
	}
	if _, nonce := claims["nonce"]; nonce || claims["jti"] == "" || claims["jti"] == nil {
		t.Errorf("the claims are %v", claims)
	}
	if fmt.Sprint(claims["events"]) != "map[http://schemas.openid.net/event/backchannel-logout:map[]]" {
		t.Errorf("events is %v", claims["events"])
	}
	b.want("delivered", 1)
	if b.left() != 0 {
		t.Error("the notice is still there")
	}
}

func TestRetriedUntilItIsHeard(t *testing.T) {
	t.Parallel()
	p := newParty(t, 500, 429, 0, 503, 404, 204)
	b := setup(t, p)
	b.impatient()
	b.addClient("app", p.URL)
	b.notice("app")
	w := b.worker()
	for i := range 6 {
		b.flush(w)
		b.flush(w) // before its time
		if got := len(p.tokens()); got != i+1 {
			t.Fatalf("%d attempts, want %d; the log has %s", got, i+1, b.log)
		}
		if i == 0 {
			b.clock.Advance(3 * time.Second)
			b.flush(w)
			b.clock.Advance(4 * time.Second)
		} else {
			b.clock.Advance(4 * time.Minute)
		}
	}
	b.want("delivered", 1)
	b.want("retried", 5)
	const again = "a back-channel logout could not be delivered and will be tried again"
	if log := b.log.String(); strings.Count(log, again) != 5 || !strings.Contains(log, "status=429") || !strings.Contains(log, "error=") {
		t.Errorf("the log does not say why: %s", log)
	}
	if tokens := p.tokens(); tokens[0] == tokens[5] {
		t.Error("the token of the first attempt was sent again: it has expired by now")
	}
}

func TestAbandoned(t *testing.T) {
	t.Parallel()
	p := newParty(t, 400)
	b := setup(t, p)
	b.addClient("app", p.URL)
	b.notice("app")
	w := b.worker()
	for range 20 {
		b.flush(w)
		b.clock.Advance(5 * time.Minute)
	}
	// Refused: for a quarter of an hour.
	if n := len(p.tokens()); n != 4 {
		t.Errorf("%d attempts", n)
	}
	b.want("refused", 1)
	if !strings.Contains(b.log.String(), "abandoned") || b.left() != 0 {
		t.Errorf("%d left, and the log has %s", b.left(), b.log)
	}
}

func TestGivenUpAtItsEnd(t *testing.T) {
	t.Parallel()
	p := newParty(t, 503)
	b := setup(t, p)
	b.addClient("app", p.URL)
	b.notice("app")
	w := b.worker()
	for range 25 * 60 {
		b.flush(w)
		b.clock.Advance(time.Minute)
	}
	b.want("expired", 1)
	if n := len(p.tokens()); n < 25 || n > 90 {
		t.Errorf("%d attempts in a day", n)
	}
}

// When no worker ran for a day, the operator learns which clients were not told.
func TestAbandonedWhenItsTurnComesTooLate(t *testing.T) {
	t.Parallel()
	p := newParty(t, 200)
	b := setup(t, p)
	b.addClient("app", p.URL)
	b.notice("app")
	b.clock.Advance(24 * time.Hour)
	b.flush(b.worker())
	b.want("expired", 1)
	if len(p.tokens()) != 0 || b.left() != 0 || !strings.Contains(b.log.String(), "abandoned") {
		t.Errorf("%d told, %d left, logged %q", len(p.tokens()), b.left(), b.log)
	}
}

// A redirect is no answer: it could lead anywhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := newParty(t, 200)
	p := httptest.NewTLSServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(p.Close)
	b := setup(t, other)
	b.addClient("app", p.URL)
	b.notice("app")
	b.flush(b.worker())
	if len(other.tokens()) != 0 {
		t.Error("the token went where the redirect led")
	}
	b.want("retried", 1)
}

func TestNeedlessNotices(t *testing.T) {
	t.Parallel()
	p := newParty(t, 200)
	b := setup(t, p)
	b.addClient("without", "")
	b.addClient("disabled", p.URL)
	if err := b.registry.SetDisabled(t.Context(), "disabled", true); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"without", "disabled", "gone"} {
		b.notice(id)
	}
	b.flush(b.worker())
	b.want("needless", 3)
	if len(p.tokens()) != 0 || b.left() != 0 {
		t.Errorf("%d told, %d left", len(p.tokens()), b.left())
	}
}

// Who dies with a notice leaves it to others.
func TestAnotherWorkerTakesOver(t *testing.T) {
	t.Parallel()
	p := newParty(t, 200)
	b := setup(t, p)
	b.addClient("app", p.URL)
	b.notice("app")
	if claimed, err := b.store.ClaimLogoutNotices(t.Context(), b.clock.Now(), 30*time.Second, 10); err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	w := b.worker()
	b.flush(w)
	if len(p.tokens()) != 0 {
		t.Error("it was sent during the lease of another")
	}
	b.clock.Advance(31 * time.Second)
	b.flush(w)
	b.want("delivered", 1)
}

// A store that is away costs nothing but time.
type deaf struct {
	storage.LogoutNotices
	mu   sync.Mutex
	away bool
}

func (d *deaf) FinishLogoutNotice(ctx context.Context, id storage.ID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return storage.ErrUnavailable
	}
	return d.LogoutNotices.FinishLogoutNotice(ctx, id)
}

func TestADatabaseThatIsAwayLosesNothing(t *testing.T) {
	t.Parallel()
	p := newParty(t, 200)
	b := setup(t, p)
	b.addClient("app", p.URL)
	b.notice("app")
	store := &deaf{LogoutNotices: b.store, away: true}
	w := backchannel.New(backchannel.Config{
		Store: store, Clients: b.registry, Tokens: b.tokens, HTTP: safehttp.New(b.outbound), Now: b.clock.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: b.metrics,
	})
	b.flush(w)
	store.mu.Lock()
	store.away = false
	store.mu.Unlock()
	b.clock.Advance(31 * time.Second)
	b.flush(w)
	if len(p.tokens()) != 2 || b.left() != 0 {
		t.Errorf("%d told, %d left", len(p.tokens()), b.left())
	}
}

func TestTwoWorkersSendOnce(t *testing.T) {
	t.Parallel()
	p := newParty(t, 200)
	b := setup(t, p)
	b.addClient("app", p.URL)
	const notices = 40
	for range notices {
		b.notice("app")
	}
	for range 20 { // a busy machine puts some off
		if len(p.tokens()) >= notices {
			break
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { b.flush(b.worker()) })
		}
		wg.Wait()
		b.clock.Advance(2 * time.Second)
	}
	sent := map[string]bool{}
	for _, raw := range p.tokens() {
		claims, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var c struct{ SID string }
		if err := json.Unmarshal(claims, &c); err != nil || sent[c.SID] {
			t.Errorf("%s was told twice, %v", c.SID, err)
		}
		sent[c.SID] = true
	}
	if len(sent) != notices {
		t.Errorf("%d of %d were told", len(sent), notices)
	}
}

// A host that does not answer gets few requests, and the others' notices do not wait for it.
func TestADeadHostHoldsUpNobody(t *testing.T) {
	t.Parallel()
	dead, p := newParty(t, 0), newParty(t, 200)
	b := setup(t, p)
	b.impatient()
	b.addClient("dead", dead.URL)
	b.addClient("app", p.URL)
	const notices = 60
	for range notices {
		b.notice("dead") // all before those of the other
	}
	for range 10 {
		b.notice("app")
	}
	w := b.worker()
	for range 3 { // a busy machine puts some off
		b.flush(w)
		b.clock.Advance(time.Second)
	}
	if len(p.tokens()) != 10 {
		t.Errorf("%d of 10 were told", len(p.tokens()))
	}
	if n := len(dead.tokens()); n == 0 || n > 4 {
		t.Errorf("the dead host was asked %d times for %d notices", n, notices)
	}
	// It comes back.
	dead.mu.Lock()
	dead.status = []int{200}
	dead.mu.Unlock()
	for range 20 {
		b.clock.Advance(10 * time.Minute)
		b.flush(w)
	}
	b.want("delivered", notices+10)
}

// Statement 59: only the operator's own clients may name the operator's networks.
func TestStatement59StrangersReachNothing(t *testing.T) {
	t.Parallel()
	p := newParty(t, 200)
	b := setup(t, p)
	now := b.clock.Now()
	metadata, err := json.Marshal(clients.Metadata{BackchannelLogoutURI: p.URL})
	if err != nil {
		t.Fatal(err)
	}
	err = b.store.CreateClient(t.Context(), &storage.Client{ID: "stranger", Metadata: metadata, Origin: storage.OriginRegistration, CreatedAt: now, UpdatedAt: now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.notice("stranger")
	b.flush(b.worker())
	if len(p.tokens()) != 0 {
		t.Error("a stranger's URL led to loopback")
	}
	b.want("retried", 1)
}

func TestRunWakesUp(t *testing.T) {
	t.Parallel()
	p := newParty(t, 200)
	b := setup(t, p)
	b.addClient("app", p.URL)
	w := b.workerThatPolls(time.Hour) // so that only Wake can make it look
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	for range 3 {
		before := len(p.tokens())
		b.notice("app")
		begin := time.Now()
		w.Wake()
		for len(p.tokens()) == before && time.Since(begin) < time.Minute {
			time.Sleep(time.Millisecond)
		}
		if len(p.tokens()) == before {
			t.Fatal("it was not woken")
		}
	}
	cancel()
	<-done
}
