package webhooks_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	wire "latchkey/admin"
	"latchkey/server/trail"
	"latchkey/storage"
)

// Each event is delivered to each target that wants it, signed as Standard Webhooks says, with what the stream of events shows of it.
func TestEventsAreDelivered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all, some := newReceiver(t), newReceiver(t)
	_, secret := b.target(wire.NewWebhook{URL: all.URL + "/hook?token=x"})
	_, other := b.target(wire.NewWebhook{URL: some.URL, Types: []string{"user.changed", "login.refused"}})
	b.login()
	b.Token(b.Backend, "grant_type", "password", "username", "alice", "password", "wrong").ExpectError(http.StatusBadRequest, "invalid_grant")
	b.deliver()

	got := all.taken()
	if len(got) != 2 || len(some.taken()) != 1 {
		t.Fatalf("%d deliveries: %v", len(got), got)
	}
	e := b.events("login_succeeded")[0]
	shown, err := trail.NewReader(b.Store).Describe(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	d := got[0]
	if d.id() != e.ID.String() { // the two may come in any order
		d = got[1]
	}
	if d.id() != e.ID.String() || d.Get("Content-Type") != "application/json" || d.Get("User-Agent") != "Latchkey" ||
		d.Get("webhook-timestamp") != strconv.FormatInt(b.Clock.Now().Unix(), 10) {
		t.Errorf("headers %v", d.Header)
	}
	verified(t, d, secret)
	if err := json.Unmarshal([]byte(d.body), new(map[string]any)); err != nil {
		t.Fatal(err)
	}
	var body struct {
		Type      string
		Timestamp time.Time
		Data      wire.AuditEvent
	}
	if err := json.Unmarshal([]byte(d.body), &body); err != nil {
		t.Fatal(err)
	}
	if body.Type != "login" || !body.Timestamp.Equal(e.At) {
		t.Errorf("body %s", d.body)
	}
	if diff := cmp.Diff(shown, body.Data); diff != "" || body.Data.Username != "alice" {
		t.Errorf("- shown, + delivered\n%s", diff)
	}
	if secret == other || !strings.HasPrefix(secret, "whsec_") {
		t.Error("the secrets are not drawn")
	}
	b.deliver()
	if got := append(all.taken(), some.taken()...); len(got) > 0 {
		t.Errorf("delivered again: %v", got)
	}
}

// A delivery that is not taken is tried again as Standard Webhooks proposes, with the same id and body, for three days; then it is abandoned,
// which the state of the target, the metrics and the audit trail have.
func TestDeliveriesAreRetriedForThreeDays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, secret := b.target(wire.NewWebhook{URL: r.URL, Name: "SIEM"})
	r.answer(http.StatusInternalServerError)
	b.login()
	b.deliver()
	got := r.taken()
	first := b.Clock.Now()
	var at []time.Duration
	for range 100 * 12 { // 100 hours in steps of five minutes
		b.Clock.Advance(5 * time.Minute)
		if err := b.DeliverWebhooks(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, d := range r.taken() {
			got, at = append(got, d), append(at, b.Clock.Now().Sub(first))
		}
	}
	if len(got) != 10 || at[8] < 75*time.Hour || at[8] > 80*time.Hour {
		t.Fatalf("%d attempts, the later ones after %v", len(got), at)
	}
	stamps := map[string]bool{}
	for _, d := range got {
		if d.id() != got[0].id() || d.body != got[0].body {
			t.Errorf("another attempt is %s %s", d.id(), d.body)
		}
		verified(t, d, secret)
		stamps[d.Get("webhook-timestamp")] = true
	}
	if len(stamps) != 10 {
		t.Errorf("%d times of %d attempts", len(stamps), len(got))
	}
	w = b.read(w)
	if w.Abandoned != 1 || w.LastStatus != 500 || !strings.Contains(w.LastError, "500") || w.FailingSince.Sub(first).Abs() > time.Second || !w.DisabledAt.IsZero() {
		t.Errorf("state %+v", w.WebhookState)
	}
	events := b.events("webhook_delivery_abandoned")
	if len(events) != 1 || !strings.Contains(string(events[0].Details), w.ID.String()) || events[0].Outcome != "failure" {
		t.Errorf("audit events %v", events)
	}
	r.answer(http.StatusOK)
	b.login()
	b.deliver()
	if got := r.taken(); len(got) != 1 || !b.read(w).FailingSince.IsZero() || b.read(w).LastError != "" {
		t.Errorf("after its recovery: %v, %+v", got, b.read(w).WebhookState)
	}
}

// RFC 9110 §15.5.11, Standard Webhooks: 410 Gone ends deliveries. An operator can turn them on again.
func TestATargetThatIsGoneIsDisabled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, _ := b.target(wire.NewWebhook{URL: r.URL})
	r.answer(http.StatusGone)
	b.login()
	b.deliver()
	r.taken()
	b.login()
	b.deliver()
	w = b.read(w)
	if got := r.taken(); len(got) > 0 || w.DisabledAt.IsZero() || w.DisabledReason != "gone" || w.Abandoned != 1 {
		t.Errorf("%d deliveries to %+v", len(got), w)
	}
	if e := b.events("webhook_disabled"); len(e) != 1 || e[0].Actor != "server" || e[0].Reason != "gone" {
		t.Errorf("audit events %v", e)
	}
	r.answer(http.StatusOK)
	b.Clock.Advance(time.Minute)
	if _, err := b.Webhooks().Update(t.Context(), w, wire.WebhookChange{Enabled: new(true)}, false); err != nil {
		t.Fatal(err)
	}
	b.login()
	b.deliver()
	if got := r.taken(); len(got) != 1 { // not what happened meanwhile
		t.Errorf("%d deliveries after it was enabled", len(got))
	}
}

