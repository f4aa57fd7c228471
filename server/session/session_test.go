package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/request"
	"latchkey/server/password"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
	"latchkey/storage/teststore"
)

const secret = "correct horse battery staple"

type bundle struct {
	*session.Manager
	store *counting
	users *users.Service
	reg   *registry.Registry
	clock *testclock.Clock
	t     *testing.T
}

func setup(t *testing.T) *bundle {
	t.Helper()
	return setupOn(t, sqlitetest.SQLite)
}

func setupOn(t *testing.T, open func(testing.TB) storage.Store) *bundle {
	t.Helper()
	b := &bundle{clock: testclock.New(testclock.Epoch), t: t}
	b.store = &counting{Store: open(t)}
	b.reg = registry.New(registry.Config{Store: b.store, MACKeys: [][]byte{key('m')}, Now: b.clock.Now})
	b.users = users.New(users.Config{
		Store: b.store, Argon2: password.Argon2{Memory: 8, Time: 1, Threads: 1}, Now: b.clock.Now,
		Notices: (&session.Notifier{Store: b.store, Clients: b.reg, Now: b.clock.Now}).Notices,
	})
	b.Manager = b.manager(key('a'))
	b.add(1, "alice")
	b.add(2, "bob")
	return b
}

func key(c byte) []byte { return []byte(strings.Repeat(string(c), 32)) }

func (b *bundle) manager(keys ...[]byte) *session.Manager {
	return session.New(session.Config{Store: b.store, Users: b.users, Audit: &audit.Log{Store: b.store, Now: b.clock.Now}, Clients: b.reg, Keys: keys, Now: b.clock.Now})
}

func (b *bundle) add(id int64, name string) {
	b.t.Helper()
	password := storage.Secret(secret)
	if _, err := b.users.Add(b.t.Context(), users.NewUser{ID: id, Username: name, Password: &password, Active: true}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) authenticate(name string) *users.Authenticated {
	b.t.Helper()
	who, err := b.users.Authenticate(b.t.Context(), name, secret)
	if err != nil {
		b.t.Fatal(err)
	}
	return who
}

// with makes a request with the cookie.
func (b *bundle) with(value string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	if value != "" {
		r.AddCookie(&http.Cookie{Name: session.CookieName, Value: value})
	}
	info := &request.Info{ID: "r1", Address: netip.MustParseAddr("192.0.2.7"), UserAgent: "curl", Event: new(request.Event)}
	return r.WithContext(request.With(b.t.Context(), info))
}

// find gives the session of the cookie.
func (b *bundle) find(value string) *storage.LiveBrowserSession {
	b.t.Helper()
	s, err := b.Find(b.with(value), "")
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// login signs somebody in in the browser that has the cookie, and gives the cookie that the browser has then.
func (b *bundle) login(name, value string, remember bool) (*storage.LiveBrowserSession, *http.Cookie) {
	b.t.Helper()
	w := httptest.NewRecorder()
	s, err := b.Start(w, b.with(value), b.authenticate(name), remember, b.find(value))
	if err != nil {
		b.t.Fatal(err)
	}
	return s, cookie(b.t, w)
}

func cookie(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	list := w.Result().Cookies()
	if len(list) != 1 {
		t.Fatalf("%d cookies", len(list))
	}
	return list[0]
}

// counting counts round trips, and can be taken away.
type counting struct {
	storage.Store
	reads, touches atomic.Int32
	away           atomic.Bool
}

var errAway = fmt.Errorf("connect: %w", storage.ErrUnavailable)

func (c *counting) BrowserSession(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveBrowserSession, error) {
	c.reads.Add(1)
	if c.away.Load() {
		return nil, errAway
	}
	return c.Store.BrowserSession(ctx, hash, clientID)
}

func (c *counting) TouchBrowserSession(ctx context.Context, hash storage.Digest, now time.Time) error {
	c.touches.Add(1)
	return c.Store.TouchBrowserSession(ctx, hash, now)
}

func TestStatement48SessionCookie(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, c := b.login("alice", "", false)
	if c.Name != "__Host-latchkey_session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie is %s", c.Raw)
	}
	if c.MaxAge != 0 || !c.Expires.IsZero() {
		t.Errorf("the cookie outlives the browser: %s", c.Raw)
	}
	if _, kept := b.login("alice", "", true); kept.MaxAge != int(session.DefaultRememberTTL/time.Second) {
		t.Errorf("the cookie of who is to be remembered lasts %d s", kept.MaxAge)
	}
	w := httptest.NewRecorder()
	if err := b.End(w, b.with(c.Value), b.find(c.Value)); err != nil {
		t.Fatal(err)
	}
	if gone := cookie(t, w); gone.MaxAge >= 0 || gone.Value != "" || !gone.Secure || gone.Path != "/" {
		t.Errorf("at the sign-out the cookie is %s", gone.Raw)
	}
}

