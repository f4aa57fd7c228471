package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/latchkeytest"
)

// receiver is the target of a webhook: the ids of deliveries by their bodies.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string][]string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{got: map[string][]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.got[string(body)] = append(r.got[string(body)], req.Header.Get("webhook-id"))
		r.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

// of returns the ids of the deliveries whose bodies contain a text, and in how many bodies they were.
func (r *receiver) of(text string) (ids []string, bodies int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for body, list := range r.got {
		if strings.Contains(body, text) {
			ids, bodies = append(ids, list...), bodies+1
		}
	}
	return ids, bodies
}

// Commands about webhooks, and deliveries of a server, that are killed: what was done is there, nothing is half done, and each event arrives.
func TestKillNineOfWebhooksAtFailpoints(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, onPostgres, _ bool) {
		k := startKilled(t, onPostgres, "LATCHKEY_OUTBOUND_ALLOW=127.0.0.0/8")
		k.killDeliveries()
		k.commandsApart()
		k.killWebhookCommands()
	})
}

// killDeliveries kills the server on the way of an event to its target. The next one delivers it, as the same one, once the lease of the
// dead server is over.
func (k *killed) killDeliveries() {
	k.t.Helper()
	r := newReceiver(k.t)
	k.Run("", "webhook", "add", r.URL, "--type", "user.changed")
	for _, point := range []string{"relay webhook/before", "relay webhook/after", "finish outbox message/before"} {
		name := "victim-of-" + strings.ReplaceAll(strings.ReplaceAll(point, "/", "-"), " ", "-")
		if strings.HasPrefix(point, "finish") {
			k.arm(point) // the server relays without an event too, to renew its lease
		}
		k.Run("", "user", "add", name, "--no-password")
		if !strings.HasPrefix(point, "finish") {
			k.arm(point)
		}
		k.mustDie(point)
		k.serve()
		for end := time.Now().Add(2 * latchkeytest.Patience); ; time.Sleep(50 * time.Millisecond) {
			ids, bodies := r.of(name)
			slices.Sort(ids)
			if len(ids) > 0 {
				if bodies != 1 || len(slices.Compact(ids)) != 1 {
					k.t.Errorf("killed at %s: %d bodies with the ids %q", point, bodies, ids)
				}
				break
			}
			if time.Now().After(end) {
				k.t.Fatalf("killed at %s: the event was not delivered", point)
			}
		}
	}
}

// A change of a webhook that is killed before its commit has done nothing, and after it everything.
func (k *killed) killWebhookCommands() {
	k.t.Helper()
	type hook struct{ ID, Name string }
	list := func() (all []hook) {
		k.t.Helper()
		if err := json.Unmarshal(k.Run("", "webhook", "list", "--json"), &all); err != nil {
			k.t.Fatal(err)
		}
		return all
	}
	add := func() string {
		var h hook
		if err := json.Unmarshal(k.Run("", "webhook", "add", "https://hooks.example.com/in"), &h); err != nil {
			k.t.Fatal(err)
		}
		return h.ID
	}
	named := func(id string) string {
		for _, h := range list() {
			if h.ID == id {
				return h.Name + " is there"
			}
		}
		return "gone"
	}
	for _, c := range []struct {
		decides string
		args    func(id string) []string
		// done reports whether the command has done its work.
		done func(id string, before int) bool
		gone bool
	}{
		{"create webhook", func(string) []string { return []string{"webhook", "add", "https://hooks.example.com/in"} }, func(_ string, before int) bool { return len(list()) == before+1 }, false},
		{"update webhook", func(id string) []string { return []string{"webhook", "update", id, "--name", "new"} }, func(id string, _ int) bool { return named(id) == "new is there" }, false},
		{"update webhook", func(id string) []string { return []string{"webhook", "rotate-secret", id} }, nil, false},
		{"remove webhook", func(id string) []string { return []string{"webhook", "remove", id} }, func(id string, _ int) bool { return named(id) == "gone" }, true},
	} {
		id := add()
		points := k.passed(func() { k.Run("", c.args(id)...) })
		commit := slices.Index(points, c.decides+"/after")
		if commit < 0 {
			k.t.Fatalf("%v passes %q, without %s", c.args(id), points, c.decides)
		}
		for i, point := range []string{points[0], points[commit]} {
			id, committed := add(), i == 1
			before := len(list())
			k.runKilled(point, c.args(id)...)
			if c.done != nil && c.done(id, before) != committed {
				k.t.Errorf("%v, killed at %s: done: %v", c.args(id), point, !committed)
			}
			if _, err := k.Instance.Run(k.t.Context(), "", c.args(id)...); (err != nil) != (c.gone && committed) {
				k.t.Errorf("%v, repeated after %s: %v", c.args(id), point, err)
			}
		}
	}
	for _, h := range list() {
		k.Run("", "webhook", "remove", h.ID)
	}
}
