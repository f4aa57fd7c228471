package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest/eventually"
	"latchkey/server"
	"latchkey/server/keys"
	"latchkey/server/replica"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/testclock"
	"latchkey/storage/teststore"
)

// body is what a GET of the operator's side says.
func (r *running) body(t *testing.T, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + r.admin + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var text strings.Builder
	resp.Write(&text)
	return text.String()
}

// F3: a replica that starts with a wrong clock takes part in nothing until the clock is right.
func TestF3AReplicaThatStartsInTheFutureIsNotReady(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)))
		session := s.LoginSimpleJWT()
		s.Login(s.SPA)
		before := s.Get("/oauth2/jwks").Body
		if _, err := s.Keys().Rotate(t.Context(), keys.ES256, true); err != nil { // so that the first one has an end
			t.Fatal(err)
		}
		ahead := testclock.New(testclock.Epoch.Add(40 * 24 * time.Hour))
		r := launch(t, func(c *server.Config) {
			c.Store, c.Now, c.Root, c.Issuer = teststore.Clocked(s.Store, s.Clock.Now), ahead.Now, s.Root(), s.URL
		})
		eventually.True(t, "it says why it is not ready", func() bool {
			return strings.Contains(r.body(t, "/readyz"), "this machine's clock is 960h0m0s ahead of the database's")
		})
		eventually.True(t, "the key set is served", func() bool { return r.status(t, r.public, "/oauth2/jwks") == 200 })
		resp, err := http.Post("http://"+r.public+"/api/token/refresh/", "application/json", strings.NewReader(`{"refresh":"`+session.Refresh+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("a refresh there: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
		}
		time.Sleep(1200 * time.Millisecond) // it tries to start every second
		grants, err := s.Store.ListGrants(t.Context(), storage.GrantFilter{Limit: 10})
		if err != nil || len(grants) != 2 {
			t.Errorf("of the sessions %d are left, %v", len(grants), err)
		}
		if strings.Count(s.Get("/oauth2/jwks").Body, `"kid"`) != strings.Count(before, `"kid"`)+1 {
			t.Error("signing keys were removed")
		}
		if n := strings.Count(r.log.String(), "this machine's clock is wrong"); n != 1 {
			t.Errorf("it was logged %d times", n)
		}
		s.RefreshSimpleJWT(session.Refresh).Expect(200)

		ahead.Advance(-40 * 24 * time.Hour)
		eventually.True(t, "it is ready once the clock is right", func() bool { return r.status(t, r.admin, "/readyz") == 200 })
	})
}

// A server whose clock is wrong from its start is not ready, and is among the servers that doctor and the console show, until it stops.
func TestAReplicaThatStartsWithAWrongClockIsSeen(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		for name, ahead := range map[string]time.Duration{"ahead": 90 * time.Second, "behind": -2 * time.Minute} {
			store := open(t)
			database, own := testclock.New(testclock.Epoch), testclock.New(testclock.Epoch.Add(ahead))
			r := launch(t, func(c *server.Config) { c.Store, c.Now = teststore.Clocked(store, database.Now), own.Now })
			list := func() []replica.View {
				views, err := replica.List(t.Context(), store, database.Now())
				if err != nil {
					t.Fatal(err)
				}
				return views
			}
			eventually.True(t, "it is seen", func() bool { return len(list()) == 1 })
			if v := list()[0]; !v.Wrong || v.Silent || v.Ahead != ahead || !v.StartedAt.Equal(database.Now()) {
				t.Errorf("%s: %+v", name, v)
			}
			if ready := r.body(t, "/readyz"); !strings.Contains(ready, "this machine's clock is") {
				t.Errorf("%s: %s", name, ready)
			}
			r.stop()
			r.wait(t, time.Minute)
			if got := list(); len(got) != 0 {
				t.Errorf("%s: after the stop there are %+v", name, got)
			}
		}
	})
}

