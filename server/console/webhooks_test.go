package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	wire "latchkey/admin"
	"latchkey/server"
	"latchkey/server/console"
	"latchkey/server/servertest"
	"latchkey/server/webhooks"
	"latchkey/storage"
)

// receiving returns a server whose webhooks may be on this machine, an operator's browser, and a receiver that answers with a status.
func receiving(t *testing.T) (s *servertest.Server, b *servertest.Browser, url string, status *atomic.Int32) {
	t.Helper()
	s, b = operating(t, servertest.Configure(func(c *server.Config) { c.OutboundAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }))
	status = &atomic.Int32{}
	status.Store(http.StatusAccepted)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	t.Cleanup(receiver.Close)
	return s, b, receiver.URL, status
}

// one returns the only webhook.
func one(t *testing.T, s *servertest.Server) *storage.Webhook {
	t.Helper()
	list, err := s.Webhooks().List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%d webhooks, %v; want 1", len(list), err)
	}
	return list[0]
}

// Issue 14, point 2: a webhook is added, tried, changed, gets a new secret, is disabled and removed, by the rules of the API.
func TestWebhooksInTheConsole(t *testing.T) {
	t.Parallel()
	s, b, url, status := receiving(t)
	form := b.Get(console.WebhooksPath).Form(console.WebhooksPath)
	page := form.Set("url", "ftp://example.com/<b>", "name", "SIEM", "types.login", "1").Submit()
	has(t, page, "can’t be saved like this", "ftp://example.com/&lt;b&gt;", `name="types.login" value="1" checked`)
	page = page.Form(console.WebhooksPath).Set("url", " "+url+"/hook ").Submit()
	has(t, page, "The webhook has been added.", "not shown again", "/hook", "Delivering")
	secret := between(page.Body, "whsec_")
	w := one(t, s)
	if len(w.Types) != 1 || w.Types[0] != "login" || w.Name != "SIEM" {
		t.Errorf("it was stored as %+v", w)
	}
	id := w.ID.String()
	show := console.WebhookPath + "?id=" + id
	if strings.Contains(b.Get(show).Body, "whsec_") {
		t.Error("the secret is shown again")
	}
	do := func(pairs ...string) *servertest.Page {
		return b.Post(console.WebhookPath, append([]string{"id", id}, pairs...)...)
	}

	has(t, do("do", "test"), "The test was taken.", "202, ")
	status.Store(http.StatusTeapot)
	has(t, do("do", "test"), "The test was not taken:", "418")
	has(t, b.Get(console.WebhooksPath), "Failing", "418", "SIEM")

	version := fmt.Sprint(w.Version)
	has(t, do("do", "change", "version", version, "url", url+"/other", "name", "Log"), "The changes have been saved.", "/other", "All")
	has(t, do("do", "change", "version", version, "url", url+"/stale"), "It was changed meanwhile.", "/other") // as with If-Match
	has(t, do("do", "change", "version", fmt.Sprint(one(t, s).Version), "url", "https://10.0.0.1/"), "can’t be saved like this", "https://10.0.0.1/")
	if w := one(t, s); w.URL != url+"/other" || w.Name != "Log" || len(w.Types) != 0 {
		t.Errorf("it was changed to %+v", w)
	}

	page = do("do", "rotate", "keep", "1h")
	has(t, page, "The webhook has a new secret.", "The secret before is used until")
	if rotated := between(page.Body, "whsec_"); rotated == secret {
		t.Error("the secret was not replaced")
	}
	has(t, do("do", "disable"), "Disabled.", "An operator has disabled it")
	has(t, do("do", "enable"), "Enabled.", "Failing")
	for _, bad := range [][]string{{"do", ""}, {"do", "x"}, {"do", "rotate", "keep", "forever"}, {"do", "rotate"}} {
		if page := do(bad...); page.Status != http.StatusBadRequest {
			t.Errorf("%q: status %d", bad, page.Status)
		}
	}
	page = do("do", "remove")
	has(t, page, "Remove this webhook?", "/other")
	one(t, s)
	has(t, page.Form(console.WebhookPath).Submit(), "Removed.", "Nothing here.")
	if page := b.Get(show); page.Status != http.StatusNotFound {
		t.Errorf("after its removal: status %d", page.Status)
	}
	for _, action := range []string{"webhook_created", "webhook_updated", "webhook_secret_rotated", "webhook_removed"} {
		events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: action, Limit: 1})
		if err != nil || len(events) != 1 || events[0].ActorID != fmt.Sprint(servertest.UserID) {
			t.Errorf("%s: %d events, %v; want one of the operator", action, len(events), err)
		}
	}
}

// Each change of a webhook needs a recent login, also a test, which sends something.
func TestAWebhookNeedsARecentLogin(t *testing.T) {
	t.Parallel()
	s, b, url, _ := receiving(t)
	w, _, err := s.Webhooks().Add(t.Context(), wire.NewWebhook{URL: url}, false)
	if err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(11 * time.Minute)
	id := w.ID.String()
	for _, what := range []string{"change", "rotate", "disable", "test", "remove"} {
		if page := b.Post(console.WebhookPath, "id", id, "do", what, "keep", "0s", "confirm", "1"); !page.Has("/login") {
			t.Errorf("%s leads to %s", what, page.URL)
		}
	}
	if page := b.Post(console.WebhooksPath, "url", url); !page.Has("/login") {
		t.Errorf("adding leads to %s", page.URL)
	}
	if now := one(t, s); now.Version != w.Version || !now.LastAttemptAt.IsZero() {
		t.Errorf("it was changed to %+v", now)
	}
}

// A target that has answered 410 says so, and there can be only so many.
func TestADisabledWebhookSaysWhy(t *testing.T) {
	t.Parallel()
	s, b, url, status := receiving(t)
	s.Clock.Advance(time.Minute)
	w, _, err := s.Webhooks().Add(t.Context(), wire.NewWebhook{URL: url}, false)
	if err != nil {
		t.Fatal(err)
	}
	status.Store(http.StatusGone)
	s.Browser().SignIn()
	s.Clock.Advance(5 * time.Second)
	if err := s.DeliverWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(t, b.Get(console.WebhookPath+"?id="+w.ID.String()), "It has answered 410 Gone", ">410<", "Enable webhook")
	for range webhooks.MaxTargets - 1 {
		if _, _, err := s.Webhooks().Add(t.Context(), wire.NewWebhook{URL: url}, false); err != nil {
			t.Fatal(err)
		}
	}
	has(t, b.Post(console.WebhooksPath, "url", url), "as many webhooks as there may be", "20", url)
}