// What a target answers otherwise is a failure that another attempt may mend: redirects are not followed, the network is as --outbound-allow says.
func TestFailuresAreShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, _ := b.target(wire.NewWebhook{URL: r.URL})
	for status, want := range map[int]string{302: "redirects are not followed", 404: "status 404 Not Found", 429: "status 429", 503: "status 503"} {
		r.answer(status)
		b.login()
		b.deliver()
		if got := r.taken(); len(got) == 0 {
			t.Errorf("%d: no attempt", status)
		}
		b.Clock.Advance(time.Minute)
		tried, err := b.Webhooks().Test(t.Context(), w)
		if err != nil || tried.Delivered || tried.Status != status || !strings.Contains(tried.Error, want) {
			t.Errorf("%d: %+v, %v", status, tried, err)
		}
		if now := b.read(w); now.LastStatus != int64(status) || now.LastError != tried.Error || now.FailingSince.IsZero() {
			t.Errorf("%d: %+v", status, now.WebhookState)
		}
		r.taken()
	}
	r.Close()
	if tried, err := b.Webhooks().Test(t.Context(), w); err != nil || tried.Delivered || tried.Status != 0 || tried.Error == "" || strings.Contains(tried.Error, "POST") {
		t.Errorf("nobody listens: %+v, %v", tried, err)
	}
}

// A name that leads to a private network at the time of the delivery gets none, whatever it led to before.
func TestPrivateNetworksGetNoDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, _ := b.target(wire.NewWebhook{URL: r.URL})
	w.URL = strings.Replace(r.URL, "127.0.0.1", "[::1]", 1) // it is not among the networks that are allowed
	if err := b.Store.UpdateWebhook(t.Context(), w, nil); err != nil {
		t.Fatal(err)
	}
	b.login()
	b.deliver()
	if got := r.taken(); len(got) > 0 || b.read(w).LastError == "" {
		t.Errorf("delivered %v, state %+v", got, b.read(w).WebhookState)
	}
}

// While a replaced secret is kept, deliveries are signed with both.
func TestAReplacedSecretOverlaps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, old := b.target(wire.NewWebhook{URL: r.URL})
	w, secret, err := b.Webhooks().RotateSecret(t.Context(), w, time.Hour, false)
	if err != nil {
		t.Fatal(err)
	}
	b.login()
	b.deliver()
	d := r.taken()[0]
	verified(t, d, old)
	verified(t, d, secret.Reveal())
	b.Clock.Advance(time.Hour)
	tried, err := b.Webhooks().Test(t.Context(), w)
	if err != nil || !tried.Delivered {
		t.Fatalf("%+v %v", tried, err)
	}
	d = r.taken()[0]
	verified(t, d, secret.Reveal())
	if signatures := d.Get("webhook-signature"); strings.Contains(signatures, " ") {
		t.Errorf("still signed with both: %s", signatures)
	}
	if d.id() != tried.ID || !strings.HasPrefix(d.body, `{"type":"ping",`) {
		t.Errorf("the test was %s %s", d.id(), d.body)
	}
}

// A delivery that its server had claimed when it died is made by another one, with the same id.
func TestADeliveryThatWasClaimedByADeadServerIsMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, _ := b.target(wire.NewWebhook{URL: r.URL})
	r.answer(http.StatusServiceUnavailable)
	b.login()
	b.deliver()
	id := r.taken()[0].id()
	b.Clock.Advance(10 * time.Second)
	claimed, err := b.Store.ClaimOutboxMessages(t.Context(), w.Kind(), b.Clock.Now(), 30*time.Second, 10)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("%v %v", claimed, err)
	}
	r.answer(http.StatusOK)
	b.deliver()
	if got := r.taken(); len(got) > 0 {
		t.Errorf("delivered while another server has it: %v", got)
	}
	b.Clock.Advance(30 * time.Second)
	b.deliver()
	if got := r.taken(); len(got) != 1 || got[0].id() != id {
		t.Errorf("delivered %v, want %s", got, id)
	}
}

// With a target goes what waits for it.
func TestARemovedTargetGetsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, _ := b.target(wire.NewWebhook{URL: r.URL})
	r.answer(http.StatusBadGateway)
	b.login()
	b.deliver()
	r.taken()
	if err := b.Webhooks().Remove(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	r.answer(http.StatusOK)
	b.Clock.Advance(time.Hour)
	b.login()
	b.deliver()
	if got := r.taken(); len(got) > 0 {
		t.Errorf("delivered %v", got)
	}
	if n, _, err := b.Store.WaitingOutboxMessages(t.Context(), storage.WebhookKind(w.ID)); err != nil || n > 0 {
		t.Errorf("%d wait, %v", n, err)
	}
}
