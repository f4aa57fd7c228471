package webhooks_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	wire "latchkey/admin"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// delivery is a request that a receiver got.
type delivery struct {
	http.Header
	body string
}

func (d delivery) id() string { return d.Get("webhook-id") }

// receiver is the application of an operator that gets deliveries.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []delivery
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusNoContent}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil || req.Method != http.MethodPost {
			t.Errorf("%s, %v", req.Method, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, delivery{req.Header, string(body)})
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

// answer sets the status of the answers from now on.
func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// taken returns what came since the last call.
func (r *receiver) taken() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// bundle is a server whose targets may be on this machine.
type bundle struct {
	*servertest.Server
	t *testing.T
}

func loopback(c *server.Config) {
	c.OutboundAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

func setup(t *testing.T, opts ...servertest.Option) *bundle {
	t.Helper()
	b := &bundle{servertest.New(t, append([]servertest.Option{servertest.Configure(loopback)}, opts...)...), t}
	b.Clock.Advance(time.Minute) // behind the events of the setup
	return b
}

// target adds a target and returns its row and its secret.
func (b *bundle) target(n wire.NewWebhook) (*storage.Webhook, string) {
	b.t.Helper()
	w, secret, err := b.Webhooks().Add(b.t.Context(), n, false)
	if err != nil {
		b.t.Fatal(err)
	}
	return w, secret.Reveal()
}

// read reads a target again.
func (b *bundle) read(w *storage.Webhook) *storage.Webhook {
	b.t.Helper()
	w, err := b.Webhooks().Find(b.t.Context(), w.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

// login makes an event of the type login.
func (b *bundle) login() {
	b.t.Helper()
	b.Token(b.Backend, "grant_type", "password", "username", servertest.Username, "password", string(servertest.Password)).Expect(http.StatusOK)
}

// deliver waits until events are old enough, and delivers what is due.
func (b *bundle) deliver() {
	b.t.Helper()
	b.Clock.Advance(3 * time.Second)
	if err := b.DeliverWebhooks(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// events are those with an action, newest first.
func (b *bundle) events(action string) []*storage.AuditEvent {
	b.t.Helper()
	list, err := b.Store.ListAudit(b.t.Context(), storage.AuditFilter{Action: action, Limit: 500})
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// happen makes events of the type login.refused, of nobody.
func (b *bundle) happen(n int) {
	b.t.Helper()
	var all []*storage.AuditEvent
	for range n {
		all = append(all, storage.NewAuditEvent("login_failed", "user", b.Clock.Now().UTC().Truncate(time.Microsecond)))
	}
	for part := range slices.Chunk(all, 500) {
		if err := b.Store.AppendAudit(b.t.Context(), part...); err != nil {
			b.t.Fatal(err)
		}
	}
}

// verified checks the signature with the library of Standard Webhooks. The clock of the server is not the time of this machine.
func verified(t *testing.T, d delivery, secret string) {
	t.Helper()
	w, err := standard.NewWebhook(secret)
	if err == nil {
		err = w.VerifyIgnoringTimestamp([]byte(d.body), d.Header)
	}
	if err != nil {
		t.Errorf("%v: %v %s", err, d.Header, d.body)
	}
	if strings.Contains(d.body, secret) {
		t.Error("the secret is in the body")
	}
}
