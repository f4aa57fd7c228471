package admin_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/server/admin"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
)

// streamed is an event of a stream.
type streamed struct{ id, kind, data string }

// follow opens a stream, which ends with the test, and returns what reads the next event.
func (b *bundle) follow(query string, edits ...servertest.Edit) func() streamed {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	b.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Admin+admin.Prefix+"/events"+query, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	for _, edit := range edits {
		edit(r)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		b.t.Fatalf("%s: %d %s", query, answer.StatusCode, answer.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(answer.Body)
	return func() (e streamed) {
		b.t.Helper()
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "id":
				e.id = value
			case name == "event":
				e.kind = value
			case name == "data":
				e.data = value
			case name == "" && e.id != "" && value == "":
				return e
			}
		}
		b.t.Fatalf("the stream ended: %v", lines.Err())
		return e
	}
}

// A stream has what happens from now on, on other replicas too, in order; with the id of an event it goes on behind it.
func TestEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call("POST", "/users", `{"username":"before"}`).Expect(http.StatusCreated)
	b.Clock.Advance(time.Minute)
	next := b.follow("?type=user.changed")
	b.call("POST", "/users", `{"username":"bob"}`).Expect(http.StatusCreated)
	b.Clock.Advance(10 * time.Millisecond) // IDs of one millisecond have no order
	b.call("PATCH", "/users/1", `{"name":"Alice"}`, anyway).Expect(http.StatusOK)
	b.Clock.Advance(10 * time.Millisecond)
	// Another replica, whose event came to the database late: its id is lower.
	late := storage.NewAuditEvent("password_changed", "user", b.Clock.Now())
	b.Clock.Advance(5 * time.Second)
	first, second := next(), next()
	if first.kind != "user.changed" || !strings.Contains(first.data, `"user_created"`) || !strings.Contains(first.data, `"username":"bob"`) {
		t.Errorf("first %+v", first)
	}
	if !strings.Contains(second.data, `"user_updated"`) {
		t.Errorf("second %+v", second)
	}
	late.ID = storage.NewIDFrom(late.At, [10]byte{})
	if err := b.Store.AppendAudit(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if third := next(); third.id != late.ID.String() {
		t.Errorf("third %+v, want the late one", third)
	}
	b.Clock.Advance(time.Hour)
	b.token = b.issue(b.root, allScopes())
	again := b.follow("?type=user.changed", servertest.Header("Last-Event-ID", first.id))
	if got := again(); got != second {
		t.Errorf("resumed with %+v, want %+v", got, second)
	}
	every := b.follow("", servertest.Header("Last-Event-ID", first.id))
	if got := every(); got.id != second.id {
		t.Errorf("all: %+v", got)
	}
}

// A stream outlives the time that a listener has for a request and its answer.
func TestStreamsOutliveTheTimeoutsOfTheListener(t *testing.T) {
	t.Parallel()
	b := setup(t)
	short := httptest.NewUnstartedServer(b.AdminHandler())
	short.Config.ReadTimeout, short.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	short.Start()
	t.Cleanup(short.Close)
	b.Admin = short.URL
	next := b.follow("?type=user.changed")
	time.Sleep(time.Second) // both are over
	if _, err := b.Users().Add(t.Context(), users.NewUser{Username: "bob", Active: true}); err != nil {
		t.Fatal(err)
	}
	b.Clock.Advance(5 * time.Second)
	if e := next(); !strings.Contains(e.data, "user_created") {
		t.Errorf("event %+v", e)
	}
}

// A stream with a bad id or type is refused; one more than there may be is refused until another one has ended.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.problem(b.call("GET", "/events", "", servertest.Header("Last-Event-ID", "1")), http.StatusUnprocessableEntity)
	b.problem(b.call("GET", "/events?type=other", ""), http.StatusUnprocessableEntity)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 50 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Admin+admin.Prefix+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+b.token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("status %d", answer.StatusCode)
		}
	}
	b.problem(b.call("GET", "/events", ""), http.StatusTooManyRequests)
	cancel()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		short, stop := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(short, http.MethodGet, b.Admin+admin.Prefix+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+b.token)
		answer, err := http.DefaultClient.Do(r)
		stop()
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatal("streams that have ended still count")
		}
	}
}