// F3: what a clock that goes wrong later finds to have ended is not removed, and the server is not ready.
func TestF3AClockThatGoesWrongRemovesNothing(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"ahead": 90 * 24 * time.Hour, "a little too far": 61 * time.Second, "behind": -2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := testclock.New(testclock.Epoch)
			s := servertest.New(t, servertest.DatabaseClock(database.Now))
			session := s.LoginSimpleJWT()
			expiring(t, s.Store, database.Now().Add(30*time.Second))
			s.Clock.Advance(off)
			ready := s.Get(s.Admin + "/readyz").Expect(503).Body
			if !strings.Contains(ready, "this machine's clock is") {
				t.Errorf("not ready: %s", ready)
			}
			s.RefreshSimpleJWT(session.Refresh).Expect(503)
			background(t, s)
			time.Sleep(300 * time.Millisecond)
			if n := removed(t, s); n != 0 {
				t.Errorf("%d rows were removed", n)
			}
			s.Clock.Advance(-off)
			time.Sleep(1100 * time.Millisecond) // probes share an answer for a second
			s.Get(s.Admin + "/readyz").Expect(200)
			s.RefreshSimpleJWT(session.Refresh).Expect(200)
		})
	}
}

// F3: within what is permitted, the earlier clock says what has ended.
func TestF3TheEarlierClockSaysWhatHasEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ahead time.Duration
		want  int
	}{"ahead": {30 * time.Second, 2}, "together": {0, 2}, "behind": {-30 * time.Second, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := testclock.New(testclock.Epoch)
			s := servertest.New(t, servertest.DatabaseClock(database.Now))
			for _, ends := range []time.Duration{10 * time.Second, -10 * time.Second, -time.Hour} {
				expiring(t, s.Store, database.Now().Add(ends))
			}
			s.Clock.Advance(c.ahead)
			background(t, s)
			eventually.True(t, "what both clocks find to have ended is removed", func() bool { return removed(t, s) > 0 })
			if n := removed(t, s); n != c.want {
				t.Errorf("%d rows were removed, want %d", n, c.want)
			}
		})
	}
}

// F3: an operator's machine whose clock is ahead retires the one key, and removes no other.
func TestF3RetiringAKeyRemovesNoOther(t *testing.T) {
	t.Parallel()
	database := testclock.New(testclock.Epoch)
	s := servertest.New(t, servertest.DatabaseClock(database.Now))
	old := s.Keys().List()[0].KID
	if _, err := s.Keys().Rotate(t.Context(), keys.ES256, true); err != nil {
		t.Fatal(err)
	}
	next, err := s.Keys().Rotate(t.Context(), keys.ES256, true)
	if err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(40 * 24 * time.Hour)
	if err := s.Keys().Retire(t.Context(), next.KID); err != nil {
		t.Fatal(err)
	}
	rows, err := s.Store.ListSigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, row := range rows {
		kept[row.KID] = true
	}
	if kept[next.KID] || !kept[old] {
		t.Errorf("left are %v; %s was retired, and %s lives", kept, next.KID, old)
	}
}

// expiring adds a row that ends at a time.
func expiring(t *testing.T, s storage.Store, at time.Time) {
	t.Helper()
	id := storage.NewID(at)
	p := &storage.PushedRequest{Hash: storage.Digest(append(id[:], id[:]...)), ClientID: "c", CreatedAt: at.Add(-time.Minute), ExpiresAt: at}
	if err := s.CreatePushedRequest(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// background runs the background work until the test ends.
func background(t *testing.T, s *servertest.Server) {
	ctx, cancel := context.WithCancel(t.Context())
	wait := s.Background(ctx)
	t.Cleanup(func() { cancel(); wait() })
}

// removed is how many pushed requests the cleaning has removed.
func removed(t *testing.T, s *servertest.Server) int {
	t.Helper()
	for n := range 10 {
		if strings.Contains(s.Get(s.Admin+"/metrics").Body, `latchkey_maintenance_removed_total{kind="pushed_requests"} `+string(rune('0'+n))) {
			return n
		}
	}
	return 0
}