func TestStatement13CookieIsNewAtEverySignIn(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		cookieIsNewAtEverySignIn(t, setupOn(t, open))
	})
}

func cookieIsNewAtEverySignIn(t *testing.T, b *bundle) {
	t.Helper()
	planted, attackers := b.login("bob", "", false)
	first, c1 := b.login("alice", attackers.Value, false) // in a browser that the attacker has prepared
	if c1.Value == attackers.Value || first.ID == planted.ID {
		t.Error("the victim goes on with the session of the attacker")
	}
	if b.find(attackers.Value) != nil {
		t.Error("the attacker's cookie is still good")
	}
	again, c2 := b.login("alice", c1.Value, false)
	if c2.Value == c1.Value || b.find(c1.Value) != nil {
		t.Error("a new sign-in keeps the cookie")
	}
	if again.ID != first.ID || !again.CreatedAt.Equal(first.CreatedAt) {
		t.Error("the same user has another session")
	}
	if s := b.find(c2.Value); s == nil || s.UserID != 1 || s.User.Username != "alice" || s.Address != "192.0.2.7" || s.UserAgent != "curl" {
		t.Errorf("the session is %+v", s)
	}
	made := clients.NewSecret("lk_bs_").Reveal()
	if _, c3 := b.login("alice", made, false); c3.Value == made || b.find(made) != nil {
		t.Error("a value that somebody has made up is taken")
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	type ending func(b *bundle, id storage.ID, cookie string) error
	advance := func(d time.Duration) ending {
		return func(b *bundle, _ storage.ID, _ string) error { b.clock.Advance(d); return nil }
	}
	use := func(d time.Duration) ending { // each hour, until then
		return func(b *bundle, _ storage.ID, cookie string) error {
			for ; d > time.Hour; d -= time.Hour {
				b.clock.Advance(time.Hour)
				b.find(cookie)
			}
			b.clock.Advance(d)
			return nil
		}
	}
	act := func(f func(b *bundle) error) ending {
		return func(b *bundle, _ storage.ID, _ string) error { return f(b) }
	}
	endBy := func(userID int64) ending {
		return func(b *bundle, id storage.ID, _ string) error { return b.EndOther(b.t.Context(), userID, id) }
	}
	for name, c := range map[string]struct {
		remember bool
		end      ending
		alive    bool
	}{
		"just before the idle end":      {end: advance(8*time.Hour - time.Second), alive: true},
		"idle end":                      {end: advance(8 * time.Hour)},
		"remembered, no idle end":       {remember: true, end: advance(29 * 24 * time.Hour), alive: true},
		"remembered, absolute end":      {remember: true, end: advance(30 * 24 * time.Hour)},
		"used until the absolute end":   {end: use(24*time.Hour - time.Minute), alive: true},
		"used, but at the absolute end": {end: use(24 * time.Hour)},
		"the user's sessions ended":     {end: act(func(b *bundle) error { return b.users.EndSessions(b.t.Context(), 1) })},
		"another user's sessions ended": {end: act(func(b *bundle) error { return b.users.EndSessions(b.t.Context(), 2) }), alive: true},
		"password changed":              {end: act(func(b *bundle) error { return b.users.SetPassword(b.t.Context(), 1, "another") })},
		"disabled":                      {end: act(func(b *bundle) error { return b.users.Disable(b.t.Context(), 1) })},
		"removed":                       {end: act(func(b *bundle) error { return b.users.Remove(b.t.Context(), 1) })},
		"ended by its user":             {end: endBy(1)},
		"another user names its ID":     {end: endBy(2), alive: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			s, cookie := b.login("alice", "", c.remember)
			if err := c.end(b, s.ID, cookie.Value); err != nil {
				t.Fatal(err)
			}
			if list, err := b.List(t.Context(), 1, 10); err != nil || len(list) == 1 != c.alive {
				t.Errorf("listed: %v (%v), want %v", len(list) == 1, err, c.alive)
			}
			if got := b.find(cookie.Value) != nil; got != c.alive {
				t.Errorf("alive: %v, want %v", got, c.alive)
			}
		})
	}
}

func TestMalformedCookieCostsNoQuery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	long := strings.TrimPrefix(clients.NewSecret("lk_bs_").Reveal(), "lk_bs_")
	for _, value := range []string{
		"x", "lk_bs_", "lk_bs_" + long[1:], "lk_bs_" + long + "A", "lk_rt_" + long, long, "lk_bs_" + long[1:] + "=",
		"lk_bs_" + long[1:] + "+", "LK_BS_" + long, strings.Repeat("x", 4000), "lk_bs_" + strings.Repeat("A", len(long)),
	} {
		if b.find(value) != nil {
			t.Errorf("%q is somebody", value)
		}
	}
	if got := b.store.reads.Load(); got != 0 {
		t.Errorf("%d queries", got)
	}
	b.find("lk_bs_" + long)
	if got := b.store.reads.Load(); got != 1 {
		t.Errorf("%d queries for a well-formed one", got)
	}
}

func TestOutageIsNotSignedOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, c := b.login("alice", "", false)
	b.store.away.Store(true)
	if s, err := b.Find(b.with(c.Value), ""); s != nil || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%v, %v", s, err)
	}
	if s, err := b.Find(b.with(""), ""); s != nil || err != nil {
		t.Errorf("without a cookie: %v, %v", s, err)
	}
}

func TestSessionIsTouchedOnceAMinute(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, c := b.login("alice", "", false)
	for range 10 {
		b.find(c.Value)
		b.clock.Advance(20 * time.Second)
	}
	if got := b.store.touches.Load(); got != 3 {
		t.Errorf("%d touches in three minutes", got)
	}
	if got := b.store.reads.Load(); got != 10 {
		t.Errorf("%d reads for ten requests", got)
	}
}

func TestSessionsOutliveTheKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, c := b.login("alice", "", false)
	b.Manager = b.manager(key('b'), key('a'))
	if found := b.find(c.Value); found == nil || found.ID != s.ID {
		t.Error("a new key signs everybody out")
	}
	again, c2 := b.login("alice", c.Value, false)
	if again.ID != s.ID || b.find(c.Value) != nil {
		t.Error("the session of the old key is not replaced")
	}
	b.Manager = b.manager(key('b'))
	if b.find(c2.Value) == nil {
		t.Error("the new key is not used")
	}
}

// Two tabs that sign in at once must not end the one and refuse the other.
func TestParallelSignInsOfOneBrowser(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		parallelSignInsOfOneBrowser(t, setupOn(t, open))
	})
}

func parallelSignInsOfOneBrowser(t *testing.T, b *bundle) {
	t.Helper()
	_, c := b.login("alice", "", false)
	present := b.find(c.Value)
	var wg sync.WaitGroup
	for range 8 {
		who := b.authenticate("alice")
		wg.Go(func() {
			w := httptest.NewRecorder()
			if _, err := b.Start(w, b.with(c.Value), who, false, present); err != nil {
				t.Error(err)
				return
			}
			if s, err := b.Find(b.with(cookie(t, w).Value), ""); s == nil || err != nil {
				// The ID goes to one of them; the others' sessions are new ones.
				t.Errorf("a sign-in gave no session: %v", err)
			}
		})
	}
	wg.Wait()
	if b.find(c.Value) != nil {
		t.Error("the old cookie is still good")
	}
}

// grant stores a grant of alice's from a browser session.
func (b *bundle) grant(clientID string, from storage.ID, scope ...string) storage.ID {
	b.t.Helper()
	alice, err := b.store.User(b.t.Context(), 1)
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := b.reg.Client(b.t.Context(), clientID)
	if err != nil {
		b.t.Fatal(err)
	}
	now := b.clock.Now()
	g := &storage.Grant{
		ID: storage.NewID(now), ClientID: clientID, UserID: 1, Scope: scope, UserEpoch: alice.AuthEpoch, ClientEpoch: c.AuthEpoch,
		SessionID: from, AuthTime: now, CreatedAt: now, ExpiresAt: now.Add(30 * 24 * time.Hour), LastUsedAt: now,
	}
	if err := b.store.CreateGrant(b.t.Context(), g, nil); err != nil {
		b.t.Fatal(err)
	}
	return g.ID
}

// ended tells why a grant ended; empty when it lives.
func (b *bundle) ended(id storage.ID) string {
	b.t.Helper()
	g, err := b.store.Grant(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	if g.RevokedAt.IsZero() {
		return ""
	}
	return g.RevokeReason
}

// addClients registers a client that wants to know of logouts and one that does not.
func (b *bundle) addClients() {
	b.t.Helper()
	for id, uri := range map[string]string{"told": "https://rp.example/logout", "untold": ""} {
		_, _, err := b.reg.Add(b.t.Context(), clients.Registration{ID: id, Metadata: clients.Metadata{
			GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{"https://rp.example/cb"},
			TokenEndpointAuthMethod: "none", BackchannelLogoutURI: uri,
		}})
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// notices gives the notices that are due.
func (b *bundle) notices() []*storage.LogoutNotice {
	b.t.Helper()
	list, err := b.store.ClaimLogoutNotices(b.t.Context(), b.clock.Now(), time.Minute, 100)
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

func TestStatement45SignOutEndsWhatTheSessionGave(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		signOutEndsWhatTheSessionGave(t, setupOn(t, open))
	})
}

func signOutEndsWhatTheSessionGave(t *testing.T, b *bundle) {
	t.Helper()
	b.addClients()
	s, c := b.login("alice", "", false)
	other, c2 := b.login("alice", "", false)
	online, offline := b.grant("told", s.ID, "openid"), b.grant("told", s.ID, "openid", "offline_access")
	quiet, elsewhere := b.grant("untold", s.ID), b.grant("told", other.ID)
	password := b.grant("untold", storage.ID{})

	if err := b.End(httptest.NewRecorder(), b.with(c.Value), b.find(c.Value)); err != nil {
		t.Fatal(err)
	}
	if b.find(c.Value) != nil {
		t.Error("the cookie is still good")
	}
	for what, g := range map[string]struct {
		id   storage.ID
		want string
	}{
		"the grant": {online, "signed_out"}, "the other client's": {quiet, "signed_out"}, "for offline access": {offline, ""},
		"another browser's": {elsewhere, ""}, "by password": {password, ""},
	} {
		if got := b.ended(g.id); got != g.want {
			t.Errorf("%s ended as %q, want %q", what, got, g.want)
		}
	}
	list := b.notices()
	if len(list) != 1 || list[0].ClientID != "told" || list[0].SessionID != s.ID || list[0].UserID != 1 ||
		!list[0].ExpiresAt.Equal(b.clock.Now().Add(24*time.Hour)) {
		t.Errorf("notices: %+v", list)
	}
	if b.find(c2.Value) == nil {
		t.Error("the other browser is signed out too")
	}
	if err := b.EndOther(t.Context(), 1, s.ID); err != nil || len(b.notices()) != 0 {
		t.Errorf("ending it again: %v, or it tells the client again", err)
	}
}

func TestAnotherUserInTheSameBrowserIsASignOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.addClients()
	s, c := b.login("alice", "", false)
	online := b.grant("told", s.ID, "openid")
	b.login("bob", c.Value, false)
	if b.ended(online) == "" || len(b.notices()) != 1 {
		t.Error("the applications of the user who left are not told")
	}
}

func TestStatement47EndEverywhere(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		endEverywhere(t, setupOn(t, open))
	})
}

func endEverywhere(t *testing.T, b *bundle) {
	t.Helper()
	b.addClients()
	s, c := b.login("alice", "", false)
	other, c2 := b.login("alice", "", true)
	_, bobs := b.login("bob", "", false)
	b.grant("told", s.ID, "offline_access")
	b.grant("told", other.ID)
	w := httptest.NewRecorder()
	if err := b.EndEverywhere(w, b.with(c.Value), b.find(c.Value)); err != nil {
		t.Fatal(err)
	}
	if cookie(t, w).MaxAge >= 0 || b.find(c.Value) != nil || b.find(c2.Value) != nil {
		t.Error("a session goes on")
	}
	live, err := b.store.ListGrants(t.Context(), storage.GrantFilter{UserID: 1, LiveAt: b.clock.Now(), Limit: 10})
	if err != nil || len(live) != 0 {
		t.Errorf("%d grants live on (%v)", len(live), err)
	}
	if got := len(b.notices()); got != 2 {
		t.Errorf("%d notices for two sessions", got)
	}
	if b.find(bobs.Value) == nil {
		t.Error("another user is signed out")
	}
}

func TestSessionEventsAreAudited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.clock.Advance(time.Second) // events of one millisecond have no order
	_, c := b.login("alice", "", false)
	b.clock.Advance(time.Second)
	if err := b.End(httptest.NewRecorder(), b.with(c.Value), b.find(c.Value)); err != nil {
		t.Fatal(err)
	}
	list, err := b.store.ListAudit(t.Context(), storage.AuditFilter{UserID: 1, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Action)
		if e.Action != "user_created" && (e.Address != "192.0.2.7" || e.RequestID != "r1" || e.Actor != "user") {
			t.Errorf("the event is %+v", e)
		}
	}
	if got := strings.Join(names, " "); got != "browser_session_ended login_succeeded user_created" {
		t.Errorf("events, newest first: %s", got)
	}
}
